"""Lindblad equations for any Hamiltonian and jump operators."""

from .correlation import correlation as correlation
from .correlation import spectrum as spectrum
from .counting import CountingStatistics as CountingStatistics
from .counting import counting_statistics as counting_statistics
from .generator import AbstractGenerator as AbstractGenerator
from .lindbladian import Lindbladian as Lindbladian
from .mesolve import MasterSolution as MasterSolution
from .mesolve import mesolve as mesolve
from .operators import Operator as Operator
from .operators import local as local
from .operators import modulated as modulated
from .operators import piecewise_constant as piecewise_constant
from .periodic import periodic_steady_state as periodic_steady_state
from .propagator import propagator as propagator
from .redfield import BlochRedfield as BlochRedfield
from .steady import steady_state as steady_state
from .trajectories import TrajectoriesResult as TrajectoriesResult
from .trajectories import trajectories as trajectories
