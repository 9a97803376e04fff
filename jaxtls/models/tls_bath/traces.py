"""Records of the relaxation rate while the TLSs' fluctuators switch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .chunks import over_tls
from .rates import chunk_for, exchange


def telegraph(key: Array, ts: Array, up: Array, down: Array) -> Array:
    """States ±1 of stationary telegraph processes at ascending times, (T, M), exact at any spacing.

    Each step is one of the four maps of {+, -} to itself, and maps compose: a scan of logarithmic depth.
    """
    total = up + down
    likely = up / total
    steps = jnp.diff(ts, prepend=ts[0])[:, None]
    lost = -jnp.expm1(-total * steps)
    draw = jax.random.uniform(key, (ts.shape[0], up.shape[0]), dtype=ts.dtype)
    # the first "step" forgets everything: the stationary state
    lost = lost.at[0].set(1.0)
    from_plus, from_minus = draw < 1 - (1 - likely) * lost, draw < likely * lost

    def then(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
        plus, minus = first
        return jnp.where(plus, *second), jnp.where(minus, *second)

    plus, _ = jax.lax.associative_scan(then, (from_plus, from_minus))
    return jnp.where(plus, 1.0, -1.0).astype(up.dtype)


@jax.jit
def trace(
    key: Array,
    ts: Array,
    frequencies: Array,
    couplings: Array,
    widths: Array,
    shifts: Array,
    up: Array,
    down: Array,
    w: Array,
) -> Array:
    """Gamma_1 at times ts and frequencies w, (T, W). Each TLS has a key of its own: chunks change no answer."""
    numbers = jnp.arange(frequencies.shape[0], dtype=jnp.uint32)

    def term(rows: tuple[Array, ...]) -> Array:
        f, g, width, shift, u, d, number = rows
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, number)
        states = jax.vmap(telegraph, (0, None, 0, 0), out_axes=1)(keys, ts, u, d)
        moved = f + jnp.sum(shift * states, axis=-1)
        return jnp.sum(exchange(g[:, None], width[:, None], w - moved[..., None]), axis=1)

    rows = frequencies, couplings, widths, shifts, up, down, numbers
    fills = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0)
    return over_tls(term, rows, fills, chunk_for(ts.size * (w.size + 4 * shifts.shape[1])))
