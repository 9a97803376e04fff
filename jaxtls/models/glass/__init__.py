"""Models the glass of interacting two-level systems of Artiaco, Balducci & Scardicchio."""

from .model import TLSGlass as TLSGlass
from .random_states import fit_random_states as fit_random_states
from .random_states import random_state_concurrence as random_state_concurrence
from .sampling import random_bloch_vectors as random_bloch_vectors
