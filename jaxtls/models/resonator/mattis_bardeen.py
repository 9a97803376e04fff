r"""Gives the complex conductivity of a BCS superconductor, from which loss and frequency shift of a thin film follow.

With w = hf/k, D the gap over k and f(E) the Fermi function at T, in units of the normal conductivity,

    s1 = (2/w) int_D^inf [f(E) - f(E+w)] (E^2 + D^2 + w E) / sqrt((E^2 - D^2) ((E+w)^2 - D^2)) dE
    s2 = (1/w) int_{D-w}^D tanh((E+w)/2T) (E^2 + D^2 + w E) / sqrt((D^2 - E^2) ((E+w)^2 - D^2)) dE

for w < 2 D. Both are written in variables that take the square-root ends away, so equal steps converge exponentially.

Sources: D. C. Mattis and J. Bardeen, Phys. Rev. 111, 412 (1958); J. Bardeen, L. N. Cooper and J. R. Schrieffer, Phys.
Rev. 108, 1175 (1957) (the gap).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

NODES = 32
RATIO = 1.7638769907  # Delta(0) / k Tc
NEAREST = 0.999  # T/Tc beyond which the gap counts as there: its slope has no end at Tc


def gap_share(reduced: Array) -> Array:
    """Gives Delta(T) / Delta(0) of BCS at T/Tc, by ln(Delta(0)/Delta) = 2 int_0^inf du / (exp(Delta cosh(u) / kT) + 1).

    Example:
        >>> round(float(gap_share(jnp.array(0.5))), 4)
        0.9569
    """
    t = jnp.clip(reduced, 0.02, NEAREST)
    # solved for y = Delta/kT by Newton; the last step alone is differentiated, which gives the implicit derivative
    fixed = jax.lax.stop_gradient(t)
    start = RATIO / fixed * jnp.tanh(1.74 * jnp.sqrt(1 / fixed - 1))
    y = jax.lax.fori_loop(0, 5, lambda _, y: jnp.maximum(_newton(y, fixed), 1e-3), start)
    return _newton(jax.lax.stop_gradient(y), t) * t / RATIO


def _newton(y: Array, t: Array) -> Array:
    value, slope = jax.jvp(_logarithm, (y,), (jnp.ones_like(y),))
    return y - (jnp.log(y * t / RATIO) + value) / (1 / y + slope)


def _logarithm(y: Array) -> Array:
    """Give 2 int_0^inf du / (exp(y cosh u) + 1), to about 1e-9."""
    longest = jnp.arccosh(1 + 40 / jax.lax.stop_gradient(y))[..., None]
    nodes, weights = _trapezoid(y.dtype)
    return 2 * longest[..., 0] * jnp.sum(weights * jax.nn.sigmoid(-y[..., None] * jnp.cosh(longest * nodes)), -1)


def conductivity(w: Array, gap: Array, temperature: Array) -> tuple[Array, Array]:
    """Gives both parts s1, s2 at w = hf/k, gap/k and temperature, all in K and broadcast; needs w < 2 gap.

    Example:
        >>> s1, s2 = conductivity(jnp.array(0.24), jnp.array(2.1), jnp.array(0.3))
        >>> bool(s1 < 0.01 * s2)
        True
    """
    w, gap, temperature = jnp.broadcast_arrays(w, gap, temperature)
    return _dissipative(w[..., None], gap[..., None], temperature[..., None]), _reactive(w, gap, temperature)


def _trapezoid(dtype: jnp.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Give nodes on [0, 1] and weights of the trapezoidal rule."""
    weights = np.full(NODES + 1, 1 / NODES)
    weights[[0, -1]] /= 2
    return np.linspace(0.0, 1.0, NODES + 1).astype(dtype), weights.astype(dtype)


def _dissipative(w: Array, gap: Array, temperature: Array) -> Array:
    nodes, weights = _trapezoid(w.dtype)
    longest = jax.lax.stop_gradient(jnp.arcsinh(jnp.sqrt(40 * temperature / w)))
    energy = gap + w * jnp.sinh(longest * nodes) ** 2
    share = jnp.exp(-energy / temperature) * jax.nn.sigmoid(energy / temperature)
    share = share * jax.nn.sigmoid((energy + w) / temperature) * -jnp.expm1(-w / temperature)
    coherence = (energy**2 + gap**2 + w * energy) / jnp.sqrt((energy + gap) * (energy + w + gap))
    return (4 / w * longest)[..., 0] * jnp.sum(weights * share * coherence, axis=-1)


def _reactive(w: Array, gap: Array, temperature: Array) -> Array:
    angle = ((np.arange(NODES) + 0.5) * np.pi / NODES).astype(w.dtype)
    w, gap, temperature = w[..., None], gap[..., None], temperature[..., None]
    energy = gap - w / 2 * (1 - np.cos(angle))
    coherence = (energy**2 + gap**2 + w * energy) / jnp.sqrt((energy + gap) * (energy + w + gap))
    return np.pi / w[..., 0] * jnp.mean(jnp.tanh((energy + w) / (2 * temperature)) * coherence, axis=-1)
