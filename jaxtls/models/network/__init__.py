"""Models thermal networks: two-level systems, their baths, and incoherent or coherent couplings (Diosi)."""

from .balance import NetworkBalance as NetworkBalance
from .model import ThermalNetwork as ThermalNetwork
