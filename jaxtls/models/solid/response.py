"""Computes integrals over the standard tunnelling distribution, in the variables y = E/kT and u = Gamma/Gamma_max.

P(E, Gamma) = Pbar / (2 Gamma sqrt(1 - u)), and Gamma_max(E, T) = A T^3 y^3 coth(y/2) with one number A per material.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._thermal import coth_half

# ln y of the trapezoidal rules over all energies: sech^2(y/2) has stopped at y = 80, and y dy at e^-20.
_STEP = 0.05
_LN_Y = np.arange(-20.0, np.log(80.0), _STEP)
_GAUSS = np.polynomial.legendre.leggauss(96)


def rate_shape(y: Array) -> Array:
    """Gives y^3 coth(y/2), the energy dependence of Gamma_max at fixed T; 2 y^2 at small y."""
    return y**3 * coth_half(y)


def relaxation_response(a: Array) -> tuple[Array, Array]:
    r"""Gives the loss and dispersion of the TLSs of one energy, driven at a = omega/Gamma_max.

        (loss, dispersion) = int_0^1 du sqrt(1-u)/(2u) (a u, u^2)/(a^2 + u^2)
                           = (Im, Re) [z artanh(1/z) - 1],   z^2 = 1 - ia

    Arguments:
        a: any shape, > 0.

    Returns:
        (loss, dispersion): pi/4 - O(a) and -ln(a)/2 - O(1) at small a; 1/(3 a) and 2/(15 a^2) at large a.

    Example:
        >>> loss, _ = relaxation_response(jnp.array([1e-6, 1e6]))
        >>> [round(float(v), 4) for v in (loss[0], 1e6 * loss[1])]
        [0.7854, 0.3333]

    Source: J. Jaeckle, Z. Phys. 257, 212 (1972), with the integral over rates done.
    """
    small = jnp.minimum(a, 30.0)
    z = jnp.sqrt(1 - 1j * small)
    # artanh(1/z) = ln(z + 1) - ln(a)/2 + i pi/4, free of cancellation at small a
    near = z * (jnp.log(z + 1) - jnp.log(small) / 2 + 0.25j * np.pi) - 1
    w = 1 / (1 - 1j * jnp.maximum(a, 30.0))
    far = w * (1 / 3 + w * (1 / 5 + w * (1 / 7 + w * (1 / 9 + w * (1 / 11 + w * (1 / 13 + w * (1 / 15 + w / 17)))))))
    value = jnp.where(a < 30.0, near, far)
    return value.imag, value.real


def over_energies(a_of_y: Array) -> tuple[Array, Array]:
    """Gives int_0^inf dy sech^2(y/2) (loss, dispersion) at a = a_of_y/(y^3 coth(y/2)); a_of_y = omega/(A T^3)."""
    y = jnp.asarray(np.exp(_LN_Y), a_of_y.dtype).reshape((1,) * a_of_y.ndim + (-1,))
    loss, dispersion = relaxation_response(a_of_y[..., None] / rate_shape(y))
    weight = _STEP * y / jnp.cosh(y / 2) ** 2
    return jnp.sum(weight * loss, -1), jnp.sum(weight * dispersion, -1)


def visible_states(b: Array) -> Array:
    """Integrates dy (y/2)^2 sech^2(y/2) artanh sqrt(1 - b/(y^3 coth(y/2))) from 0: TLSs faster than 1/t,
    b = 1/(A T^3 t)."""
    y_min = slowest_energy(b)[..., None]
    # y = y_min cosh v, in which the square root is smooth
    top = jnp.arccosh(1 + 80.0 / y_min)
    nodes, weights = (jnp.asarray(v, b.dtype) for v in _GAUSS)
    v = top * (nodes + 1) / 2
    y = y_min * jnp.cosh(v)
    root = jnp.sqrt(jnp.maximum(1 - b[..., None] / rate_shape(y), 1e-30))
    # artanh(r) with 1 - r^2 = b/shape: ln(1 + r) - ln(b/shape)/2, exact for small b
    counted = jnp.log1p(root) - jnp.log(b[..., None] / rate_shape(y)) / 2
    density = (y / 2) ** 2 / jnp.cosh(jnp.minimum(y, 160.0) / 2) ** 2 * counted
    return jnp.sum(weights * density * y_min * jnp.sinh(v), -1) * top[..., 0] / 2


def slowest_energy(b: Array) -> Array:
    """Gives the y at which y^3 coth(y/2) = b, by Newton's method in ln y; the last step carries the derivative."""
    target = jnp.log(b)

    def newton(u: Array) -> Array:
        y = jnp.exp(u)
        x = jnp.minimum(y, 300.0)
        value = 3 * u + jnp.log(coth_half(x))
        slope = 3 - x / jnp.sinh(x)
        return u - (value - target) / slope

    u = jax.lax.stop_gradient(jnp.where(b < 2.0, (target - np.log(2.0)) / 2, target / 3))
    for _ in range(8):
        u = jax.lax.stop_gradient(newton(u))
    return jnp.exp(newton(u))


def entropic_integrals(b: Array) -> tuple[Array, Array]:
    r"""Gives the two sums of Eq. 28 as integrals over y from y_min (Gamma_max = omega) to 1 (E = kT);
    b = omega/(A T^3).

        int dy e^y/(1 + e^y)^2 sqrt(1 - b/(y^3 coth(y/2))),   int dy tanh(y/2)/y sqrt(...)

    Both are 0 where y_min >= 1: no TLS below kT is faster than omega.
    """
    open_ = slowest_energy(b) < 1
    b = jnp.where(open_, b, 1.0)
    y_min = slowest_energy(b)[..., None]
    top = jnp.arccosh(jnp.maximum(1 / y_min, 1 + 1e-12))
    nodes, weights = (jnp.asarray(v, b.dtype) for v in _GAUSS)
    v = top * (nodes + 1) / 2
    y = y_min * jnp.cosh(v)
    root = jnp.sqrt(jnp.maximum(1 - b[..., None] / rate_shape(y), 1e-30))
    measure = weights * y_min * jnp.sinh(v) * top / 2 * root
    entropic = jnp.sum(measure * jax.nn.sigmoid(y) * jax.nn.sigmoid(-y), -1)
    softening = jnp.sum(measure * jnp.tanh(y / 2) / y, -1)
    return jnp.where(open_, entropic, 0.0), jnp.where(open_, softening, 0.0)
