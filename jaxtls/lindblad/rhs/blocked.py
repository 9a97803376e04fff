"""Makes the right-hand side on the blocks of a density matrix that a constant equation fills, in real numbers.

    d rho_ab/dt = A_a rho_ab + rho_ab A_b† + sum_k r_k L_k rho_(k<-a, k<-b) L_k†,   A = -i H - (1/2) sum_k r_k L_k† L_k

A state is a real array z (P, m, 2, m): block, row, (Re, Im), column, so that a real operator acts on both parts by one
product and rows stay together. What is diagonal in A and in the jumps is one elementwise weight; the rest of A is a
dense product with its mirror image, or a few shifted copies where that is cheaper; the rest of the jumps are shifted
copies of whole blocks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ...numerics.namespace import namespace
from ...numerics.products import matmul
from ..lindbladian import Lindbladian
from ..storage.diagonals import added
from ..storage.family import Family, Skeleton
from . import places
from .sectors import Blocks
from .stencil import Shifts, moved, reach, shifted_sum

# Shifted copies written out; more run in a loop, so that code does not grow.
UNROLLED = 16
# A dense product does this many elements' multiplications in the time of one shifted copy, written out or in a loop.
SHIFT_COST, LOOPED_COST = 4, 11


class Numbers(NamedTuple):
    """Holds the numbers of a Lindbladian, or a share of them."""

    terms: Family
    jumps: Family
    rates: Any


class BlockPlan(eqx.Module):
    """Says where the numbers of a Lindbladian go in the block form: indices are arrays, shapes and shifts static."""

    states: Any  # (B, m), -1 where padded
    pairs: Any  # (P, 2)
    # Of H, by operator: place of the value on the diagonal, (C, B, m), and beside it, (C, D, B, m) by shift or
    # (C, B, m, m); behind the last one where there is none.
    energies: tuple[Any, Any]
    # Of L†L: places of both values, jump, and where they go on the diagonal, and beside it.
    losses: tuple[tuple[Any, ...], tuple[Any, ...]]
    vectors: Any  # of jumps: place of the value, (V, B, m)
    terms: tuple[Any, ...]  # (T,) jump, first vector, second vector, group
    mirror: tuple[int, ...] = eqx.field(static=True)
    # Shifts of the off-diagonal part of A; None: dense, with its energies.
    offsets: tuple[int, ...] | None = eqx.field(static=True)
    # (source block of each block, -1 for none; row shift; column shift); the first group is the elementwise one.
    groups: tuple[tuple[tuple[int, ...], int, int], ...] = eqx.field(static=True)
    # Whether the weights of a group have real, imaginary parts.
    parts: tuple[tuple[bool, bool], ...] = eqx.field(static=True)
    # How many of the groups jumps fill, the first ones.
    n_fed: int = eqx.field(static=True)
    # Whether the off-diagonal A has a real part besides -i H, and an imaginary H.
    mixed: bool = eqx.field(static=True)
    n: int = eqx.field(static=True)

    @classmethod
    def make(cls, terms: Skeleton, jump_ops: Skeleton, blocks: Blocks) -> BlockPlan:
        n, m = len(blocks.block), blocks.size
        jumps = jump_ops.entries()
        energies, lost = places.of_energies(terms, blocks), places.of_losses(jumps, blocks)
        rows, columns = np.r_[energies[3], lost[4]], np.r_[energies[4], lost[5]]
        found = np.unique((columns - rows)[columns != rows])
        cost = SHIFT_COST if 2 * len(found) <= UNROLLED else LOOPED_COST
        offsets = tuple(found.tolist()) if cost * len(found) < m else None
        mixed = not terms.is_real or bool(np.any(lost[4] != lost[5]))
        vectors, pairs, found = places.of_jumps(jumps, blocks, jump_ops.pattern.mask.size)
        identity = tuple(range(len(blocks.pairs)))
        sides = [((identity, d, 0), (identity, 0, d)) for d in offsets or ()]
        groups = {
            group: k for k, group in enumerate(dict.fromkeys([*found, *(side for both in sides for side in both)]))
        }
        turning = {side for both in sides for side in both}
        parts = tuple((group in found or mixed, group in turning or not jump_ops.is_real) for group in groups)
        return cls(
            *(blocks.states, blocks.pairs),
            places.sources(energies, offsets, (max(terms.count, 1), len(blocks.states), m), terms.pattern.mask.size),
            places.targets(lost, offsets),
            *(vectors, pairs),
            tuple(blocks.mirror.tolist()),
            offsets,
            tuple(groups),
            parts,
            len(found),
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
        where = rows * (self.n + 1) + columns
        inside = added(((self.n + 1) ** 2,), (where.reshape(-1),), xp.ones(where.size)).reshape((self.n + 1,) * 2)
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

    def field(self, model: Lindbladian | Numbers, *, hermitian: bool) -> BlockField:
        """Makes z -> L z, with everything made that does not depend on z: in NumPy what is made of known numbers."""
        # NumPy's arrays would not take indices of a plan that are traced.
        taken_by = lambda x: x if isinstance(self.pairs, np.ndarray) else jnp.asarray(x)
        given = model.terms.values.reshape(-1), model.jumps.values.reshape(-1), model.rates
        h, v, rates = map(taken_by, given)
        a, b = self.pairs[:, 0], self.pairs[:, 1]
        (real, imag), (rest_real, rest_imag) = jax.tree.map(taken_by, self._effective(h, v, rates))
        vectors = _taken_or_zero(v, self.vectors)
        jump, first, second, group = self.terms
        left = rates[jump].astype(v.dtype)[:, None, None] * vectors[first][:, a]
        outer = left[:, :, :, None] * vectors[second][:, b].conj()[:, :, None, :]
        fed = added((self.n_fed, *outer.shape[1:]), (group,), outer)
        weights: dict[int, tuple] = {k: (w.real, w.imag) for k, w in enumerate(fed)}
        decay = weights[0][0] + real[a][:, :, None] + real[b][:, None, :]
        dense = sides = None
        if self.offsets is None:
            # Energies go into the product, which costs nothing: beside it they would multiply a state that is turned.
            local = decay, weights[0][1] if self.parts[0][1] else None
            dense = (rest_real[a] if self.mixed else None, (rest_imag + imag[:, :, None] * np.eye(imag.shape[1]))[a])
        else:
            local = decay, weights[0][1] + imag[a][:, :, None] - imag[b][:, None, :]
            # A from the left has a weight for each row, A† from the right one for each column.
            both = lambda rest, sign: namespace(rest).concatenate([rest[:, a], sign * rest[:, b]])
            sides = (both(rest_real, 1) if self.mixed else None, both(rest_imag, -1))
        moves = tuple(tuple(self._together(weights, sides, *part) for part in parts) for parts in self.by_part())
        return self.field_type(self, hermitian, local, dense, sides, moves)

    def _effective(self, h: Any, v: Any, rates: Any) -> list[tuple[Any, Any]]:
        """Make the real and the imaginary part of A: of its diagonal, and of what stands beside it."""
        count, shapes = len(self.energies[0]), [places.shape[1:] for places in self.energies]
        flat = [places.reshape(count, -1) for places in self.energies]
        places = namespace(*flat).concatenate(flat, 1)

        def put(values: Any) -> list[Any]:
            found = _taken_or_zero(values, places)
            found = found[0] if count == 1 else found.sum(0)
            cut = flat[0].shape[1]
            return [part.reshape(shape) for part, shape in zip((found[:cut], found[cut:]), shapes)]

        def lost(shape: tuple[int, ...], first: Any, second: Any, jump: Any, *where: Any) -> Any:
            found = -0.5 * rates[jump] * v[first].conj() * v[second]
            # Zeros that are known cost nothing.
            return added(shape, where, found) if len(jump) else np.zeros(shape, found.dtype)

        losses = [lost(shape, *listed) for shape, listed in zip(shapes, self.losses)]
        # -i H
        real = [loss.real + part for loss, part in zip(losses, put(h.imag) if self.mixed else (0.0, 0.0))]
        return list(zip(real, [loss.imag - part for loss, part in zip(losses, put(h.real))]))

    def _together(self, weights: dict[int, tuple], sides: tuple | None, part: int, chosen: list[int]) -> Any:
        """Keep weights one by one where they are written out, those of sides with them; in one array for a loop."""
        if not chosen:
            return None
        side = self.sides_of(sides, part)
        fed = {k: weights[k][part] + side.get(k, 0) for k in chosen if k in weights}
        if len(chosen) <= UNROLLED:
            return tuple(fed.get(k) for k in chosen)
        every = [fed[k] if k in fed else side[k] for k in chosen]
        xp, shape = namespace(*every), weights[0][0].shape
        return xp.stack([xp.broadcast_to(w, shape) for w in every])

    def sides_of(self, sides: tuple | None, part: int) -> dict[int, Any]:
        """Gives by group the weights of the shifts of A, for rows, and of A†, for columns."""
        found = None if sides is None else sides[part]
        if found is None:
            return {}
        identity, half = _identity(len(self.mirror)), len(found) // 2
        groups = [self.groups.index((identity, *shift)) for shift in self._sides()]
        return {g: found[k][:, :, None] if k < half else found[k][:, None, :] for k, g in enumerate(groups)}

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

    def by_part(self) -> list[list[tuple[int, list[int]]]]:
        """Lists for each source (0, groups with real weights) and (1, those with imaginary ones)."""
        return [list(enumerate(chosen)) for _, *chosen in self.moves()]


def _taken_or_zero(values: Any, where: Any) -> Any:
    """Take values (N,), 0 at the place behind the last one."""
    return namespace(values, where).pad(values, (0, 1))[where]


class BlockField(eqx.Module):
    """Gives the right-hand side on z."""

    plan: BlockPlan
    hermitian: bool = eqx.field(static=True)
    local: tuple[Any, Any]  # (P, m, m); no imaginary part where the product has the energies and jumps are real
    dense: tuple[Any, Any] | None  # (P, m, m): real part of the off-diagonal A, imaginary part of A
    sides: tuple[Any, Any] | None  # (2 D, P, m): the same by shifts, from the left, then A† from the right
    moves: tuple[Any, ...]  # weights (P, m, m) of groups, in the order of `moves`, but of those that are sides alone
    back: tuple[Any, ...] = ()  # those of the transposes, once it is ready

    def ready(self) -> BlockField:
        """Puts arrays on the device, and adds what derivatives need."""
        back = tuple(
            tuple(moved(w, shifts) if is_unrolled(shifts) else () for w, shifts in zip(weights, self.shifts(chosen)))
            for (_, *chosen), weights in zip(self.plan.moves(), self.weights())
        )
        return jax.tree.map(jnp.asarray, eqx.tree_at(lambda f: f.back, self, back))

    def apart(self) -> BlockField:
        """Makes each side an array of its own: where they change, one that holds all is taken apart time and again."""
        return type(self)(self.plan, self.hermitian, self.local, self.dense, None, self.weights(), self.back)

    def wide(self) -> BlockField:
        """Makes all weights (P, m, m), for reverse mode: sums along rows and columns are made once, not term by
        term."""
        spread = lambda tree: jax.tree.map(lambda w: jnp.broadcast_to(w, self.local[0].shape), tree)
        parts = tuple(tuple(spread(w) if isinstance(w, tuple) else w for w in weights) for weights in self.weights())
        # To first order nothing depends on what the transposes are made of.
        return eqx.tree_at(lambda f: (f.moves, f.back), self, (parts, jax.lax.stop_gradient(spread(self.back))))

    def weights(self) -> tuple:
        """Gives the weights of all moves: those of sides are parts of an array, which loops take out as they go."""
        sides = [self.plan.sides_of(self.sides, part) for part in (0, 1)]
        return tuple(
            tuple(
                tuple(sides[part][k] if w is None else w for k, w in zip(chosen, found))
                if isinstance(found, tuple)
                else found
                for (part, chosen), found in zip(parts, weights)
            )
            for parts, weights in zip(self.plan.by_part(), self.moves)
        )

    @property
    def arrays(self) -> tuple:
        """Gives all that depends on the numbers of the equation, and linearly so."""
        return self.local, self.dense, self.sides, self.moves, self.back

    def with_arrays(self, arrays: tuple) -> BlockField:
        """Gives the same field of other numbers."""
        return type(self)(self.plan, self.hermitian, *arrays)

    def nonzero(self) -> tuple:
        """Says, for NumPy numbers and before it is ready, which `arrays` of the ready field differ from 0."""
        flag = lambda array: bool(np.any(array))
        *found, moves = (jax.tree.map(flag, arrays) for arrays in (self.local, self.dense, self.sides, self.moves))
        weights = jax.tree.map(flag, self.weights())
        back = tuple(tuple(w if isinstance(w, tuple) else () for w in part) for part in weights)
        return *found, moves, back

    def shifts(self, chosen: list) -> list[Shifts]:
        return [tuple(self.plan.groups[k][1:] for k in part) for part in chosen]

    def __call__(self, parts: PyTree) -> PyTree:
        """Moves z in its two parts."""
        re, im = parts
        w_re, w_im = self.local
        total: tuple = (w_re * re, w_re * im)
        if w_im is not None:
            total = (total[0] - w_im * im, total[1] + w_im * re)
        for (source, *chosen), weights, back in zip(self.plan.moves(), self.weights(), self.back):
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
        """Applies what the dense products do of A, from the left: products of rows times (Re | Im)."""
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
