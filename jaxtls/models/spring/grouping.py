"""Takes like TLSs as one class: the hierarchy of many equal spins costs no more than that of one.

Classes of the same splitting, rate and energy shift per x^2 have the same 2x2 flow, so s^(N1-m1) w^m1 (x) s^(N2-m2)
w^m2 moves as the term m1 + m2 of one class of N1 + N2 spins, and every observable of the spins as a whole sees their
sum alone.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import is_traced
from .._counts import Count
from .parameters import Spring


def grouped(spring: Spring) -> tuple[Spring, np.ndarray]:
    """Gives the spring with like classes merged, and for each old class the number of its new one."""
    same = np.arange(spring.n_classes)
    if spring.n_classes == 1 or is_traced(spring) or not all(isinstance(n, Count) for n in spring.spin_counts):
        return spring, same
    with jax.ensure_compile_time_eval():
        gamma = jnp.zeros(()) if spring.gamma is None else spring.gamma
        gammas = np.broadcast_to(gamma, spring.n_classes)
        keys = np.stack([np.asarray(spring.class_splittings), gammas, np.asarray(spring.energy_shifts)], 1)
        _, first, member = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        member = member.reshape(-1)
        if len(first) == spring.n_classes:
            return spring, same
        counts = np.bincount(member, weights=[int(n) for n in spring.spin_counts])
        stiffness = np.bincount(member, weights=np.asarray(spring.class_omegas) ** 2)
        merged = dataclasses.replace(
            spring,
            omega=jnp.sqrt(jnp.asarray(stiffness)),
            splitting=jnp.asarray(keys[first, 0]),
            gamma=None if spring.gamma is None else jnp.asarray(keys[first, 1]),
            n_spins=tuple(int(n) for n in counts),
        )
    return merged, member


def gathered(spring: Spring, y0: Array) -> tuple[Spring, Array]:
    """Gathers spring and state with like classes merged: coefficients of like total exponent in a new class are
    summed."""
    merged, member = grouped(spring)
    if merged is spring:
        return spring, y0
    old = spring.exponents(y0.shape[0])
    sums = np.zeros((len(old), merged.n_classes), int)
    np.add.at(sums.T, member, old.T)
    indices = merged.indices(int(old.sum(1).max()))
    position = {tuple(row): i for i, row in enumerate(indices.exponents)}
    targets = np.array([position[tuple(row)] for row in sums])
    return merged, jnp.zeros((indices.size, *y0.shape[1:]), y0.dtype).at[targets].add(y0)
