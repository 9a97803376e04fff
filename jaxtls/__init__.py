"""jaxtls: two-level systems coupled to oscillators and baths, differentiable, on CPU and GPU."""

from importlib.metadata import version as _version

from . import plot as plot
from . import quantum as quantum
from .dynamics import Lindbladian as Lindbladian
from .dynamics import Solution as Solution
from .dynamics import StrangSolver as StrangSolver
from .dynamics import evolve as evolve
from .dynamics import local as local
from .dynamics import mesolve as mesolve
from .dynamics import modulated as modulated
from .dynamics import piecewise_constant as piecewise_constant
from .ensemble import EnsembleResult as EnsembleResult
from .ensemble import ensemble as ensemble
from .fitting import FitResult as FitResult
from .fitting import Fixed as Fixed
from .fitting import Interval as Interval
from .fitting import Positive as Positive
from .fitting import Real as Real
from .fitting import fit as fit
from .fitting import propagate as propagate
from .models import DampedOscillator as DampedOscillator
from .models import DiscreteSpectralDensity as DiscreteSpectralDensity
from .models import EntropicSpring as EntropicSpring
from .models import FluxQubit as FluxQubit
from .models import NetworkBalance as NetworkBalance
from .models import OhmicSpectralDensity as OhmicSpectralDensity
from .models import PhaseQubit as PhaseQubit
from .models import ResonatorLoss as ResonatorLoss
from .models import SpinBathOscillator as SpinBathOscillator
from .models import ThermalNetwork as ThermalNetwork
from .models import TLSGlass as TLSGlass
from .models import TLSHeatedOscillator as TLSHeatedOscillator
from .models import TunnellingSolid as TunnellingSolid
from .models import constant_rate_moments as constant_rate_moments
from .models import discretize as discretize
from .models import exact_bath_moments as exact_bath_moments
from .models import fit_random_states as fit_random_states
from .models import random_bloch_vectors as random_bloch_vectors
from .models import random_state_concurrence as random_state_concurrence
from .models import thermal_occupation as thermal_occupation
from .models import weak_coupling_rates as weak_coupling_rates
from .quantum import coherent_state as coherent_state
from .quantum import concurrence as concurrence
from .quantum import expect as expect
from .quantum import fidelity as fidelity
from .quantum import fock_state as fock_state
from .quantum import negativity as negativity
from .quantum import partial_trace as partial_trace
from .quantum import purity as purity
from .quantum import relative_entropy as relative_entropy
from .quantum import thermal_state as thermal_state
from .quantum import von_neumann_entropy as von_neumann_entropy
from .quantum import wigner as wigner

__version__ = _version("jaxtls")
