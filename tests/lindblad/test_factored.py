"""Numbers that multiply known operators: they stay by themselves, and gradients in them are those of plain arrays."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.lindblad import factored
from jaxtls.lindblad.storage.family import Family

from .oracle import propagate, superoperator

N = 10
LOWER = np.diag(np.sqrt(np.arange(1.0, N)), 1)
NUMBER, DRIVE = LOWER.T @ LOWER, LOWER + LOWER.T
TURN = 1j * (LOWER.T - LOWER)
PAIRS = LOWER.T @ LOWER.T @ LOWER @ LOWER
MEMBERS = [DRIVE, NUMBER, PAIRS, TURN]
TS = np.linspace(0.0, 0.7, 4)
AT = np.array([0.5, 0.3, -0.1, 0.2])


def energy(values):
    """What a run gives at its end, of a Hamiltonian in list form: as many members as there are values."""
    h = [0.2 * NUMBER, *((op, x) for op, x in zip(MEMBERS, values))]
    return jt.mesolve(h, [LOWER], np.eye(N)[0], TS, [NUMBER + DRIVE], rtol=1e-9, atol=1e-11).expects[0, -1].real


def wanted(values):
    h = 0.2 * NUMBER + sum(x * op for x, op in zip(values, MEMBERS))
    rho = np.diag(np.eye(N)[0]).astype(complex)
    return np.trace((NUMBER + DRIVE) @ propagate(superoperator(h, [LOWER]), rho, TS)[-1]).real


def differences(values, h=1e-5):
    moved = [wanted(values + s * h * e) for e in np.eye(len(values)) for s in (1, -1)]
    return np.array([(up - down) / (2 * h) for up, down in zip(moved[::2], moved[1::2])])


# One more than stay by themselves, too.
@pytest.mark.parametrize("count", [1, factored.MOST + 1])
def test_gradients_in_the_list_form_are_those_of_brute_force(count):
    values = AT[:count]
    value, slopes = jax.jit(jax.value_and_grad(energy))(jnp.asarray(values))
    assert_allclose(value, wanted(values), rtol=1e-8)
    assert_allclose(slopes, differences(values), rtol=1e-5, atol=1e-7)
    assert_allclose(jax.jit(jax.jacfwd(energy))(jnp.asarray(values)), slopes, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("count", range(2, factored.MOST + 1))
def test_gradients_in_several_numbers(count):
    values = AT[:count]
    slopes = jax.jit(jax.vmap(jax.grad(energy)))(jnp.stack([values, values + 0.05]))
    assert_allclose(slopes, [differences(values), differences(values + 0.05)], rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_second_derivatives():
    value = jax.jit(jax.hessian(lambda x: energy(x[None])))(jnp.asarray(0.5))
    h = 1e-3
    want = (wanted([0.5 + h]) - 2 * wanted([0.5]) + wanted([0.5 - h])) / h**2
    assert_allclose(value, want, rtol=1e-4)


def law_of(x, *, jump=1.0):
    return jt.Lindbladian([0.2 * NUMBER, (DRIVE, x), (PAIRS, x)], [[(LOWER, jump)]])


def test_a_number_stands_once_however_many_operators_it_multiplies():
    """One tracer is one number; what is made of it by arithmetic is another."""
    seen = []

    def look(x, y):
        law = jt.Lindbladian([0.2 * NUMBER, (DRIVE, x), (PAIRS, x), (NUMBER, y)], [[(LOWER, y)]])
        seen.append((len(law.terms.factors), len(law.jumps.factors)))
        return law.hamiltonian(0.0), law.jumps.dense()[0]

    h, jump = jax.jit(look)(0.5, 0.3)
    assert seen == [(2, 1)]
    assert_allclose(h, 0.5 * NUMBER + 0.5 * (DRIVE + PAIRS), atol=1e-15)
    assert_allclose(jump, 0.3 * LOWER, atol=1e-15)


@pytest.mark.parametrize("values", [(0.5 + 0.1j,), (1, 2), (0.1, 0.2, 0.3, 0.4)], ids=["complex", "whole", "many"])
def test_other_numbers_are_multiplied_at_once(values):
    def look(*values):
        law = jt.Lindbladian([(op, x) for op, x in zip(itertools.cycle([DRIVE, PAIRS]), values)], [LOWER])
        assert len(law.terms.factors) == (2 if values[0].dtype == bool else 0)
        return law.hamiltonian(0.0)

    want = sum(x * op for op, x in zip(itertools.cycle([DRIVE, PAIRS]), values))
    assert_allclose(jax.jit(look)(*values), want, atol=1e-15)


def test_derivatives_pass_through_a_generator_that_is_handed_on():
    """A generator made of a tracer is a pytree whose leaves say all: what a function of it gives, its slopes give."""

    @eqx.filter_jit
    def inner(law, rho):
        return jnp.sum(law.vector_field(0.0, rho) * jnp.arange(N * N).reshape(N, N)).real

    rho = jnp.full((N, N), 0.1) + jnp.diag(jnp.arange(N) / N)
    total = lambda x: inner(law_of(x, jump=x), rho)
    h = 1e-6
    assert_allclose(jax.grad(total)(0.5), (total(0.5 + h) - total(0.5 - h)) / (2 * h), rtol=1e-6)
    again = lambda x: inner(jax.tree.map(lambda leaf: 2.0 * leaf, law_of(x)), rho)
    assert_allclose(jax.grad(again)(0.5), (again(0.5 + h) - again(0.5 - h)) / (2 * h), rtol=1e-6)


def test_a_plan_of_other_operators_takes_what_it_has_places_for():
    """The storage of a plan is given to the known part and to what each number adds."""
    wide = jt.Lindbladian([NUMBER + DRIVE + PAIRS @ PAIRS, (DRIVE, 0.4)], [LOWER])

    def look(x):
        law = law_of(x).patterned(wide.terms.skeleton, wide.jumps.skeleton)
        return law.hamiltonian(0.0), law.outside(wide.terms.skeleton, wide.jumps.skeleton)

    h, outside = jax.jit(look)(0.5)
    assert_allclose(h, 0.2 * NUMBER + 0.5 * (DRIVE + PAIRS), atol=1e-15)
    assert outside == 0.0


def test_known_numbers_stay_numpys():
    """Under an eager gradient plans are made of values that are known; nothing is compiled for them."""

    def look(x):
        family = law_of(x).terms
        known = Family(np.asarray(family.fixed), family.skeleton, (np.asarray(0.5),), family.slopes)
        assert isinstance(known.values, np.ndarray)
        return jnp.sum(jnp.abs(family.values - known.values))

    assert jax.value_and_grad(look)(0.5)[0] == 0.0


def test_a_small_slope_beside_large_numbers_is_exact():
    """What a number adds is never a difference of sums."""

    def look(x):
        law = jt.Lindbladian([1e12 * NUMBER, (0.1 * NUMBER, x)], [LOWER])
        return law.terms.slopes[0]

    assert np.max(np.abs(jax.jit(look)(0.5))) == 0.1 * (N - 1)
