r"""Makes the relaxation of a Bloch-Redfield equation in its two forms: whole, and with fast terms left out.

Whole, in any basis: sum_k -[A_k, X_k rho - rho X_k†]. Secular, in the eigenbasis of H, where the element
rho_cd -> rho_ab is kept for |w_ab - w_cd| <= cutoff, w_ab = e_a - e_b:

    -(W rho + rho W†) + G rho,   W = sum_k A_k X_k,   G_ab,cd = sum_k (A_k)_ac (X_k)*_bd + (X_k)_ac (A_k)*_bd

Whether an element of W is kept depends on e_a - e_c alone; of G, on the transitions c -> a and d -> b being of one
frequency. With generic levels that leaves some 2 n^2 elements of G, which are stored one by one.
"""

from __future__ import annotations

import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._checks import concrete, require
from ..numerics.products import einsum, matmul
from .transitions import Numbers, frequencies, rounding

# Most elements of G that are kept, 1 GiB in double precision.
MAX_ELEMENTS = 2**26


class AbstractRelaxation(eqx.Module):
    """Says what baths do to a density matrix."""

    @abc.abstractmethod
    def __call__(self, rho: Array) -> Array:
        """Returns the change of any (n, n) matrix per time."""


class WholeRelaxation(AbstractRelaxation):
    """Gives sum_k -[A_k, X_k rho - rho X_k†], four products a bath."""

    operators: Array  # (K, n, n)
    products: Array

    def __call__(self, rho: Array) -> Array:
        inner = matmul(self.products, rho) - matmul(rho, self.products.conj().mT)
        return jnp.sum(matmul(inner, self.operators) - matmul(self.operators, inner), 0)


class SecularRelaxation(AbstractRelaxation):
    """Keeps some elements, between two rotations."""

    vectors: Array
    loss: Array
    gains: Array  # (n, n, n, n), or those at (rows, columns) of the flattened matrix
    rows: Array | None
    columns: Array | None

    def __call__(self, rho: Array) -> Array:
        turned = matmul(matmul(self.vectors.conj().T, rho), self.vectors)
        left, right = matmul(self.loss, turned), matmul(turned, self.loss.conj().T)
        if self.rows is None or self.columns is None:
            gain = einsum("abcd,cd->ab", self.gains, turned)
        else:
            flat = turned.reshape(-1)
            gain = jnp.zeros_like(flat).at[self.rows].add(self.gains * flat[self.columns]).reshape(turned.shape)
        return matmul(matmul(self.vectors, gain - left - right), self.vectors.conj().T)


def secular_relaxation(
    vectors: Array, energies: Numbers, operators: Array, products: Array, cutoff: Numbers
) -> SecularRelaxation:
    """Makes it from A and X (K, n, n) in the eigenbasis; `cutoff` is an absolute difference of frequencies."""
    n = energies.shape[0]
    loss = jnp.sum(matmul(operators, products), 0)
    known = concrete(energies), concrete(cutoff)
    if known[0] is not None and known[1] is not None:
        kept = _kept_pairs(np.asarray(known[0]), float(known[1]))
        if kept is not None:
            (a, c), (b, d) = kept
            gains = jnp.sum(_gains(operators[:, a, c], products[:, a, c], operators[:, b, d], products[:, b, d]), 0)
            near = np.abs(known[0][:, None] - known[0][None, :]) <= float(known[1] + rounding(known[0]))
            return SecularRelaxation(
                vectors, jnp.where(near, loss, 0.0), gains, jnp.asarray(a * n + b), jnp.asarray(c * n + d)
            )
    require(
        n**4 <= MAX_ELEMENTS,
        "hamiltonian",
        f"have at most {int(MAX_ELEMENTS**0.25)} levels where a cutoff keeps most elements, or levels are traced",
        f"{n} levels",
        "Use secular=None, which needs no table, or a lower cutoff.",
    )
    released = frequencies(energies)
    limit = cutoff + rounding(energies)
    # |(e_a - e_c) - (e_b - e_d)| for (a, b, c, d).
    apart = jnp.abs(released[:, None, :, None] - released[None, :, None, :])
    wide = lambda m: (m[:, :, None, :, None], m[:, None, :, None, :])
    first, second = zip(wide(operators), wide(products))
    gains = jnp.sum(_gains(*first, *second), 0)
    return SecularRelaxation(
        vectors, jnp.where(jnp.abs(released) <= limit, loss, 0.0), jnp.where(apart <= limit, gains, 0.0), None, None
    )


def _gains(a_ac: Array, x_ac: Array, a_bd: Array, x_bd: Array) -> Array:
    return a_ac * x_bd.conj() + x_ac * a_bd.conj()


def _kept_pairs(energies: np.ndarray, cutoff: float) -> tuple | None:
    """List transitions ((a, c), (b, d)) of like frequencies; None where they are so many that a table is as good."""
    n = len(energies)
    released = np.asarray(energies[:, None] - energies[None, :]).reshape(-1)
    order = np.argsort(released, kind="stable")
    sorted_ = released[order]
    limit = cutoff + float(rounding(energies))
    low, high = np.searchsorted(sorted_, sorted_ - limit, "left"), np.searchsorted(sorted_, sorted_ + limit, "right")
    counts = high - low
    if counts.sum() > n**4 // 4:
        return None
    require(
        bool(counts.sum() <= MAX_ELEMENTS),
        "secular",
        f"keep at most {MAX_ELEMENTS} elements",
        f"{counts.sum()} of {n} levels",
        "Lower the cutoff, or use secular=None, which needs no table.",
    )
    first = np.repeat(np.arange(n * n), counts)
    second = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    return np.divmod(order[first], n), np.divmod(order[second], n)
