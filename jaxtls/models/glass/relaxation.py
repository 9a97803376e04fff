"""Relaxes one TLS while its partners' coherence turns its phase: the factors that all of the glass is made of.

A site k seen by coherent sites evolves by e^{Mt} on its populations (p+, p-), with the phase rate phi that they exert,

    M = [[-G- - i phi, G+], [G-, -G+ + i phi]],   G+ = Delta (1 + f), G- = Delta f, Delta = 4 eps Y.

With w² = b² + G+ G-, b = Delta/2 - i phi, G = G+ + G-, q = (Delta - i phi)/(w + G/2) and lambda = w - G/2 = -i phi q,

    traced out:  (1,1) e^{Mt} p = e^{lambda t} (1 + a (e^{-2wt} - 1)),   a = i phi (z - q)/2w,   z = p+ - p-
    kept:        e^{Mt} p = e^{lambda t} [[1 - v D, G+ D], [G- D, e^{-2wt} + v D]] p,   D = (1 - e^{-2wt})/2w,
                 v = w - b = G+ G-/(w + b)

written so that nothing cancels: small populations keep their relative accuracy, on which concurrence depends, and the
traced-out factor is exactly one at phi = 0. At f = 0: w = b, q = 1, v = 0.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ...numerics.decays import decay, mean_decay
from ...numerics.quotients import reciprocal, root


class Sites(eqx.Module):
    """Holds N TLSs, their rates and initial state, each an array with the sites along one axis."""

    frequencies: Array  # (N,)
    bias: Array  # (N,): Delta = G+ - G-
    loss: Array  # (N,): G-
    populations: tuple[Array, Array]  # (N,) each: p+, p-
    polarization: Array  # (N,): z
    coherence: Array  # (N,) complex: <+|rho|->
    thermal: bool = eqx.field(static=True)  # False: every G- is zero

    @property
    def gain(self) -> Array:
        """Gives G+ of each site, (N,)."""
        return self.bias + self.loss

    @property
    def total(self) -> Array:
        """Gives G+ + G-, (N,)."""
        return self.bias + 2 * self.loss

    def take(self, index: Array) -> Sites:
        """Takes the same with sites reordered or left out."""
        return jax.tree.map(lambda x: x[index], self)

    def along(self, axis: int, ndim: int) -> Sites:
        """Lays the sites along one axis of arrays of ndim axes."""
        return jax.tree.map(lambda x: x.reshape(tuple(-1 if k == axis else 1 for k in range(ndim))), self)

    def over(self, phi: Array) -> Sites:
        """Broadcasts all to the shape of phi, once: in the backward pass each use of a number would be a sum of its
        own."""
        return jax.tree.map(lambda x: jnp.broadcast_to(x, phi.shape), self)


def _roots(sites: Sites, phi: Array, horizon: Array) -> tuple[Array, Array, Array, Array]:
    """Give w, q, v and where G and phi are too small to have had an effect of second order by the time `horizon`.

    There w, whose square root has no derivative at zero, is replaced by a harmless number.
    """
    slow = (sites.total + jnp.abs(phi)) * horizon < jnp.finfo(phi.dtype).eps ** 0.5
    b = jnp.where(slow, 1.0, jax.lax.complex(sites.bias / 2, -phi))
    if not sites.thermal:
        return b, jnp.ones_like(b), jnp.zeros_like(b), slow
    product = sites.gain * sites.loss
    w = b * root(1 + product * reciprocal(b * b))
    q = jax.lax.complex(sites.bias, -phi) * reciprocal(w + sites.total / 2)
    return w, q, product * reciprocal(w + b), slow


def traced_out(sites: Sites, phi: Array, horizon: Array) -> tuple[Array, Array, Array]:
    """Gives lambda, a and w of the traced-out factor; sites broadcast against phi, times up to the horizon."""
    sites = sites.over(phi)
    w, q, _, slow = _roots(sites, phi, horizon)
    z = sites.polarization
    rate = -1j * phi * jnp.where(slow, z, q)
    amplitude = jnp.where(slow, 0.0, 0.5j * phi * (z - q) * reciprocal(w))
    return rate, amplitude, w


def kept(sites: Sites, phi: Array, ts: Array, horizon: Array) -> tuple[Array, Array]:
    """Gives e^{Mt} p: the two components, complex, for phi and sites of shape (..., 1) and times (T,) -> (..., T)."""
    sites = sites.over(phi)
    w, q, v, slow = _roots(sites, phi, horizon)
    ts = ts.reshape((1,) * (phi.ndim - 1) + ts.shape)
    up, down = sites.populations
    gain, loss = sites.gain, sites.loss
    phase = decay(1j * phi * q * ts)
    relaxed = decay(2 * w * ts) if sites.thermal else phase.conj() ** 2 * jnp.exp(-sites.total * ts)
    mean = ts * mean_decay(2 * w * ts, relaxed)
    plus = phase * (up * (1 - v * mean) + down * (gain * mean))
    minus = phase * (up * (loss * mean) + down * (relaxed + v * mean))
    # Where nothing has happened yet, to second order: the exponential of the diagonal, and one jump.
    x, y = -(loss + 1j * phi) * ts, -(gain - 1j * phi) * ts
    early_plus = up * (1 + x + x**2 / 2) + down * gain * ts
    early_minus = down * (1 + y + y**2 / 2) + up * loss * ts
    return jnp.where(slow, early_plus, plus), jnp.where(slow, early_minus, minus)
