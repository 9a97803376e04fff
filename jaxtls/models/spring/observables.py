"""Says what is read off a spring's state y = (M, n, n): coefficients c_m in the Fock basis of the omega_eff oscillator.

The oscillator's reduced state is c_0 and every spin quantity needs only the traces of the c_m, so nothing here grows
with N.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array

from ...numerics.products import einsum, tensordot
from .._counts import Count
from .parameters import AbstractSpring

# Up to this many spins a class is summed over its integers; beyond, over a window of 12 standard deviations.
INTEGER_SPINS = 256
WINDOW = np.linspace(-12.0, 12.0, 193)
MAX_SPIN_GRID = 1_000_000


def lowering(rho: Array) -> Array:
    """Gives <a> = sum_k sqrt(k) rho[k, k-1]."""
    return _along(rho, np.sqrt(np.arange(rho.shape[-1])), -1)


def lowering_squared(rho: Array) -> Array:
    """Gives <a^2> = sum_k sqrt(k (k-1)) rho[k, k-2]."""
    k = np.arange(rho.shape[-1])
    return _along(rho, np.sqrt(k * (k - 1.0)), -2)


def number(rho: Array) -> Array:
    """Gives the mean number <a^dagger a>."""
    return _along(rho, np.arange(rho.shape[-1]), 0).real


def _along(rho: Array, weights: np.ndarray, offset: int) -> Array:
    """Sum what stands along a diagonal, with the weights of its rows. (The derivative of a `diagonal` is a scatter, two
    kernels on a GPU; that of this is a product.)"""
    here = np.eye(rho.shape[-1], k=offset, dtype=bool)
    return jnp.sum(jnp.where(here, weights.astype(rho.real.dtype)[:, None] * rho, 0))


def oscillator_observables(spring: AbstractSpring) -> dict:
    """Gives x, p, x2, p2 in the units of the model, and the impurity 1 - Tr rho_osc^2."""

    def m_omega() -> Array:
        return spring.mass * spring.effective_frequency

    def second(y: Array, sign: int) -> Array:
        return 2 * number(y[0]) + jnp.trace(y[0]).real + 2 * sign * lowering_squared(y[0]).real

    return {
        "x": lambda y: jnp.sqrt(2 / m_omega()) * lowering(y[0]).real,
        "p": lambda y: jnp.sqrt(2 * m_omega()) * lowering(y[0]).imag,
        "x2": lambda y: second(y, +1) / (2 * m_omega()),
        "p2": lambda y: second(y, -1) * m_omega() / 2,
        "impurity": lambda y: 1 - jnp.sum(jnp.abs(y[0]) ** 2),
    }


def excitation(spring: AbstractSpring, y: Array) -> Array:
    """Gives <k>/N over all classes: <k_c> = N_c p_c + Tr c_(m_c = 1)."""
    total = sum(jnp.asarray(n, float) for n in spring.spin_counts)
    up = sum(n * p for n, p in zip(spring.spin_counts, spring.class_polarizations))
    shifts = [jnp.trace(y[i]).real for i in spring.first_order(y.shape[0]) if i is not None]
    return (up + sum(shifts)) / total


def spin_entropy(spring: AbstractSpring, y: Array) -> Array:
    """Gives S_TLS - S_thermal = sum_c beta B_c Tr c_(m_c=1) - KL(P || Binomial), natural log.

    P / Binomial = 1 + f, f = sum_m Tr c_m psi_m(k) with the Krawtchouk polynomials psi_m. As f averages to zero, KL is
    summed as (1 + f) log(1 + f) - f, which keeps its digits at N = 10^6.
    """
    exponents = spring.exponents(y.shape[0])
    traces = einsum("mii->m", y).real
    classes = [
        _binomial_grid(n, p, int(exponents[:, c].max()))
        for c, (n, p) in enumerate(zip(spring.spin_counts, spring.class_polarizations))
    ]
    # f on the product grid of spin numbers, one class contracted at a time
    tensor = jnp.zeros([psi.shape[0] for _, psi in classes], traces.dtype).at[tuple(exponents.T)].set(traces)
    weights = jnp.ones(())
    for weight, psi in classes:
        tensor = tensordot(tensor, psi, ((0,), (0,)))
        weights = weights[..., None] * weight
    f = tensor - traces[0]
    ratio = jnp.where(1 + f > 0, f, 0.0)  # round-off and truncation, where the weight has long vanished
    divergence = jnp.sum(weights * ((1 + ratio) * jnp.log1p(ratio) - ratio))
    energies = [
        b * traces[i]
        for b, i in zip(spring.beta * spring.class_splittings, spring.first_order(y.shape[0]))
        if i is not None
    ]
    return sum(energies) - divergence


def spin_grid_size(n_spins: tuple) -> int:
    """Counts points of the product grid that `spin_entropy` would sum over."""
    sizes = [
        int(n) + 1 if isinstance(n, int) and n <= INTEGER_SPINS else INTEGER_SPINS + 1 + len(WINDOW) for n in n_spins
    ]
    return int(np.prod([float(s) for s in sizes]))


def _binomial_grid(n: Array | Count, p: Array, m_max: int) -> tuple[Array, Array]:
    """Give weights (K,) of the numbers of excited spins and psi_m on them, (m_max + 1, K)."""
    q = 1 - p
    if isinstance(n, int) and n <= INTEGER_SPINS:
        k = jnp.arange(n + 1.0)
        weight = _binomial_pmf(k, jnp.asarray(float(n)), p, q)
        keep = jnp.ones(k.shape, bool)
    else:
        # Both supports, one switched off: n may be traced.
        n = jnp.asarray(n, float)
        sigma = jnp.sqrt(n * p * q)
        integers = jnp.arange(INTEGER_SPINS + 1.0)
        few = (n <= INTEGER_SPINS) | (n * p + 12 * sigma < INTEGER_SPINS)
        window = n * p + sigma * WINDOW
        k = jnp.concatenate([integers, window])
        keep = jnp.concatenate([few & (integers <= n), ~few & (window >= 0) & (window <= n)])
        k = jnp.where(keep, k, n * p)
        weight = jnp.where(keep, _binomial_pmf(k, n, p, q), 0.0)
    weight = weight / jnp.sum(weight)
    variance = jnp.maximum(p * q, jnp.finfo(p.dtype).tiny)
    psi = [jnp.ones_like(k)]
    for m in range(m_max):
        last = psi[m - 1] if m else 0.0
        left = jnp.asarray(n, p.dtype) - m
        exists = left > 0.5  # no psi_m beyond m = n, which may be data
        following = ((k - left * p - m * q) * psi[m] - m * last) / (jnp.where(exists, left, 1.0) * variance)
        psi.append(jnp.where(exists, following, 0.0))
    return weight, jnp.where(keep, jnp.stack(psi), jnp.where(jnp.arange(m_max + 1)[:, None] == 0, 1.0, 0.0))


def _binomial_pmf(k: Array, n: Array, p: Array, q: Array) -> Array:
    return jnp.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + xlogy(k, p) + xlogy(n - k, q))
