r"""Computes the exact likelihood of a noisy record: the forward algorithm over the 2^K joint states, in logarithms.

    L_1 = ln p + e_1,    L_i(s') = ln sum_s P_i(s -> s') e^{L_{i-1}(s)} + e_i(s')

P is a Kronecker product, so that a step is K sweeps over pairs of states: K 2^K operations. In a linear scale a path
that one sample makes unlikely, and the next one the only possible, would be lost.

Source: L. R. Rabiner, Proc. IEEE 77, 257 (1989).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from ...numerics.products import matmul

MOST_JOINT = 16  # fluctuators whose joint states are still followed: 65536 states
_NEVER = -1e30  # ln 0: finite, so that differences and derivatives are
# Numbers of a block of steps (times joint states) that reverse mode keeps; of others only their last state.
_BLOCK = 2**17


def levels(amplitudes: Array) -> Float[Array, " S"]:
    """Gives xi of the 2^K joint states: the first fluctuator slowest, -1 before +1."""
    xi = jnp.zeros(1, amplitudes.dtype)
    for a in amplitudes:
        xi = (xi[:, None] + jnp.stack([-a, a])[None, :]).reshape(-1)
    return xi


@jax.custom_jvp
def log_mix(l0: Array, p0: Array, l1: Array, p1: Array) -> Array:
    """Gives ln(p0 e^l0 + p1 e^l1) with probabilities p that may be 0, also for the derivative by them."""
    a, b = l0 + _log(p0), l1 + _log(p1)
    return jnp.maximum(a, b) + jnp.log1p(jnp.exp(-jnp.abs(a - b)))


@log_mix.defjvp
def _log_mix_jvp(
    primals: tuple[Array, Array, Array, Array], tangents: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    l0, p0, l1, p1 = primals
    dl0, dp0, dl1, dp1 = tangents
    value = log_mix(l0, p0, l1, p1)
    # Beyond this a probability is 0, and then its derivative by the parameters mostly is: infinity would make nan.
    most = 0.9 * math.log(float(jnp.finfo(value.dtype).max))
    w0, w1 = jnp.exp(jnp.minimum(l0 - value, most)), jnp.exp(jnp.minimum(l1 - value, most))
    return value, w0 * (p0 * dl0 + dp0) + w1 * (p1 * dl1 + dp1)


def _log(p: Array) -> Array:
    return jnp.where(p > 0, jnp.log(jnp.where(p > 0, p, 1.0)), _NEVER)


def _lifted(up: Array, down: Array) -> tuple[Array, Array]:
    """Lift rates off zero by what no value shows: the derivative by a rate of 0 is then that of its only switching."""
    least = math.sqrt(float(jnp.finfo(up.dtype).tiny)) * (up + down)
    return up + least, down + least


def _step(log_p: Array, up: tuple[Array, Array], down: tuple[Array, Array]) -> Array:
    """Make one step of all fluctuators; up = (P(- to +), P(+ to +)), down = (P(- to -), P(+ to -)), (K,) each."""
    shape = log_p.shape
    for k in range(up[0].shape[0]):
        pairs = log_p.reshape(2**k, 2, -1)
        low, high = pairs[:, 0], pairs[:, 1]
        falls = log_mix(low, down[0][k], high, down[1][k])
        rises = log_mix(low, up[0][k], high, up[1][k])
        log_p = jnp.stack([falls, rises], axis=1)
    return log_p.reshape(shape)


def _stationary(up: Array, down: Array) -> Array:
    """Give ln p of the joint states before the first sample."""
    log_p = jnp.zeros(1, up.dtype)
    for u, d in zip(up, down, strict=True):
        each = _log(jnp.stack([d, u]) / (u + d))
        log_p = (log_p[:, None] + each[None, :]).reshape(-1)
    return log_p


def log_likelihood_of_emissions(up: Array, down: Array, dt: Array, emissions: Float[Array, "T S"]) -> Array:
    """Gives ln of the sum over all paths, from the log-densities of each sample in each joint state; dt is (T - 1,)."""
    first = _stationary(up, down) + emissions[0]
    return jax.nn.logsumexp(_blocks(up, down, dt, emissions[1:], lambda rows: rows, first))


@eqx.filter_jit
def log_likelihood(
    amplitudes: Array, up: Array, down: Array, ts: Array, signal: Array, sigma: Array, offset: Array
) -> Array:
    """Gives ln L of a record, () ; sigma is (T,)."""
    xi = levels(amplitudes)
    up, down = _lifted(up, down)

    def emissions(rows: tuple[Array, Array]) -> Array:
        y, s = rows
        return normal_log_density(y[:, None] - offset - xi[None, :], s[:, None])

    first = _stationary(up, down) + emissions((signal[:1], sigma[:1]))[0]
    return jax.nn.logsumexp(_blocks(up, down, jnp.diff(ts), (signal[1:], sigma[1:]), emissions, first))


@eqx.filter_jit
def posterior(
    amplitudes: Array, up: Array, down: Array, ts: Array, signal: Array, sigma: Array, offset: Array
) -> Float[Array, "T K"]:
    """Gives <s_k> at every time for the whole record: ln L by the emissions' logarithms is the states' probability."""
    xi = levels(amplitudes)
    up, down = _lifted(up, down)
    e = normal_log_density(signal[:, None] - offset - xi[None, :], sigma[:, None])
    p = jax.grad(log_likelihood_of_emissions, argnums=3)(up, down, jnp.diff(ts), e)
    sign = jnp.stack([levels(jnp.eye(up.size, dtype=xi.dtype)[k]) for k in range(up.size)], axis=1)
    return matmul(p, sign)


def normal_log_density(deviation: Array, sigma: Array) -> Array:
    """Gives ln of the normal density."""
    return -0.5 * (deviation / sigma) ** 2 - jnp.log(sigma) - 0.5 * math.log(2 * math.pi)


def _blocks(
    up: Array, down: Array, dt: Array, rows: PyTree[Array], emissions: Callable[[PyTree[Array]], Array], log_p: Array
) -> Array:
    """Give log_p after all steps, in blocks that reverse mode computes again."""
    rate = up + down

    def run(log_p: Array, block: tuple[Array, PyTree[Array], Array]) -> tuple[Array, None]:
        dt, rows, is_real = block
        x = rate[None, :] * dt[:, None]
        keep, forget = jnp.exp(-x), -jnp.expm1(-x)
        rise, fall = (up / rate)[None, :] * forget, (down / rate)[None, :] * forget
        e = jnp.where(is_real[:, None], emissions(rows), 0.0)

        def one(log_p: Array, now: tuple[Array, Array, Array, Array]) -> tuple[Array, None]:
            rise, fall, keep, e = now
            return _step(log_p, (rise, rise + keep), (fall + keep, fall)) + e, None

        return jax.lax.scan(one, log_p, (rise, fall, keep, e))[0], None

    n = dt.shape[0]
    if n == 0:
        return log_p
    least = math.ceil(n * log_p.size / _BLOCK)
    count = 1 if least <= 1 else math.ceil(math.sqrt(n))
    size = -(-n // count)
    pad = count * size - n

    def cut(x: Array) -> Array:
        return jnp.pad(x, [(0, pad)] + [(0, 0)] * (x.ndim - 1), mode="edge").reshape(count, size, *x.shape[1:])

    is_real = (jnp.arange(count * size) < n).reshape(count, size)
    blocks = (jnp.where(is_real, cut(dt), 0.0), jax.tree.map(cut, rows), is_real)
    if count == 1:
        return run(log_p, jax.tree.map(lambda x: x[0], blocks))[0]
    return jax.lax.scan(jax.checkpoint(run), log_p, blocks)[0]
