"""How states move."""

from ._diffrax import StrangSolver as StrangSolver
from .evolve import evolve as evolve
from .lindblad import Lindbladian as Lindbladian
from .lindblad import local as local
from .lindblad import mesolve as mesolve
from .lindblad import modulated as modulated
from .lindblad import piecewise_constant as piecewise_constant
from .solution import Solution as Solution
