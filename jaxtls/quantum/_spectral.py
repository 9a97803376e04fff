"""Gives functions of a Hermitian matrix's spectrum, with derivatives finite where eigenvalues vanish or coincide.

Automatic differentiation of `eigh` divides by differences of eigenvalues. None of the functions here depends on single
eigenvectors, so each derivative is written down as Re Tr(K d rho) with K a function of rho.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..numerics import lapack
from ..numerics.hermitian import hermitian_part
from ..numerics.products import matmul
from ._arrays import trace_product


def _sandwich(v: Array, m: Array, w: Array) -> Array:
    return matmul(matmul(v, m), w)


def _dag(a: Array) -> Array:
    return jnp.conj(jnp.swapaxes(a, -1, -2))


def _compose(v: Array, values: Array) -> Array:
    return matmul(v * values[..., None, :], _dag(v))


def _clipped(values: Array) -> tuple[Array, Array]:
    # eps² of the largest: far below rounding, so only zeros and their noise move, and the logarithm stays moderate.
    limits = jnp.finfo(values.dtype)
    floor = jnp.maximum(limits.eps**2 * values[..., -1:], limits.tiny)
    return jnp.maximum(values, floor), values > floor


@jax.custom_jvp
def log_hermitian(rho: Array) -> Array:
    """Gives the logarithm of a positive matrix (..., n, n); eigenvalues below eps² of the largest count as that."""
    values, v = lapack.eigh(rho)
    return _compose(v, jnp.log(_clipped(values)[0]))


@log_hermitian.defjvp
def _log_hermitian_jvp(primals, tangents):
    (rho,), (drho,) = primals, tangents
    values, v = lapack.eigh(rho)
    clipped, above = _clipped(values)
    # Daleckii and Krein: divided differences (log a - log b)/(a - b) = log1p(x)/x/b, x = (a - b)/b, a >= b.
    a = jnp.maximum(clipped[..., :, None], clipped[..., None, :])
    b = jnp.minimum(clipped[..., :, None], clipped[..., None, :])
    x = (a - b) / b
    small = x < jnp.finfo(x.dtype).eps
    differences = jnp.where(small, 1.0, jnp.log1p(x) / jnp.where(small, 1.0, x)) / b
    differences = jnp.where(above[..., :, None] | above[..., None, :], differences, 0.0)
    inner = _sandwich(_dag(v), hermitian_part(drho), v)
    return log_hermitian(rho), _sandwich(v, differences * inner, _dag(v))


@jax.custom_jvp
def entropy(rho: Array) -> Array:
    """Computes -Tr rho log rho, (..., n, n) -> (...)."""
    values = lapack.eigvalsh(rho)
    # NaN counts, so that it shows.
    positive = ~(values <= 0)
    return -jnp.sum(jnp.where(positive, values * jnp.log(jnp.where(positive, values, 1.0)), 0.0), axis=-1)


@entropy.defjvp
def _entropy_jvp(primals, tangents):
    (rho,), (drho,) = primals, tangents
    k = -(log_hermitian(rho) + jnp.eye(rho.shape[-1], dtype=rho.dtype))
    return entropy(rho), jnp.real(trace_product(k, drho))


@jax.custom_jvp
def negative_weight(x: Array) -> Array:
    """Sums |lambda| over the negative eigenvalues of a Hermitian matrix, (..., n, n) -> (...)."""
    return jnp.sum(jnp.maximum(-lapack.eigvalsh(x), 0.0), axis=-1)


@negative_weight.defjvp
def _negative_weight_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    values, v = lapack.eigh(x)
    # An eigenvalue that is zero up to rounding moves nothing: the subgradient 0.
    noise = x.shape[-1] * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values), axis=-1, keepdims=True)
    k = _compose(v, -(values < -noise).astype(values.dtype))
    return jnp.sum(jnp.maximum(-values, 0.0), axis=-1), jnp.real(trace_product(k, dx))


def _factor(rho: Array) -> Array:
    """Give A with A A† = rho; eigenvalues within rounding of zero are dropped, as their roots would be 1e-8."""
    values, v = lapack.eigh(rho)
    noise = rho.shape[-1] * jnp.finfo(values.dtype).eps * values[..., -1:]
    kept = ~(values <= noise)
    return v * jnp.where(kept, jnp.sqrt(jnp.where(kept, values, 1.0)), 0.0)[..., None, :]


@jax.custom_jvp
def root_fidelity(rho: Array, sigma: Array) -> Array:
    """Gives Tr sqrt(sqrt(rho) sigma sqrt(rho)) = ||A†B||_1 with rho = A A†, sigma = B B†; (..., n, n) each -> (...)."""
    overlap = matmul(_dag(_factor(rho)), _factor(sigma))
    return jnp.sum(lapack.svdvals(overlap), axis=-1)


@root_fidelity.defjvp
def _root_fidelity_jvp(primals, tangents):
    (rho, sigma), (drho, dsigma) = primals, tangents
    a, b = _factor(rho), _factor(sigma)
    u, s, wh = lapack.svd(matmul(_dag(a), b))
    # A†B = U S W†: the derivatives are A U S^-1 U† A† / 2 for sigma and B W S^-1 W† B† / 2 for rho.
    kept = s > s.shape[-1] * jnp.finfo(s.dtype).eps * s[..., :1]
    half_inverse = jnp.where(kept, 0.5 / jnp.where(kept, s, 1.0), 0.0)
    k_sigma = _compose(matmul(a, u), half_inverse)
    k_rho = _compose(matmul(b, _dag(wh)), half_inverse)
    slope = jnp.real(trace_product(k_rho, drho) + trace_product(k_sigma, dsigma))
    return jnp.sum(s, axis=-1), slope
