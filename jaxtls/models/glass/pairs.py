"""Computes reduced density matrices of all pairs at once: O(N) for each element and time, memory bounded by chunks.

An element of rho_ij is a product over the other sites k of what k's relaxation makes of the phase that the coherent
ones among i, j give it. With one of them coherent the factors come from an N x N table; with both,
phi_k = 4 (J_ik ± J_jk), and the products over k are the only loop over pairs x N: at f = 0 of tabulated phases alone,
as e^{-2wt} = e^{-G t} e^{2 i phi t} splits into a factor of i and one of j.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from ..._platform import platform
from ...numerics.decays import decay
from ...quantum import _wootters
from .relaxation import Sites, kept, traced_out

# Elements of an (N, N, times) table held at once, and of a (rows, N, times) block of the loop over pairs and partners.
_TABLE = 2**18
_BLOCK = 2**15
# Partners in one step of that loop above T = 0: their product is made without leaving the processor. (At T = 0 the
# factors come from tables, and one at a time is quicker.)
PARTNERS = 4
_LEAST_TIMES = 8


def over_time_chunks(f: Callable[[Array], Array], ts: Array, n_sites: int) -> Array:
    """Computes f(ts) -> (T, ...) on chunks of times that bound its memory, forward and backward."""
    size = max(_TABLE // n_sites**2, min(_LEAST_TIMES, 8 * _TABLE // n_sites**2), 1)
    n_chunks = -(-ts.shape[0] // size)
    if n_chunks <= 1:
        return f(ts)
    size = -(-ts.shape[0] // n_chunks)
    padded = jnp.pad(ts, (0, n_chunks * size - ts.shape[0]), mode="edge").reshape(n_chunks, size)
    out = jax.lax.map(jax.checkpoint(f), padded)
    return out.reshape(n_chunks * size, *out.shape[2:])[: ts.shape[0]]


def one_coherent(sites: Sites, shifts: Array, ts: Array, coherence: Array) -> tuple[Array, Array, Array]:
    """Gives site i coherent, <+|.|->, with j kept up, or down, (N_j, N_i, T) each, and with all traced out, (N, T).

    `coherence` is that of each site alone.
    """
    horizon = jnp.max(ts)
    phi = shifts[:, :, None]
    up, down = kept(sites.along(0, 3), phi, ts, horizon)  # [partner k, coherent i, t]
    itself = jnp.eye(shifts.shape[0], dtype=bool)[:, :, None]
    factor = jnp.where(itself, 1.0, up + down)
    others, everyone = _products_of_the_others(factor)
    alone = coherence[None] * others
    return alone * up, alone * down, coherence * everyone


def lone_sites(sites: Sites, ts: Array) -> tuple[Array, Array, Array]:
    """Gives what each site does without partners: p+, p- and <+|rho|->, (N, T) each.

    These tables are finished before larger ones are made of them: a compiler that fuses the two would compute each
    entry here again for every partner. A barrier does that on a GPU; on a CPU fusion looks past it, but not past a
    loop, of two steps.
    """

    def some(site: Sites) -> tuple[Array, Array, Array]:
        up, down = kept(site, jnp.zeros_like(site.bias), ts, jnp.max(ts))
        return up.real, down.real, site.coherence * decay((site.total / 2 - 1j * site.frequencies) * ts[None, :])

    if platform() != "cpu":
        return jax.lax.optimization_barrier(some(sites.along(0, 2)))
    n = sites.bias.shape[0]
    halves = jax.tree.map(lambda x: jnp.pad(x, (0, n % 2), mode="edge").reshape(2, -1, 1), sites)
    return jax.tree.map(lambda x: x.reshape(-1, ts.shape[0])[:n], jax.lax.map(some, halves))


def _products_of_the_others(factor: Array) -> tuple[Array, Array]:
    """Multiply over the leading axis without one entry, for each entry, and with all. Never by division."""
    step = lambda product, x: (product * x, product)
    one = jnp.ones_like(factor[0])
    everyone, before = jax.lax.scan(step, one, factor)
    after = jax.lax.scan(step, one, factor, reverse=True)[1]
    return before * after, everyone


def both_coherent(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives products over k of the factors of both-coherent pairs, (N, N, T): i < j for phi_ik + phi_jk, i > j for the
    difference phi_ik - phi_jk."""
    n, n_times = shifts.shape[0], ts.shape[0]
    rows = max(1, min(n, _BLOCK // (n * n_times)))
    n_blocks = -(-n // rows)
    rows = -(-n // n_blocks)
    phases = None
    if not sites.thermal:
        own = sites.along(0, 3)
        phases = decay((own.total / 2 - 2j * shifts[:, :, None]) * ts[None, None, :])
    block = jax.checkpoint(partial(_rows_of_products, sites, shifts, ts, phases))
    index = jnp.minimum(jnp.arange(n_blocks * rows), n - 1).reshape(n_blocks, rows)
    out = jax.lax.map(block, index) if n_blocks > 1 else block(index[0])
    return out.reshape(n_blocks * rows, n, n_times)[:n]


def _rows_of_products(sites: Sites, shifts: Array, ts: Array, phases: Array | None, rows: Array) -> Array:
    """Give the rows i of `both_coherent`."""
    # Derivatives of loops in loops compute ahead what does not depend on the rows, as tables for all k: not this.
    sites, shifts, ts, phases, rows = jax.lax.optimization_barrier((sites, shifts, ts, phases, rows))
    partners = jnp.arange(shifts.shape[0])
    plus = rows[:, None] < partners
    phi = shifts[:, rows][:, :, None] + jnp.where(plus, 1.0, -1.0) * shifts[:, None, :]  # [k, i, j]
    rate, amplitude, w = traced_out(sites.along(0, 3), phi, jnp.max(ts))
    k = partners[:, None, None]
    excluded = (k == rows[:, None]) | (k == partners)
    amplitude = jnp.where(excluded, 0.0, amplitude)
    total_rate = jnp.sum(jnp.where(excluded, 0.0, rate), axis=0)
    tables = () if phases is None else (phases[:, rows], phases)
    return _product(w, amplitude, ts, tables, plus) * decay(-total_rate[:, :, None] * ts)


@jax.custom_jvp
def _product(w: Array, amplitude: Array, ts: Array, tables: tuple[Array, ...], plus: Array) -> Array:
    """Multiply over k f = 1 + a (e^{-2wt} - 1), (i, j, t), for w and a [k, i, j]: a scan with carry (i, j, t)."""
    together = 1 if tables else PARTNERS

    def step(product: Array, several: tuple) -> tuple[Array, None]:
        for m in range(together):
            w, amplitude, *phases = jax.tree.map(lambda x, m=m: x[m], several)
            product = product * _factor(amplitude, _relaxed(w, ts, phases, plus))
        return product, None

    def grouped(x: Array) -> Array:  # partners that are missing in the last step have amplitude zero
        n_steps = -(-x.shape[0] // together)
        padding = [(0, n_steps * together - x.shape[0])] + [(0, 0)] * (x.ndim - 1)
        return jnp.pad(x, padding).reshape(n_steps, together, *x.shape[1:])

    one = jnp.ones((*w.shape[1:], ts.shape[0]), w.dtype)
    return jax.lax.scan(step, one, jax.tree.map(grouped, (w, amplitude, *tables)))[0]


@partial(_product.defjvp, symbolic_zeros=True)
def _product_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Give the product times the sum of df/f, in w at any temperature, as another loop: its reverse makes each
    exponential once, keeps no table of them and sums over times at once. No f is zero, and a product's rounding is
    relative; only second derivatives lose digits, as 1/|f|."""
    w, amplitude, ts, tables, plus = primals
    product = _product(*primals)
    still = lambda x: isinstance(x, SymbolicZero)
    moving = tuple(None if still(x) else x for x in tangents[:2])
    dts = None if still(tangents[2]) else tangents[2]

    def step(total: Array, k: tuple) -> tuple[Array, None]:
        w, amplitude, (dw, damplitude), phases = k
        relaxed = _relaxed(w, ts, phases, plus)
        factor = _factor(amplitude, relaxed)
        inverse = factor.conj() / (factor.real**2 + factor.imag**2)
        slope = jax.lax.optimization_barrier(relaxed * inverse)
        if damplitude is not None:
            total = total + (slope - inverse) * damplitude[..., None]
        if dw is not None:
            total = total - 2 * ts * slope * (amplitude * dw)[..., None]
        if dts is not None:
            total = total - 2 * dts * slope * (amplitude * w)[..., None]
        return total, None

    zero = jnp.zeros_like(product)
    total, _ = jax.lax.scan(jax.checkpoint(step, prevent_cse=False), zero, (w, amplitude, moving, tables))
    return product, product * total


def _relaxed(w: Array, ts: Array, tables: Sequence[Array], plus: Array) -> Array:
    """Give e^{-2wt}, (i, j, t); at T = 0 from tables of e^{-2wt} for the phases of i alone and of j alone."""
    if not tables:
        return decay(2 * w[..., None] * ts)
    of_i, of_j = tables[0][:, None], tables[1]
    return of_i * jnp.where(plus[..., None], of_j, of_j.conj())


def _factor(amplitude: Array, relaxed: Array) -> Array:
    """Give 1 + a (e^{-2wt} - 1), with a number too small to matter in place of zero."""
    factor = (1 - amplitude[..., None]) + amplitude[..., None] * relaxed
    return jnp.where(factor == 0, jnp.finfo(factor.dtype).tiny ** 0.45, factor)


def pair_indices(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Lists i < j in lexicographic order, (P,) each."""
    return np.triu_indices(n, 1)


def pair_entries(sites: Sites, shifts: Array, ts: Array) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Gives rho_ij for i < j by its diagonal and what is above it, row by row, in the basis ++, +-, -+, --.

    Each is (N, N, T), with i along the first axis; only i < j is meant to be read.
    """
    alone = lone_sites(sites, ts)
    second_up, second_down, _ = one_coherent(sites, shifts, ts, alone[2])
    first_up, first_down = jnp.swapaxes(second_up, 0, 1), jnp.swapaxes(second_down, 0, 1)
    products = both_coherent(sites, shifts, ts)
    # Laid out for pairs once: in the backward pass each use would be a sum of its own.
    of_i, of_j = ([jnp.broadcast_to(jnp.expand_dims(x, k), products.shape) for x in alone] for k in (1, 0))
    both = of_i[2] * of_j[2] * products
    # Row j > i of the products has phi_jk - phi_ik, the conjugate of what stands in +- , -+.
    opposite = of_i[2] * (of_j[2] * jnp.swapaxes(products, 0, 1)).conj()
    diagonal = tuple(x * y for x in of_i[:2] for y in of_j[:2])
    return diagonal, (second_up, first_up, both, opposite, first_down, second_down)


def pair_rows(table: Array) -> Array:
    """Gives the rows i < j of an (N, N, ...) table in lexicographic order, (P, ...)."""
    i, j = pair_indices(table.shape[0])
    flat = table.reshape(-1, *table.shape[2:])
    return flat.at[i * table.shape[0] + j].get(mode="promise_in_bounds")


def pair_matrices(sites: Sites, shifts: Array, ts: Array) -> Array:
    """Gives all rho_ij, i < j, as (T, P, 4, 4)."""
    entries = jax.tree.map(lambda table: pair_rows(table).T, pair_entries(sites, shifts, ts))
    # A compiler that fuses the two reads each table once for each of the sixteen.
    return _wootters.unpacked(jax.lax.optimization_barrier(entries), axis=-1)
