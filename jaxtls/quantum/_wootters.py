"""Gives Wootters' concurrence of (..., 4, 4) density matrices with relative accuracy, no branches, no eigensolvers.

Concurrence moves as the square root of an error in rho, so eigenvalues of rho rho~ lose half of the digits. Here rho
is balanced by a local filter, factored as L L†, and the singular values of tau = L^T (sy ⊗ sy) L come from one-sided
Jacobi rotations. Everything is elementwise over the batch, and inside this file the batch axis comes last, (4, 4, n),
so that the innermost loops are long.

Most pairs of a large system are not entangled, and the sign of det(rho^{T_B}) tells which: only states that it does not
clear beyond rounding go through the rotations, gathered into chunks, so that memory stays small for millions of states.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._platform import platform
from ..numerics.turns import turned
from ..numerics.written import read, written

_SWEEPS = 4
# Matrices rotated together: their 4 x 4 entries fill a CPU core's cache.
_CHUNK = 1024
_DEVICE_CHUNK = 2**16
# Hermitian matrices by four real arrays, the diagonal, and six complex ones, above it row by row; each (n,).
Entries = tuple[tuple[Array, ...], tuple[Array, ...]]
# sigma_y ⊗ sigma_y is antidiagonal: entry i of (sy ⊗ sy) v is _FLIP[i] times entry 3 - i of v.
_FLIP = np.array([-1.0, 1.0, 1.0, -1.0])


def _rows(values: np.ndarray | Array, like: Array) -> Array:
    """Lay a vector along the first axis of `like`."""
    return jnp.asarray(values).reshape(-1, *(1,) * (like.ndim - 1))


def _square(x: Array) -> Array:
    """Take |x|² without the root that an absolute value takes."""
    return x.real**2 + x.imag**2


def _flip(columns: Array) -> Array:
    """Apply sy ⊗ sy to columns (n, 4, ...)."""
    return columns[:, ::-1] * _rows(_FLIP, columns[0]).astype(columns.dtype)


def _balance(rho: Array) -> tuple[Array, Array]:
    """Give a filter F = diag(1, a) ⊗ diag(1, b) / scale as its diagonal (4, ...), and ab/scale², to multiply C by.

    It evens out the marginal populations and sets the trace to one, so that no entry is small only for lying low.
    """
    d = [jnp.maximum(jnp.real(rho[i, i]), 0.0) for i in range(4)]
    limit = float(jnp.finfo(rho.dtype).tiny) ** 0.4

    def ratio(top, bottom):
        good = (top > 0) & (bottom > 0)
        return jnp.where(good, jnp.clip(top / jnp.where(good, bottom, 1.0), limit, 1 / limit), 1.0)

    a2 = b2 = jnp.ones_like(d[0])
    for _ in range(2):
        a2 = ratio(d[0] + b2 * d[1], d[2] + b2 * d[3])
        b2 = ratio(d[0] + a2 * d[2], d[1] + a2 * d[3])
    trace = d[0] + b2 * d[1] + a2 * (d[2] + b2 * d[3])
    trace = jnp.where(trace > 0, trace, 1.0)
    return jnp.sqrt(jnp.stack([jnp.ones_like(a2), b2, a2, a2 * b2]) / trace), jnp.sqrt(a2 * b2) / trace


def _cholesky(rho: Array) -> Array:
    """Give columns l[j] of lower triangular L, L L† = rho; a pivot within rounding of zero gives a zero column.

    A loop rather than 4 unrolled steps, which fused into one kernel would recompute each other exponentially often.
    """
    index = _rows(np.arange(4), rho[0])
    diagonal = jnp.stack([jnp.real(rho[i, i]) for i in range(4)])

    def step(j, rest):
        pivot = jnp.real(rest[j, j])
        good = pivot > 4 * jnp.finfo(rho.dtype).eps * diagonal[j]
        column = rest[:, j] * (1 / jnp.sqrt(jnp.where(good, pivot, 1.0)))
        column = jnp.where(good & (index >= j), column, 0.0)
        # Of what is left a finished column is not read again: the factor's stands there.
        return (rest - column[:, None] * column[None].conj()).at[:, j].set(column)

    return jnp.swapaxes(jax.lax.fori_loop(0, 4, step, rho), 0, 1)


def _shift(l: Array) -> Array:
    """Factor L L† + eps by four rank-one updates: in the factor the shift is sqrt(eps), well above rounding.

    It opens the null space of rank-deficient states, where the derivative is a limit; the error is of order sqrt(eps).
    """
    root_eps = float(jnp.finfo(l.dtype).eps) ** 0.5
    index = _rows(np.arange(4), l[0])

    def step(i, carry):
        l, x = carry
        j = i % 4
        x = jnp.where(j == 0, jnp.where(index == i // 4, root_eps, 0.0).astype(l.dtype), x)
        column = l[j]
        diagonal, extra = jnp.real(column[j]), x[j]
        r = jnp.sqrt(diagonal**2 + _square(extra))
        inverse = 1 / jnp.where(r > 0, r, 1.0)
        c, s = jnp.where(r > 0, diagonal * inverse, 1.0), jnp.where(r > 0, extra * inverse, 0.0)
        return l.at[j].set(c * column + s.conj() * x), c * x - s * column

    return jax.lax.fori_loop(0, 16, step, (l, jnp.zeros_like(l[0])))[0]


def _rotate(x: Array, y: Array) -> tuple[Array, Array]:
    """Mix columns of x and of y (2, rows, ...), pair by pair, so that their first four rows are orthogonal."""
    top_x, top_y = x[:, :4], y[:, :4]
    gamma = jnp.sum(top_x.conj() * top_y, axis=1, keepdims=True)
    size = jnp.abs(gamma)
    active = size > jnp.finfo(size.dtype).tiny
    safe = jnp.where(active, size, 1.0)
    phase = jnp.where(active, gamma.conj() * (1 / safe), 1.0)
    zeta = jnp.sum(_square(top_y) - _square(top_x), axis=1, keepdims=True) / (2 * safe)
    t = jnp.where(active, jnp.where(zeta >= 0, 1.0, -1.0) / (jnp.abs(zeta) + jnp.sqrt(1 + zeta**2)), 0.0)
    c = 1 / jnp.sqrt(1 + t**2)
    y = phase * y
    return c * x - c * t * y, c * t * x + c * y


def _decompose(l: Array, with_vectors: bool) -> tuple[Array, Array]:
    """Give singular values s (4, ...) of tau = L^T (sy ⊗ sy) L, and columns of w = L V for its right vectors V."""
    # A plain sum keeps the small entries of a graded tau accurate relative to themselves, on every device.
    tau = jnp.sum(l[:, None] * _flip(l)[None], axis=2)
    stacked = jnp.concatenate([tau, l], axis=1) if with_vectors else tau

    def step(_, pair):
        x, y = _rotate(*pair)
        # Round robin: three steps bring each column together with each other one, two pairs at a time.
        return jnp.stack([x[0], y[0]]), jnp.stack([y[1], x[1]])

    rotated = jnp.concatenate(jax.lax.fori_loop(0, 3 * _SWEEPS, step, (stacked[:2], stacked[2:])))
    return jnp.sqrt(jnp.sum(_square(rotated[:, :4]), axis=1)), rotated[:, 4:]


def _balanced_factor(rho: Array) -> tuple[Array, Array, Array]:
    f, scale = _balance(rho)
    return _cholesky(rho * f[:, None] * f[None]), f, scale


def _wootters(rho: Array) -> Array:
    l, _, scale = _balanced_factor(rho)
    s, _ = _decompose(l, with_vectors=False)
    return jnp.maximum(2 * jnp.max(s, axis=0) - jnp.sum(s, axis=0), 0.0) / scale


def _slope(rho: Array) -> Entries:
    """Give K of dC = Re sum K^T d rho."""
    l, f, scale = _balanced_factor(rho)
    s, w = _decompose(_shift(l), with_vectors=True)
    # rho = sum_i w_i w_i† with w_i^T (sy ⊗ sy) w_j = s_i delta_ij up to phases, so ds_i = <w~_i| d rho |w~_i> / s_i,
    # w~ = (sy ⊗ sy) w*: the usual A^-† V S V† A^-1 without an inverse.
    sign = jnp.where(_rows(np.arange(4), s) == jnp.argmax(s, axis=0), 1.0, -1.0)
    tilde = _flip(w.conj())
    weight = sign / jnp.where(s > 0, s, 1.0)
    k = jnp.sum((tilde * weight[:, None])[:, :, None] * tilde.conj()[:, None], axis=0)
    # Below rounding (of the balanced state) there is no entanglement to differentiate.
    entangled = _wootters(rho) * scale > 8 * jnp.finfo(s.dtype).eps
    return packed(jnp.where(entangled, k * (f[:, None] * f[None] / scale), 0.0))


def packed(rho: Array) -> Entries:
    """Packs the Hermitian part of (4, 4, n) matrices by its diagonal and what is above it, row by row."""
    rows, columns = np.triu_indices(4, 1)
    diagonal = tuple(jnp.real(rho[i, i]) for i in range(4))
    return diagonal, tuple((rho[i, j] + rho[j, i].conj()) / 2 for i, j in zip(rows, columns))


def unpacked(entries: Entries, axis: int = 0) -> Array:
    """Unpacks the matrices, rows and columns as new axes from `axis` on: (4, 4, ...), or (..., 4, 4) for -1."""
    diagonal, above = entries
    rows, columns = np.triu_indices(4, 1)
    upper = {(int(i), int(j)): x for i, j, x in zip(rows, columns, above)}
    upper |= {(i, i): x.astype(above[0].dtype) for i, x in enumerate(diagonal)}
    every = [upper[i, j] if i <= j else upper[j, i].conj() for i in range(4) for j in range(4)]
    stacked = jnp.stack(every, axis)
    axis %= stacked.ndim
    return stacked.reshape(*stacked.shape[:axis], 4, 4, *stacked.shape[axis + 1 :])


def maybe_entangled(entries: Entries) -> Array:
    """Gives False where det(rho^{T_B}) is positive beyond rounding, so that C = 0; (n,)."""
    d, (ab, ac, ad, bc, bd, cd) = entries
    # The transpose of the second qubit turns ab and cd over and exchanges ad with bc.
    t = [
        [d[0], ab.conj(), ac, bc],
        [ab, d[1], ad, bd],
        [ac.conj(), ad.conj(), d[2], cd.conj()],
        [bc.conj(), bd.conj(), cd, d[3]],
    ]
    det = jnp.zeros_like(d[0])
    for (i, j), sign in {(0, 1): 1, (0, 2): -1, (0, 3): 1, (1, 2): 1, (1, 3): -1, (2, 3): 1}.items():
        k, l = (c for c in range(4) if c not in (i, j))
        upper, lower = t[0][i] * t[1][j] - t[0][j] * t[1][i], t[2][k] * t[3][l] - t[2][l] * t[3][k]
        det = det + sign * jnp.real(upper * lower)
    # As rho is positive no product in the determinant exceeds this; some 150 roundings enter it.
    largest = (d[0] * d[3] + d[1] * d[2]) ** 2
    limits = jnp.finfo(det.dtype)
    return ~(det > 256 * limits.eps * largest + limits.tiny)


def _where_flagged(f: Callable[[Array], PyTree], entries: Entries) -> PyTree:
    """Apply f, from (4, 4, n) to arrays (n,), where a state may be entangled, chunk by chunk; zero elsewhere."""
    flags = maybe_entangled(entries)
    n = flags.shape[0]
    if n == 0:
        return f(unpacked(entries))
    chunk = min(n, _CHUNK if platform() == "cpu" else _DEVICE_CHUNK)
    rank = jnp.cumsum(flags, dtype=jnp.int32)
    slot = jnp.where(flags, rank - 1, n)
    empty = jnp.full(-(-n // chunk) * chunk, n, jnp.int32)
    index = empty.at[slot].set(jnp.arange(n, dtype=jnp.int32), mode="drop", unique_indices=True)
    shapes = jax.eval_shape(lambda e: f(unpacked(e)), entries)

    def step(done, out):
        at = jax.lax.dynamic_slice_in_dim(index, done * chunk, chunk)
        # Slots beyond the last flagged state repeat the last state and are dropped.
        part = f(unpacked(jax.tree.map(lambda x: x.at[at].get(mode="clip"), entries)))
        return jax.tree.map(lambda o, p: o.at[at].set(p, mode="drop"), out, written(part))

    start = written(jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes))
    found = turned(-(-rank[-1] // chunk), step, start)
    return read(found, shapes)


def _flattened_vmap(f: Callable[[Entries], PyTree]) -> Callable[[Entries], PyTree]:
    """Under vmap the mapped axis joins the batch axis: one list of matrices, one loop over what is left of it."""
    wrapped = jax.custom_batching.custom_vmap(f)

    @wrapped.def_vmap
    def rule(size, batched, entries):
        full = lambda x, mapped: x if mapped else jnp.broadcast_to(x, (size, *x.shape))
        out = wrapped(jax.tree.map(lambda x, mapped: full(x, mapped).reshape(-1), entries, batched[0]))
        out = jax.tree.map(lambda x: x.reshape(size, -1), out)
        return out, jax.tree.map(lambda _: True, out)

    return wrapped


@_flattened_vmap
def _values(entries: Entries) -> Array:
    return _where_flagged(_wootters, entries)


@_flattened_vmap
def _slopes(entries: Entries) -> Entries:
    return _where_flagged(_slope, entries)


@jax.custom_jvp
def concurrence(entries: Entries) -> Array:
    """Computes max(0, s1 - s2 - s3 - s4) of Hermitian matrices, `packed` arrays (n,); NaN where entries are not
    finite."""
    diagonal, above = entries
    total = sum(diagonal) + sum(jnp.real(x) + jnp.imag(x) for x in above)
    return jnp.where(jnp.isfinite(total), _values(entries), jnp.nan)


@concurrence.defjvp
def _concurrence_jvp(primals, tangents):
    (entries,), ((d_diagonal, d_above),) = primals, tangents
    k_diagonal, k_above = _slopes(entries)
    slope = sum(k * d for k, d in zip(k_diagonal, d_diagonal))
    return concurrence(entries), slope + 2 * sum(jnp.real(k.conj() * d) for k, d in zip(k_above, d_above))
