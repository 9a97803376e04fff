"""Moves states."""

from .evolve import Plan as Plan
from .evolve import evolve as evolve
from .evolve import plan as plan
from .methods.diffrax import StrangSolver as StrangSolver
from .methods.splitting import Splitting as Splitting
from .model import AbstractModel as AbstractModel
from .solution import Solution as Solution
