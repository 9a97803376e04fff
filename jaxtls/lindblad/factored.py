"""Stacks sums of terms; where few traced numbers multiply what is known, they stay by themselves.

What a run is differentiated in is then those numbers, and not all elements of the operators that they multiply.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    def of(numbers: dict[int, float] | None = None) -> Family:
        taken = lambda term: term.matrix if numbers is None else term.times(numbers)
        return Family.stack([total([taken(term) for term in terms], n, dtype) for terms in sums], n, dense, dtype)

    whole, factors = of(), _factors(sums)
    if not factors:
        return whole
    ones = [of({id(other): float(other is factor) for other in factors}) for factor in factors]
    fixed = of(dict.fromkeys(map(id, factors), 0.0))
    alike = all((part.offsets, part.owners) == (whole.offsets, whole.owners) for part in (fixed, *ones))
    if not alike:
        return whole
    slopes = [np.asarray(one.fixed) - np.asarray(fixed.fixed) for one in ones]
    return Family(fixed.fixed, whole.skeleton, tuple(factors), tuple(slopes))


def _factors(sums: Sums) -> list[Any]:
    """List the numbers that vary; none where they are many or complex, or where something else is traced."""
    terms = [term for some in sums for term in some]
    found = list({id(term.factor): term.factor for term in terms if term.factor is not None}.values())
    few = len(found) <= MOST and all(jnp.issubdtype(factor.dtype, jnp.floating) for factor in found)
    return found if few and not is_traced([term.base for term in terms]) else []
