"""Makes records of the relaxation rate while the TLSs' fluctuators switch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..fluctuators.sampling import trajectory
from .chunks import over_tls
from .rates import chunk_for, exchange


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
    """Gives Gamma_1 at times ts and frequencies w, (T, W). Each TLS has a key of its own: chunks change no answer."""
    numbers = jnp.arange(frequencies.shape[0], dtype=jnp.uint32)

    def term(rows: tuple[Array, ...]) -> Array:
        f, g, width, shift, u, d, number = rows
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, number)
        states = jax.vmap(lambda key, u, d: trajectory(key, u, d, ts, None), out_axes=1)(keys, u, d)
        moved = f + jnp.sum(shift * states, axis=-1)
        return jnp.sum(exchange(g[:, None], width[:, None], w - moved[..., None]), axis=1)

    rows = frequencies, couplings, widths, shifts, up, down, numbers
    fills = (0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0)
    return over_tls(term, rows, fills, chunk_for(ts.size * (w.size + 4 * shifts.shape[1])))
