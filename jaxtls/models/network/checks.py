"""Checks of a network's arguments and of what it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, finite, real, require
from ..._types import Numbers
from .graph import Structure, mask_of

RATHER = (
    "Give concrete rates and couplings, or name the zeros with baths= and edges=, so that chains and incoherent "
    "networks are recognised."
)
NOT_UNIQUE = (
    "The steady state is not unique, or too close to that for this precision: some excitations meet no bath (a dark "
    "mode of equal sites, a decoupled site), or a rate is many orders below the frequencies. Give such sites a bath "
    "or a coupling, break the symmetry, or use evolve from a given state. In float32, enable x64."
)
CROSSES = (
    "Two excitations together cost no energy (coherent couplings as strong as the frequencies): Davies' baths then "
    "join blocks of different numbers, which this state does not hold. Change a frequency slightly."
)


def couplings(
    name: str, value: Numbers | None, n: int, edges: Iterable[tuple[int, int]] | None, least: float | None = None
) -> Array | None:
    """Checks a symmetric (N, N) array with a zero diagonal, or None."""
    if value is None:
        return None
    array = real(name, value)
    require(array.shape == (n, n), name, f"have shape ({n}, {n})", f"shape {array.shape}")
    known = concrete(array)
    if known is not None:
        require(bool(np.all(np.isfinite(known))), name, "be finite", value)
        require(np.allclose(known, known.T, rtol=1e-6, atol=0), name, "be symmetric", value, "Pass (Y + Y.T)/2.")
        require(not np.any(np.diagonal(known)), name, "have a zero diagonal", value)
        require(least is None or bool(np.all(known >= least)), name, "be >= 0", value)
        allowed = mask_of(n, edges)
        require(not np.any(known[~allowed]), name, "be zero off the declared edges", value, "Add the pairs to edges=.")
    return array


def three_bodies(n: int, value: object, dtype: jnp.dtype) -> tuple[tuple[tuple[int, int, int], ...], Array]:
    """Reads sites (i, j, k) and their couplings g, (M,)."""
    if value is None:
        return (), jnp.zeros(0, dtype)
    must = "map triples of different sites (i, j, k) to real numbers"
    if not isinstance(value, Mapping):
        raise ValueError(f"Argument `three_body` must {must}, but got {value!r}.")
    found = []
    for sites in value:
        listed = isinstance(sites, tuple) and len(sites) == 3 and len(set(sites)) == 3
        good = listed and all(isinstance(s, int | np.integer) and 0 <= s < n for s in sites)
        require(good, "three_body", f"{must}, sites 0..{n - 1}", repr(sites))
        found.append((int(sites[0]), int(sites[1]), int(sites[2])))
    numbers = [finite("three_body", g).astype(dtype) for g in value.values()]
    require(all(g.ndim == 0 for g in numbers), "three_body", must, value)
    return tuple(found), jnp.stack(numbers) if numbers else jnp.zeros(0, dtype)


def require_baths(shape: Structure) -> None:
    """Refuse sites whose excitations are conserved."""
    for sites in shape.components():
        remedy = "Give one of them a bath or couple them to one: without, their excitations are conserved."
        cut_off = f"sites {sites[:8]}{'...' if len(sites) > 8 else ''} without any"
        require(bool(np.any(shape.baths[sites])), "rates", "leave no component without a bath", cut_off, remedy)


def require_memory(size: float, what: str, limit: float) -> None:
    """State the memory (bytes) before it is taken."""
    gib = size / 2**30
    require(gib <= limit, "max_memory", f"be at least {gib:.3g} GiB, for {what} TLSs", f"{limit} GiB", RATHER)
