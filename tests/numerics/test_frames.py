"""Series summed in frames, lanes last: the same numbers as by the plain loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.dynamics.sweep import Sight, whole
from jaxtls.lindblad.methods.structure import for_states
from jaxtls.lindblad.rhs.blocked import BlockPlan, diagonals
from jaxtls.lindblad.rhs.framed import FramedField, fits
from jaxtls.lindblad.rhs.sectors import blocks, distances
from jaxtls.numerics import frames, series

N = 24
A = np.diag(np.sqrt(np.arange(1.0, N)), 1)


def equation(kind):
    """The right-hand side of a ladder, packed: one block, or two of a parity that jumps change."""
    turn = {"one drive": A + 0.3j * A, "two quanta": (0.5 - 0.2j) * A @ A}[kind]
    h, jumps = 0.3 * A.T @ A + turn + turn.conj().T, [A, 0.4 * A.T]
    model = jax.tree.map(np.asarray, jt.Lindbladian(h, jumps))
    filled = np.diag(np.eye(N)[0]) != 0
    entries = model.terms.entries(), model.jumps.entries()
    kept = np.nonzero(distances(*entries, N, filled) >= 0)[0]
    found = blocks(*entries, model.jumps.count, N, filled, kept)
    form = for_states(BlockPlan.make(model.terms.skeleton, model.jumps.skeleton, found), True)
    return form.field(model, hermitian=True).ready()


def drawn(shape, seed):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize(("kind", "count"), [("one drive", 1), ("two quanta", 2)])
def test_a_field_in_a_frame_is_the_field(kind, count):
    field = equation(kind)
    z = drawn(field.local[0].shape, 0)
    assert z.shape[0] == count and fits(field)
    framed = FramedField.of(field, 0.5, 0.2)
    held = framed.around(z)
    assert_allclose(framed.inside(held), z)
    assert_allclose(framed.put(held, 2 * z), framed.around(2 * z))
    assert_allclose(framed(held), 0.5 * field(z) + 0.2 * z, atol=1e-13)
    assert_allclose(diagonals(z), jnp.diagonal(z, axis1=1, axis2=2))


@pytest.mark.parametrize(
    ("own", "used", "planned"), [(True, 1, False), (False, 8, False), (True, 12, False), (True, 8, True)]
)
def test_sums_of_lanes_are_those_of_each(own, used, planned):
    """With what is seen of each lane or of all, the numbers of the expansion of each, or of a plan."""
    field = equation("two quanta")
    shape, lanes = field.local[0].shape, 3
    z, weights, ratio = drawn((lanes, *shape), 1), drawn((lanes, 12), 2), drawn((lanes,), 3)
    if planned:
        weights, ratio = weights[0], ratio[0]
    scale, rows = (
        0.15 if planned else jnp.linspace(0.1, 0.2, lanes),
        drawn(((lanes, 2, *shape) if own else (2, *shape)), 4),
    )

    def one(z, weights, ratio, scale, rows):
        framed, look = FramedField.of(field, scale, 0.1), Sight(rows, whole)
        return frames.summed(framed, look, ratio, weights, z, jnp.asarray(used))[:2]

    def plain(z, weights, ratio, scale, rows):
        look = Sight(rows, whole)
        return series.summed(lambda z: scale * field(z) + 0.1 * z, look, ratio, weights, z, jnp.asarray(used))[:2]

    by_plan = None if planned else 0
    axes = (0, by_plan, by_plan, by_plan, 0 if own else None)
    found, wanted = (jax.jit(jax.vmap(f, axes))(z, weights, ratio, scale, rows) for f in (one, plain))
    close = lambda x, y: assert_allclose(x, y, rtol=0, atol=1e-12 * np.max(np.abs(y)))
    close(found[0], wanted[0])
    close(found[1][:, :used], wanted[1][:, :used])
    of_one = [x if axis is None else x[1] for x, axis in zip((z, weights, ratio, scale, rows), axes)]
    close(one(*of_one)[0], wanted[0][1])


def test_what_has_no_frame():
    """A shift as wide as half a block, and products with a matrix."""
    rng = np.random.default_rng(0)
    far = np.diag(rng.normal(size=N - 8), 8)
    dense = rng.normal(size=(N, N))
    for h, jumps in ((far + far.T, [A]), (dense + dense.T, [A])):
        model = jax.tree.map(np.asarray, jt.Lindbladian(h, jumps))
        filled, entries = np.ones((N, N), bool), (model.terms.entries(), model.jumps.entries())
        found = blocks(*entries, model.jumps.count, N, filled, np.arange(N))
        form = for_states(BlockPlan.make(model.terms.skeleton, model.jumps.skeleton, found), True)
        assert not fits(form.field(model, hermitian=True))
    assert not fits(lambda z: z)
