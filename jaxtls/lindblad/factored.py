"""Stacks sums of terms; where few traced numbers multiply what is known, they stay by themselves.

What a run is differentiated in is then those numbers, and not all elements of the operators that they multiply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from .._checks import is_traced
from .operators import Term
from .storage.family import Family, total

# Numbers that stay by themselves. Of three a gradient takes .8 of what reverse mode does (Kerr, 30 and 50 levels).
MOST = 3

Sums = Sequence[Sequence[Term]]


def stacked(sums: Sums, n: int, dense: bool, dtype: np.dtype) -> Family:
    """Stacks operators, each the sum of its terms without their envelopes."""

    def of(taken: Callable[[Term], Any]) -> Family:
        return Family.stack([total([taken(term) for term in terms], n, dtype) for terms in sums], n, dense, dtype)

    whole, factors = of(lambda term: term.matrix), _factors(sums)
    if not factors:
        return whole
    parts = [of(lambda term, factor=factor: term.part(factor)) for factor in (None, *factors)]  # type: ignore[misc]
    if not all((part.offsets, part.owners) == (whole.offsets, whole.owners) for part in parts):
        return whole
    fixed, *slopes = (part.fixed for part in parts)
    return Family(fixed, whole.skeleton, tuple(factors), tuple(np.asarray(slope) for slope in slopes))


def _factors(sums: Sums) -> list[Any]:
    """List the numbers that vary; none where they are many or complex, or where something else is traced."""
    terms = [term for some in sums for term in some]
    found = list({id(term.factor): term.factor for term in terms if term.factor is not None}.values())
    few = len(found) <= MOST and all(jnp.issubdtype(factor.dtype, jnp.floating) for factor in found)
    return found if few and not is_traced([term.base for term in terms]) else []
