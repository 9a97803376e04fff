"""Models an oscillator in a bath of two-level systems."""

from .coefficients import Coefficients as Coefficients
from .density import DiscreteSpectralDensity as DiscreteSpectralDensity
from .density import OhmicSpectralDensity as OhmicSpectralDensity
from .density import discretize as discretize
from .exact import exact_bath_moments as exact_bath_moments
from .fock import SpinBathFock as SpinBathFock
from .model import SpinBathOscillator as SpinBathOscillator
