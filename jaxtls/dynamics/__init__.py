"""Moves states."""

from .evolve import evolve as evolve
from .methods.diffrax import StrangSolver as StrangSolver
from .methods.splitting import Splitting as Splitting
from .model import AbstractModel as AbstractModel
from .plan import Plan as Plan
from .planning import plan as plan
from .solution import Solution as Solution
