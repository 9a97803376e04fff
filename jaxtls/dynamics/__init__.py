"""How states move."""

from ._diffrax import StrangSolver as StrangSolver
from .evolve import evolve as evolve
from .model import AbstractModel as AbstractModel
from .solution import Solution as Solution
