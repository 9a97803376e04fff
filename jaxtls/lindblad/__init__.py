"""Solves Lindblad equations for any Hamiltonian and jump operators."""

from .correlation import correlation as correlation
from .counting import CountingStatistics as CountingStatistics
from .counting import counting_statistics as counting_statistics
from .drives import modulated as modulated
from .drives import piecewise_constant as piecewise_constant
from .drives import sampled as sampled
from .generator import AbstractGenerator as AbstractGenerator
from .lindbladian import Lindbladian as Lindbladian
from .mesolve import MasterSolution as MasterSolution
from .mesolve import mesolve as mesolve
from .methods.faber import Faber as Faber
from .methods.matrix_exponential import MatrixExponential as MatrixExponential
from .operators import Operator as Operator
from .operators import local as local
from .periodic import periodic_steady_state as periodic_steady_state
from .propagator import propagator as propagator
from .redfield import BlochRedfield as BlochRedfield
from .sesolve import sesolve as sesolve
from .spectrum import spectrum as spectrum
from .steady import steady_state as steady_state
from .trajectories import TrajectoriesResult as TrajectoriesResult
from .trajectories import trajectories as trajectories
