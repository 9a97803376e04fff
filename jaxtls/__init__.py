"""jaxtls: two-level systems coupled to oscillators and baths, differentiable, on CPU and GPU."""

from importlib.metadata import version as _version

from .dynamics import Solution as Solution, StrangSolver as StrangSolver, evolve as evolve
from .models import EntropicSpring as EntropicSpring

__version__ = _version("jaxtls")
