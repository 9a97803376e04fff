"""Holds the standard tunnelling model of disordered solids."""

from .material import TunnellingSolid as TunnellingSolid
from .microscopic import effective_hamiltonian as effective_hamiltonian
from .microscopic import microscopic_hamiltonian as microscopic_hamiltonian
from .presets import PRESETS as PRESETS
from .sampling import TLSSample as TLSSample
from .sampling import per_volume as per_volume
from .sampling import sample as sample
from .sampling import sampled_entropic_ratio as sampled_entropic_ratio
