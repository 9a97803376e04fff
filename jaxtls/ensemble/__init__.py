"""Averages over disorder: realization i from its key alone, in batches on all devices, stored and resumed."""

from .result import EnsembleResult as EnsembleResult
from .run import ensemble as ensemble
