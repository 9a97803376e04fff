"""Lists constants of nature in SI units, each exact in the SI of 2019."""

import math

PLANCK = 6.62607015e-34  # J s
HBAR = PLANCK / (2 * math.pi)  # J s
BOLTZMANN = 1.380649e-23  # J/K
ELECTRON_CHARGE = 1.602176634e-19  # C
ELECTRONVOLT = ELECTRON_CHARGE  # J
