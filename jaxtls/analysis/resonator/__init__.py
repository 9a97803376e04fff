"""Analyses loss and frequency shift of superconducting resonators: form, numbers, and whether TLSs are seen."""

from .analyse import analyse_resonator as analyse_resonator
from .groups import ResonatorGroup as ResonatorGroup
from .groups import combine_resonators as combine_resonators
from .measured import Measured as Measured
from .result import ResonatorAnalysis as ResonatorAnalysis
