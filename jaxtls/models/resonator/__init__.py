"""Models superconducting resonators: loss and frequency shift by TLSs and quasiparticles, photons in them. SI units."""

from .model import BOLTZMANN as BOLTZMANN
from .model import COLDEST as COLDEST
from .model import GAP_RATIO as GAP_RATIO
from .model import PLANCK as PLANCK
from .model import QUASIPARTICLES as QUASIPARTICLES
from .model import ResonatorLoss as ResonatorLoss
from .photons import photon_number as photon_number
from .saturation import FORMS as FORMS
