"""Gives the right-hand side on packed states that stand in a frame of zeros, for `numerics.frames`."""

from __future__ import annotations

import functools
import operator

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

from ...numerics.frames import AbstractFramed
from .blocked import is_unrolled, taken
from .packed import PackedBlocks, PackedField

# Frames at most so wide, as a share of a block: what lies in them is kept, too.
WIDEST = 0.25
# The blocks that a copy takes, shifts of its rows and of its columns, whether it is turned.
Copy = tuple[tuple[int, ...], int, int, bool]


class FramedField(AbstractFramed):
    """Gives factor * L z + shift * z for z (P, m, m) or, with an axis of lanes, (P, m, m, B)."""

    local: tuple[Array, Array]
    weights: tuple[Array, ...]
    factor: Array
    copies: tuple[Copy, ...] = eqx.field(static=True)
    mirror: tuple[int, ...] = eqx.field(static=True)
    width: int = eqx.field(static=True)

    @classmethod
    def of(cls, field: PackedField, factor: ArrayLike, shift: ArrayLike) -> FramedField:
        """Makes it of one that `fits`; weights that are no lane's own stay so."""
        weights = tuple(jnp.asarray(w) for pair in field.weights() for some in pair for w in some or ())
        real, imag = field.local
        local = jnp.asarray(real + shift / factor), jnp.asarray(imag)
        return cls(local, weights, jnp.asarray(factor), tuple(_copies(field)), field.plan.mirror, _width(field))

    def around(self, x: Array) -> Array:
        # An odd number of columns: rows that a power of two lies between drive each other out of the cache.
        more = 1 - x.shape[2] % 2
        frame = (self.width, self.width), (self.width, self.width + more)
        return jnp.pad(x, ((0, 0), *frame, *((0, 0),) * (x.ndim - 3)))

    def inside(self, held: Array) -> Array:
        return self._copy(held, 0, 0)

    def put(self, held: Array, x: Array) -> Array:
        return jax.lax.dynamic_update_slice(held, x, (0, self.width, self.width, *(0,) * (x.ndim - 3)))

    def __call__(self, held: Array) -> Array:
        z = self.inside(held)
        real, imag = self.local
        parts = [real * z, imag * _turned(taken(z, self.mirror))]
        for w, (order, d, e, turned) in zip(self.weights, self.copies):
            here = taken(held, order)
            parts.append(w * (_turned(self._copy(here, e, d)) if turned else self._copy(here, d, e)))
        return self.factor * functools.reduce(operator.add, parts)

    def diagonal(self) -> Array:
        return self.local[0]

    def _copy(self, held: Array, d: int, e: int) -> Array:
        size = held.shape[1] - 2 * self.width
        rows, columns = (slice(self.width + shift, self.width + shift + size) for shift in (d, e))
        return held[:, rows, columns]


def fits(field: PyTree) -> bool:
    """Says whether a field moves packed states by shifted copies that are few and near."""
    if not isinstance(field, PackedField) or field.dense is not None:
        return False
    few = all(is_unrolled(shifts) for _, *chosen in field.plan.moves() for shifts in field.shifts(chosen) if shifts)
    return few and _width(field) <= WIDEST * field.plan.states.shape[1]


def _copies(field: PackedField) -> list[Copy]:
    plan, found = field.plan, []
    assert isinstance(plan, PackedBlocks)
    for source, *chosen in plan.moves():
        mirrored = tuple(plan.mirror[max(k, 0)] for k in source)
        for turned, shifts in enumerate(field.shifts(chosen)):
            found += [(mirrored if turned else source, d, e, bool(turned)) for d, e in shifts]
    return found


def _width(field: PackedField) -> int:
    return max((abs(shift) for _, *both, _ in _copies(field) for shift in both), default=0)


def _turned(z: Array) -> Array:
    return jnp.swapaxes(z, 1, 2)
