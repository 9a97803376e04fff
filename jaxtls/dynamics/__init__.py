"""How states move."""

from ._diffrax import StrangSolver as StrangSolver
from .evolve import evolve as evolve
from .lindblad import Lindbladian as Lindbladian
from .lindblad import correlation as correlation
from .lindblad import local as local
from .lindblad import mesolve as mesolve
from .lindblad import modulated as modulated
from .lindblad import piecewise_constant as piecewise_constant
from .lindblad import spectrum as spectrum
from .lindblad import steady_state as steady_state
from .lindblad import trajectories as trajectories
from .solution import Solution as Solution
