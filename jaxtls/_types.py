"""Names what public functions take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from jaxtyping import Array, ArrayLike

# A number, an array, or numbers listed up to three deep: what `jnp.asarray` makes an array of.
Numbers: TypeAlias = ArrayLike | Sequence[ArrayLike | Sequence[ArrayLike | Sequence[ArrayLike]]]
# t -> a number or an array at that time.
FunctionOfTime: TypeAlias = Callable[[ArrayLike], ArrayLike]
# J(frequency), element by element.
SpectralDensity: TypeAlias = Callable[[Array], Array]
