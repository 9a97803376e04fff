"""Takes averages over disorder: realization i from its key alone, in batches, in parts anywhere, stored and resumed."""

from .parts import merge as merge
from .result import EnsembleResult as EnsembleResult
from .run import ensemble as ensemble
from .sweeps import sweep as sweep
