"""Gives two special functions of the resonator's loss and pull, smooth in every argument: safe to differentiate."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# B_{2j}(1/2) / (2j), j = 1..7, of the expansion psi(1/2 + w) = ln w - sum_j B_{2j}(1/2) / (2j w^{2j}).
_HALF_BERNOULLI = (-1 / 24, 7 / 960, -31 / 8064, 127 / 30720, -511 / 67584, 1414477 / 67092480, -8191 / 98304)
_SHIFT = 8
_NODES = 64


@jax.jit
def digamma_excess(u: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""Returns Re psi(1/2 + i/u) - ln(1/u) for u >= 0, the digamma function on its critical line less its logarithm.

    The recurrence moves the argument by N = 8, where the asymptotic series holds, and each term is written in u:

        1/2 ln(1 + N^2 u^2) - sum_{k<N} (k+1/2) u^2 / (1 + (k+1/2)^2 u^2) - sum_j B_{2j}(1/2)/(2j) Re w^{-2j}

    with w = N + i/u. The value tends to -u^2/24 and its gradient to 0 as u -> 0, without a branch or a bare logarithm.

    Arguments:
        u: any shape, >= 0.

    Returns:
        The same shape; about 1e-14 absolute and relative in float64 (SciPy's complex digamma).

    Example:
        >>> round(float(digamma_excess(jnp.array(1e-3))) * 24e6, 3)
        -1.0
    """
    square = u**2
    k = jnp.arange(_SHIFT, dtype=u.dtype) + 0.5
    ladder = k * square[..., None] / (1 + k**2 * square[..., None])
    # 1/w^2 = u^2 / (N u + i)^2, powers by real arithmetic on (re, im).
    norm = (1 + _SHIFT**2 * square) ** 2
    re, im = square * (_SHIFT**2 * square - 1) / norm, -2 * _SHIFT * u * square / norm
    power_re, power_im = re, im
    series = jnp.zeros_like(u)
    for coefficient in _HALF_BERNOULLI:
        series = series + coefficient * power_re
        power_re, power_im = power_re * re - power_im * im, power_re * im + power_im * re
    return jnp.log1p(_SHIFT**2 * square) / 2 - jnp.sum(ladder, axis=-1) - series


@jax.jit
def scaled_k0(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    r"""Returns e^x K_0(x), the scaled modified Bessel function of the second kind, for x > 0.

        e^x K_0(x) = int_0^inf exp(-2 x sinh^2(t/2)) dt

    by the trapezoidal rule, which converges exponentially for this integrand. The range ends where the exponent is
    -40 and is a choice of nodes, not a part of the function, so no gradient flows through it.

    Arguments:
        x: any shape, > 0.

    Returns:
        The same shape; relative error about 1e-15 for 1e-5 < x < 1e6 in float64 (SciPy's k0e).

    Example:
        >>> round(float(scaled_k0(jnp.array(1.0))), 6)
        1.144463
    """
    width = jax.lax.stop_gradient(2 * jnp.arcsinh(jnp.sqrt(20 / x)))[..., None]
    nodes = (1,) * x.ndim + (_NODES + 1,)
    t = width * np.linspace(0.0, 1.0, _NODES + 1).astype(x.dtype).reshape(nodes)
    weights = np.ones(_NODES + 1)
    weights[0] = weights[-1] = 0.5
    values = jnp.exp(-2 * x[..., None] * jnp.sinh(t / 2) ** 2) * weights.astype(x.dtype).reshape(nodes)
    return jnp.sum(values, axis=-1) * width[..., 0] / _NODES
