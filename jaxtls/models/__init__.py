"""One physical system a file or folder."""

from ._thermal import thermal_occupation as thermal_occupation
from .damped import DampedOscillator as DampedOscillator
from .damped import FluxQubit as FluxQubit
from .damped import PhaseQubit as PhaseQubit
from .glass import TLSGlass as TLSGlass
from .glass import fit_random_states as fit_random_states
from .glass import random_bloch_vectors as random_bloch_vectors
from .glass import random_state_concurrence as random_state_concurrence
from .heated import AdiabaticOscillator as AdiabaticOscillator
from .heated import TLSHeatedOscillator as TLSHeatedOscillator
from .network import NetworkBalance as NetworkBalance
from .network import ThermalNetwork as ThermalNetwork
from .resonator import ResonatorLoss as ResonatorLoss
from .resonator import photon_number as photon_number
from .solid import TunnellingSolid as TunnellingSolid
from .spin_bath import DiscreteSpectralDensity as DiscreteSpectralDensity
from .spin_bath import OhmicSpectralDensity as OhmicSpectralDensity
from .spin_bath import SpinBathOscillator as SpinBathOscillator
from .spin_bath import discretize as discretize
from .spin_bath import exact_bath_moments as exact_bath_moments
from .spring import EntropicSpring as EntropicSpring
from .spring import constant_rate_moments as constant_rate_moments
from .spring import weak_coupling_rates as weak_coupling_rates
