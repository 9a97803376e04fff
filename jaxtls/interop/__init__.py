"""Converts to and from other libraries, and to and from files: QuTiP, dynamiqs, xarray, `save` and `load`.

Nothing of the other libraries is imported before it is asked for.
"""

from .datasets import to_xarray as to_xarray
from .files import load as load
from .files import save as save
from .objects import dims as dims
from .objects import to_array as to_array
from .objects import to_dynamiqs as to_dynamiqs
from .objects import to_qutip as to_qutip
