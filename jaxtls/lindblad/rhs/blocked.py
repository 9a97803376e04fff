"""Makes the right-hand side on the blocks of a density matrix that a constant equation fills, in real numbers.

    d rho_ab/dt = A_a rho_ab + rho_ab A_b† + sum_k r_k L_k rho_(k<-a, k<-b) L_k†,   A = -i H - (1/2) sum_k r_k L_k† L_k

A state is a real array z (P, m, 2, m): block, row, (Re, Im), column, so that a real operator acts on both parts by one
product and rows stay together. What is diagonal in A and in the jumps is one elementwise weight; the rest of A is a
dense product with its mirror image, or a few shifted copies where that is cheaper; the rest of the jumps are shifted
copies of whole blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ...numerics.namespace import namespace
from ...numerics.products import matmul
from ..lindbladian import Lindbladian
from ..storage.diagonals import added
from ..storage.family import Family, Skeleton
from .sectors import Blocks
from .stencil import Shifts, moved, reach, shifted_sum

# Shifted copies written out; more run in a loop, so that code does not grow.
UNROLLED = 16
# A dense product does this many elements' multiplications in the time of one shifted copy.
SHIFT_COST = 4


class Numbers(NamedTuple):
    """Holds the numbers of a Lindbladian, or a share of them."""

    terms: Family
    jumps: Family
    rates: Any


class BlockPlan(eqx.Module):
    """Says where the numbers of a Lindbladian go in the block form: indices are arrays, shapes and shifts static."""

    states: Any  # (B, m), -1 where padded
    pairs: Any  # (P, 2)
    a_places: tuple[Any, ...]  # of H: place of the value, sector, row, column
    a_losses: tuple[Any, ...]  # of L†L: places of both values, jump, sector, row, column
    vectors: tuple[Any, ...]  # of jumps: place of the value, vector, sector, row
    terms: tuple[Any, ...]  # (T,) jump, first vector, second vector, group
    mirror: tuple[int, ...] = eqx.field(static=True)
    # Shifts of the off-diagonal part of A; None: dense.
    offsets: tuple[int, ...] | None = eqx.field(static=True)
    # (source block of each block, -1 for none; row shift; column shift); the first group is the elementwise one.
    groups: tuple[tuple[tuple[int, ...], int, int], ...] = eqx.field(static=True)
    # Whether the weights of a group have real, imaginary parts.
    parts: tuple[tuple[bool, bool], ...] = eqx.field(static=True)
    # How many of the groups jumps fill, the first ones.
    n_fed: int = eqx.field(static=True)
    n_vectors: int = eqx.field(static=True)
    # Whether the off-diagonal A has a real part besides -i H, and an imaginary H.
    mixed: bool = eqx.field(static=True)
    n: int = eqx.field(static=True)

    @classmethod
    def make(cls, terms: Skeleton, jump_ops: Skeleton, blocks: Blocks) -> BlockPlan:
        n, m = len(blocks.block), blocks.size
        h, jumps = terms.entries(), jump_ops.entries()
        block, place = blocks.block, blocks.place
        inside = (block[h.row] >= 0) & (block[h.column] >= 0)
        a_places = (h.place, block[h.row], place[h.row], place[h.column])
        a_places = tuple(part[inside] for part in a_places)
        # L†L: pairs of elements of one row of one jump.
        first, second = _pairs_within(jumps.owner * n + jumps.row)
        kept = (block[jumps.column[first]] >= 0) & (block[jumps.column[second]] >= 0)
        first, second = first[kept], second[kept]
        a_losses = (
            *(jumps.place[first], jumps.place[second], jumps.owner[first]),
            *(block[jumps.column[first]], place[jumps.column[first]], place[jumps.column[second]]),
        )
        rows, columns = np.r_[a_places[2], a_losses[4]], np.r_[a_places[3], a_losses[5]]
        found = np.unique((columns - rows)[columns != rows])
        offsets = tuple(found.tolist()) if SHIFT_COST * len(found) < m else None
        mixed = not terms.is_real or bool(np.any(a_losses[4] != a_losses[5]))
        vectors, pairs, found, n_vectors = _jump_terms(jumps, blocks)
        identity = tuple(range(len(blocks.pairs)))
        sides = [((identity, d, 0), (identity, 0, d)) for d in offsets or ()]
        groups = {
            group: k for k, group in enumerate(dict.fromkeys([*found, *(side for both in sides for side in both)]))
        }
        turning = {side for both in sides for side in both}
        parts = tuple((group in found or mixed, group in turning or not jump_ops.is_real) for group in groups)
        return cls(
            *(blocks.states, blocks.pairs, a_places, a_losses, vectors, pairs),
            tuple(blocks.mirror.tolist()),
            offsets,
            tuple(groups),
            parts,
            len(found),
            n_vectors,
            mixed,
            n,
        )

    @property
    def copies(self) -> int:
        """Counts the elements moved by the jumps in one right-hand side."""
        return len(self.groups) * self.pairs.shape[0] * self.states.shape[1] ** 2

    @property
    def layout(self) -> str:
        """Says how products with A are done, and tells the blocks where there are several."""
        kind, count = "dense" if self.offsets is None else "stencil", len(self.mirror)
        return kind if count == 1 else f"{kind}, {count} blocks of {self.states.shape[1]} levels"

    def pack(self, rho: Any) -> Any:
        """Packs (n, n) complex into z; what lies outside the blocks is left out."""
        blocks = self.blocks_of(rho)
        return namespace(blocks).stack([blocks.real, blocks.imag], 2)

    def blocks_of(self, rho: Any) -> Any:
        """Takes the blocks (P, m, m) of (n, n)."""
        rows, columns = self._rows_and_columns()
        return namespace(rho, self.states).pad(rho, ((0, 1), (0, 1)))[rows, columns]

    def left_out(self, rho: Any) -> Any:
        """Returns the largest element of a state that lies outside the blocks."""
        rows, columns = self._rows_and_columns()
        xp = namespace(rho, rows, columns)
        places = rows * (self.n + 1) + columns
        inside = added(((self.n + 1) ** 2,), (places.reshape(-1),), xp.ones(places.size)).reshape((self.n + 1,) * 2)
        return xp.max(xp.where(inside[:-1, :-1] > 0, 0.0, xp.abs(rho)))

    def unpack(self, z: Array) -> Array:
        """Unpacks z into (n, n) complex."""
        return self.scattered(jax.lax.complex(z[:, :, 0], z[:, :, 1]))

    def scattered(self, blocks: Array) -> Array:
        """Scatters blocks (P, m, m) over (n, n)."""
        rows, columns = self._rows_and_columns()
        return jnp.zeros((self.n, self.n), blocks.dtype).at[rows, columns].set(blocks, mode="drop")

    def split(self, z: Array) -> PyTree:
        """Splits into real and imaginary part."""
        return z[:, :, 0], z[:, :, 1]

    def joined(self, parts: PyTree) -> Array:
        return jnp.stack(parts, 2)

    def operators(self, ops: Any) -> Any:
        """Makes weights (K, P, m, 2, m) complex of (K, n, n), so that Tr(O rho) is the sum of weights * z."""
        blocks = self.transposed_blocks_of(ops)
        return namespace(blocks).stack([blocks, 1j * blocks], 3)

    def transposed_blocks_of(self, ops: Any) -> Any:
        """Takes (K, P, m, m) of (K, n, n), whose sum with blocks of rho is Tr(O rho)."""
        rows, columns = self._rows_and_columns()
        return namespace(ops, self.states).pad(ops, ((0, 0), (0, 1), (0, 1)))[:, columns, rows]

    def rows(self, weights: Array) -> PyTree:
        """Makes weights of z real ones of its parts: of the real part of the sum, then of the imaginary one."""
        return jax.vmap(self.split)(jnp.concatenate([weights.real, weights.imag]))

    def conjugated(self, z: Array) -> Array:
        """Returns z of the Hermitian conjugate."""
        flipped = jnp.swapaxes(z if is_identity(self.mirror) else z[np.asarray(self.mirror)], 1, 3)
        return jnp.stack([flipped[:, :, 0], -flipped[:, :, 1]], 2)

    def hermitian_part(self, z: Array) -> Array:
        """Takes the state without what rounding left beside its Hermitian part."""
        return (z + self.conjugated(z)) / 2

    def _rows_and_columns(self) -> tuple[Any, Any]:
        # Padding stands for a state behind the last one.
        states = namespace(self.states).where(self.states < 0, self.n, self.states)
        return states[self.pairs[:, 0]][:, :, None], states[self.pairs[:, 1]][:, None, :]

    def field(self, model: Lindbladian | Numbers, centre: Any, scale: Any, *, hermitian: bool) -> BlockField:
        """Makes z -> (L - centre) z / scale, with everything made that does not depend on z."""
        n_sectors, m = self.states.shape
        dtype = model.terms.values.dtype
        h, v, rates = model.terms.values.reshape(-1), model.jumps.values.reshape(-1), model.rates
        xp = namespace(h, v, rates, self.states)
        first, second, jump, *where = self.a_losses
        loss = -0.5 * rates[jump] * xp.conj(v[first]) * v[second]
        values = (xp.concatenate([-1j * h[self.a_places[0]], loss]) / scale).astype(dtype)
        sector, row, column = (xp.concatenate([a, b]) for a, b in zip(self.a_places[1:], where))
        on = row == column
        diagonal = added((n_sectors, m), (sector, row), xp.where(on, values, 0))
        off = xp.where(on, 0, values)
        a, b = self.pairs[:, 0], self.pairs[:, 1]
        if self.offsets is None:
            rest = added((n_sectors, m, m), (sector, row, column), off)
        else:
            # One more row takes what lies on the diagonal.
            index = xp.where(on, len(self.offsets), xp.searchsorted(np.asarray(self.offsets, int), column - row))
            rest = added((len(self.offsets) + 1, n_sectors, m), (index, sector, row), off)[:-1]
        places, vector, sector, row = self.vectors
        vectors = added((self.n_vectors, n_sectors, m), (vector, sector, row), v[places])
        jump, first, second, group = self.terms
        left = (rates[jump] / scale).astype(dtype)[:, None, None] * vectors[first][:, a]
        outer = left[:, :, :, None] * xp.conj(vectors[second][:, b])[:, :, None, :]
        weights: dict[int, Any] = dict(enumerate(added((self.n_fed, *outer.shape[1:]), (group,), outer)))
        local = weights[0] + diagonal[a][:, :, None] + xp.conj(diagonal[b])[:, None, :] - centre / scale
        dense = None
        if self.offsets is None:
            dense = (rest[a].real if self.mixed else None, rest[a].imag)
        else:
            # A from the left has a weight for each row, A† from the right one for each column.
            sides = [*(values[a][:, :, None] for values in rest), *(xp.conj(values[b])[:, None, :] for values in rest)]
            for shift, side in zip(self._sides(), sides):
                k = self.groups.index((_identity(len(self.mirror)), *shift))
                weights[k] = weights[k] + side if k in weights else side
        moves = tuple(
            tuple(_together(xp, [part(weights[k]) for k in chosen], outer.shape[1:]) for part, chosen in zip(PARTS, k))
            for _, *k in self.moves()
        )
        return self.field_type(self, hermitian, (local.real, local.imag), dense, moves)

    @property
    def field_type(self) -> type[BlockField]:
        """Gives the type of the right-hand side on this form."""
        return BlockField

    def _sides(self) -> list[tuple[int, int]]:
        """List shifts of A from the left and of A† from the right."""
        return [*((d, 0) for d in self.offsets or ()), *((0, d) for d in self.offsets or ())]

    def moves(self) -> list[tuple[tuple[int, ...], list[int], list[int]]]:
        """Lists each source with the groups that have real weights, and those that have imaginary ones."""
        found: dict[tuple, tuple] = {}
        for k, ((source, _, _), parts) in enumerate(zip(self.groups, self.parts)):
            for part in (0, 1):
                if k > 0 and parts[part]:
                    found.setdefault(source, (source, [], []))[1 + part].append(k)
        return list(found.values())


PARTS: tuple[Callable, Callable] = (lambda w: w.real, lambda w: w.imag)


def _together(xp: ModuleType, weights: list, shape: tuple[int, ...]) -> Any:
    """Keep weights one by one where they are written out, in one array where a loop runs over them."""
    if not weights:
        return None
    if len(weights) <= UNROLLED:
        return tuple(weights)
    return xp.stack([xp.broadcast_to(w, shape) for w in weights])


class BlockField(eqx.Module):
    """Gives the scaled right-hand side on z."""

    plan: BlockPlan
    hermitian: bool = eqx.field(static=True)
    local: tuple[Any, Any]  # (P, m, m)
    dense: tuple[Any, Any] | None  # (P, m, m): real and imaginary part of the off-diagonal A
    moves: tuple[Any, ...]  # weights (P, m, m), (P, m, 1) or (P, 1, m) of groups, in the order of `moves`
    back: tuple[Any, ...] = ()  # those of the transposes, once it is ready

    def ready(self) -> BlockField:
        """Puts arrays on the device, and adds what derivatives need."""
        found = jax.tree.map(jnp.asarray, self)
        back = tuple(
            tuple(moved(w, shifts) if is_unrolled(shifts) else () for w, shifts in zip(weights, self.shifts(chosen)))
            for (_, *chosen), weights in zip(self.plan.moves(), found.moves)
        )
        return eqx.tree_at(lambda f: f.back, found, back)

    def wide(self) -> BlockField:
        """Makes all weights (P, m, m), for reverse mode: sums along rows and columns are made once, not term by
        term."""
        spread = lambda tree: jax.tree.map(lambda w: jnp.broadcast_to(w, self.local[0].shape), tree)
        parts = tuple(tuple(spread(w) if isinstance(w, tuple) else w for w in weights) for weights in self.moves)
        return eqx.tree_at(lambda f: (f.moves, f.back), self, (parts, spread(self.back)))

    @property
    def arrays(self) -> tuple:
        """Gives all that depends on the numbers of the equation, and linearly so."""
        return self.local, self.dense, self.moves, self.back

    def with_arrays(self, arrays: tuple) -> BlockField:
        """Gives the same field of other numbers."""
        return type(self)(self.plan, self.hermitian, *arrays)

    def scaled(self, factor: ArrayLike, shift: ArrayLike) -> BlockField:
        """Gives factor * self + shift."""
        (real, imag), *rest = jax.tree.map(lambda x: factor * x, self.arrays)
        return self.with_arrays(((real + shift, imag), *rest))

    def nonzero(self) -> tuple:
        """Says, for NumPy numbers and before it is ready, which `arrays` of the ready field differ from 0."""
        flag = lambda array: bool(np.any(array))
        moves = jax.tree.map(flag, self.moves)
        back = tuple(tuple(w if isinstance(w, tuple) else () for w in weights) for weights in moves)
        return jax.tree.map(flag, self.local), jax.tree.map(flag, self.dense), moves, back

    def shifts(self, chosen: list) -> list[Shifts]:
        return [tuple(self.plan.groups[k][1:] for k in part) for part in chosen]

    def __call__(self, parts: PyTree) -> PyTree:
        """Moves z in its two parts."""
        re, im = parts
        w_re, w_im = self.local
        total: tuple = (w_re * re - w_im * im, w_re * im + w_im * re)
        for (source, *chosen), weights, back in zip(self.plan.moves(), self.moves, self.back):
            re_fed, im_fed = (taken(part, source) for part in (re, im))
            # Real weights keep the parts, imaginary ones turn them.
            for w, b, shifts, fed in zip(weights, back, self.shifts(chosen), ((re_fed, im_fed), (-im_fed, re_fed))):
                if is_unrolled(shifts):
                    total = tuple(t + shifted_sum(w, b, part, shifts) for t, part in zip(total, fed))
                elif shifts:
                    total = looped(total, fed, w, shifts)
        if self.dense is None:
            return total
        z = self.plan.joined(parts)
        left = self.left(z)
        right = left if self.hermitian else self.left(self.plan.conjugated(z))
        rest = self.plan.split(left + self.plan.conjugated(right))
        return total[0] + rest[0], total[1] + rest[1]

    def left(self, z: Array) -> Array:
        """Applies the off-diagonal part of A, from the left: products of rows times (Re | Im)."""
        assert self.dense is not None
        count, m = z.shape[:2]
        flat = z.reshape(count, m, 2 * m)
        real, imag = self.dense
        found = _turned(matmul(imag, flat).reshape(z.shape))
        return found if real is None else found + matmul(real, flat).reshape(z.shape)


def _turned(z: Array) -> Array:
    """Multiply z by i."""
    return jnp.stack([-z[:, :, 1], z[:, :, 0]], 2)


def diagonals(parts: PyTree) -> PyTree:
    """Takes the diagonals of blocks, (P, m) of (P, m, m), whatever axes follow."""

    def of(z: Array) -> Array:
        count, m, _, *rest = z.shape
        return z.reshape(count, m * m, *rest)[:, :: m + 1]

    return jax.tree.map(of, parts)


def _identity(count: int) -> tuple[int, ...]:
    return tuple(range(count))


def taken(z: Array, source: tuple[int, ...]) -> Array:
    """Takes blocks in the order of their sources; where there is none the weights are 0."""
    if is_identity(source):
        return z
    if source == tuple(range(len(source)))[::-1]:
        return z[::-1]
    return z[np.maximum(source, 0)]


def is_identity(order: tuple[int, ...]) -> bool:
    return order == _identity(len(order))


def is_unrolled(shifts: Shifts) -> bool:
    return 0 < len(shifts) <= UNROLLED


def looped(total: tuple, z: tuple, weights: Array, shifts: Shifts) -> tuple:
    """Adds sum_p w_p * z[:, i + d_p, j + e_p] to total on both parts, in a loop; beyond the edges weights are 0."""
    shape, (low, high) = total[0].shape, reach(shifts)
    padded = [jnp.pad(part, ((0, 0), (low[0], high[0]), (low[1], high[1]))) for part in z]

    def add(total: tuple, entry: tuple) -> tuple[tuple, None]:
        w, start = entry
        copies = (jax.lax.dynamic_slice(part, (0, start[0], start[1]), shape) for part in padded)
        return tuple(t + w * copy for t, copy in zip(total, copies)), None

    return jax.lax.scan(add, total, (weights, jnp.asarray(np.asarray(shifts) + low)))[0]


def _pairs_within(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List indices (first, second) of all ordered pairs that share a key."""
    order = np.argsort(keys, kind="stable")
    _, start, size = np.unique(keys[order], return_index=True, return_counts=True)
    begin, width = np.repeat(start, size), np.repeat(size, size)
    first = np.repeat(np.arange(len(keys)), width)
    offset = np.arange(len(first)) - np.repeat(np.cumsum(width) - width, width)
    return order[first], order[np.repeat(begin, width) + offset]


