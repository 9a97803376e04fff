"""Brings models and fitting together: from measured numbers to an answer with errors and a verdict."""

from .resonator import ResonatorAnalysis as ResonatorAnalysis
from .resonator import ResonatorGroup as ResonatorGroup
from .resonator import analyse_resonator as analyse_resonator
from .resonator import combine_resonators as combine_resonators
