"""Models an oscillator heated by one TLS."""

from .adiabatic import AdiabaticOscillator as AdiabaticOscillator
from .model import TLSHeatedOscillator as TLSHeatedOscillator
