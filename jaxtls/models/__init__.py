"""One physical system a file or folder."""

from .resonator import ResonatorLoss as ResonatorLoss
from .spring import EntropicSpring as EntropicSpring
from .spring import constant_rate_moments as constant_rate_moments
from .spring import weak_coupling_rates as weak_coupling_rates