def _jump_terms(jumps: Any, blocks: Blocks) -> tuple:
    """Write jumps as vectors on shifts, L_k = sum_v diag(v) shift, and list the pairs of them that make L rho L†."""
    block, place = blocks.block, blocks.place
    inside = (block[jumps.row] >= 0) & (block[jumps.column] >= 0)
    owner, row, column, where = (part[inside] for part in jumps)
    shift = place[column] - place[row]
    labels, vector = np.unique(np.stack([owner, shift], 1), axis=0, return_inverse=True)
    vectors = (where, vector.reshape(-1), block[row], place[row])
    first, second = _pairs_within(labels[:, 0])
    index = {tuple(pair): k for k, pair in enumerate(blocks.pairs.tolist())}
    identity = tuple(range(len(blocks.pairs)))
    sources = []
    for fed in blocks.sources:
        found = (index.get((int(fed[a]), int(fed[b])), -1) for a, b in blocks.pairs)
        sources.append(tuple(found))
    groups: dict[tuple, int] = {(identity, 0, 0): 0}
    group = []
    for k, l in zip(first, second):
        source = sources[labels[k, 0]]
        # Where nothing feeds a block the weights are 0: any source will do, the block itself the cheapest.
        if all(s in (-1, i) for i, s in enumerate(source)):
            source = identity
        key = (source, int(labels[k, 1]), int(labels[l, 1]))
        group.append(groups.setdefault(key, len(groups)))
    terms = (labels[first, 0], first, second, np.asarray(group, int))
    return vectors, terms, tuple(groups), len(labels)
