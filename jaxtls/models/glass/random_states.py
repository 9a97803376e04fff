"""Computes the concurrence of two sites of a random state of N TLSs, and the law that the paper fits to it."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import random_key, require, size
from ..._types import Numbers
from ...quantum import _wootters

_CHUNK = 2**14


def random_state_concurrence(key: Array, n_tls: int, n_states: int = 1) -> Array:
    """Gives the mean concurrence of two sites over uniformly (Haar) random pure states of N TLSs.

    The two-site state is W W†/Tr W W† with W a 4 x 2^(N-2) matrix of independent complex normal numbers. For N > 4 it
    is drawn through the triangular factor of W W† (Bartlett), so the cost does not depend on N.

    Arguments:
        key: a JAX random key.
        n_tls: N >= 2.
        n_states: states drawn; one pair each (by symmetry the mean is that of any pair).

    Returns:
        Scalar in [0, 1].

    Raises:
        ValueError: a size is out of range.

    Example:
        >>> c = random_state_concurrence(jax.random.key(0), 2, 20_000)
        >>> bool(abs(c - 3 * jnp.pi / 16) < 0.01)
        True

    Source: Artiaco, Balducci & Scardicchio, App. E; at N = 2 the mean is 3 pi/16.
    """
    n_tls, n_states = size("n_tls", n_tls, 2), size("n_states", n_states)
    require(n_tls <= 60, "n_tls", "be at most 60, beyond which the concurrence is zero", n_tls)
    return _mean_concurrence(random_key("key", key), n_tls, n_states)


class RandomStateFit(NamedTuple):
    """Holds <C> = exp(-a 2^(bN)) with standard errors."""

    a: Array
    b: Array
    a_error: Array
    b_error: Array


def fit_random_states(n_tls: Numbers, mean: Numbers, sem: Numbers | None = None) -> RandomStateFit:
    """Fit <C> = exp(-a 2^(bN)) as the line log2(-ln <C>) = log2 a + b N.

    Arguments:
        n_tls: (K,) values of N, at least 3.
        mean: (K,) mean concurrences, in (0, 1).
        sem: (K,) their standard errors, which weigh the points and set the errors; None: equal weights, errors from the
            residuals (what the paper does).

    Returns:
        RandomStateFit: a, b, a_error, b_error.

    Raises:
        ValueError: shapes differ or a mean is not in (0, 1).

    Example:
        >>> fit = fit_random_states([2, 3, 4, 5, 6], [0.58905, 0.3679, 0.1255, 0.01442, 2.09e-4])
        >>> f"{fit.a:.3f} {fit.b:.3f}"
        '0.127 1.009'

    Source: Artiaco, Balducci & Scardicchio, Eq. E1 and Fig. 11.
    """
    n, c = np.asarray(n_tls, float), np.asarray(mean, float)
    require(
        n.ndim == 1 and n.size >= 3 and n.shape == c.shape, "mean", "hold one value for each of 3 or more N", c.shape
    )
    require(bool(np.all((c > 0) & (c < 1))), "mean", "lie in (0, 1)", mean)
    y = np.log2(-np.log(c))
    if sem is None:
        error = np.ones_like(y)
    else:
        weights = np.asarray(sem, float)
        good = weights.shape == y.shape and bool(np.all(weights > 0))
        require(good, "sem", f"hold {y.size} positive numbers", sem)
        error = weights / (c * np.abs(np.log(c)) * math.log(2))
    design = np.stack([np.ones_like(n), n], axis=1) / error[:, None]
    covariance = np.linalg.inv(design.T @ design)
    intercept, slope = covariance @ design.T @ (y / error)
    if sem is None:
        covariance = covariance * np.sum((y - intercept - slope * n) ** 2) / (n.size - 2)
    a = 2.0**intercept
    found = (a, slope, a * math.log(2) * math.sqrt(covariance[0, 0]), math.sqrt(covariance[1, 1]))
    return RandomStateFit(*(jnp.asarray(x) for x in found))


@partial(jax.jit, static_argnums=(1, 2))
def _mean_concurrence(key: Array, n_tls: int, n_states: int) -> Array:
    chunk = min(n_states, _CHUNK)
    n_chunks = -(-n_states // chunk)

    def step(total: Array, i: Array) -> tuple[Array, None]:
        c = _wootters.concurrence(_wootters.packed(_two_site_states(jax.random.fold_in(key, i), n_tls, chunk)))
        return total + jnp.sum(jnp.where(i * chunk + jnp.arange(chunk) < n_states, c, 0.0)), None

    return jax.lax.scan(step, jnp.zeros(()), jnp.arange(n_chunks))[0] / n_states


def _two_site_states(key: Array, n_tls: int, n: int) -> Array:
    """Give the density matrices of two sites of n random states, (4, 4, n)."""
    columns = 2 ** (n_tls - 2)
    normals, gammas = jax.random.split(key)
    complex_type = jnp.result_type(float, jnp.complex64)
    if columns <= 4:
        factor = jax.random.normal(normals, (4, columns, n), complex_type)
    else:
        # Bartlett: L L† with |L_ii|² ~ Gamma(columns - i) and normal entries below.
        shape = jnp.asarray(columns, float) - jnp.arange(4.0)[:, None]
        diagonal = jnp.sqrt(jax.random.gamma(gammas, shape, (4, n)))
        below = jnp.tril(jnp.ones((4, 4)), -1)[:, :, None]
        factor = below * jax.random.normal(normals, (4, 4, n), complex_type)
        factor = factor + jnp.eye(4)[:, :, None] * diagonal[:, None]
    rho = jnp.sum(factor[:, None] * factor[None].conj(), axis=2)
    return rho / jnp.real(jnp.trace(rho))
