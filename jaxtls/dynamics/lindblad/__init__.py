"""Lindblad equations for any Hamiltonian and jump operators."""

from .model import Lindbladian as Lindbladian
from .operators import Operator as Operator
from .operators import local as local
from .operators import modulated as modulated
from .operators import piecewise_constant as piecewise_constant
from .mesolve import MasterSolution as MasterSolution
from .mesolve import mesolve as mesolve
