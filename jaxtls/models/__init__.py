"""One physical system a file or folder."""

from .resonator import ResonatorLoss as ResonatorLoss
from .spin_bath import DiscreteSpectralDensity as DiscreteSpectralDensity
from .spin_bath import OhmicSpectralDensity as OhmicSpectralDensity
from .spin_bath import SpinBathOscillator as SpinBathOscillator
from .spin_bath import discretize as discretize
from .spin_bath import exact_bath_moments as exact_bath_moments
from .spin_bath import thermal_occupation as thermal_occupation
from .spring import EntropicSpring as EntropicSpring
from .spring import constant_rate_moments as constant_rate_moments
from .spring import weak_coupling_rates as weak_coupling_rates
