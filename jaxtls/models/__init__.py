"""One physical system a file or folder."""

from .resonator import ResonatorLoss as ResonatorLoss
from .spring import EntropicSpring as EntropicSpring
