"""What `evolve` and its kin say where an option is of the wrong kind."""

import diffrax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

LOWER = jnp.array([[0.0, 1.0], [0.0, 0.0]])
H, RHO, TS = jnp.diag(jnp.array([1.0, -1.0])), jnp.eye(2) / 2, jnp.linspace(0.0, 1.0, 3)
LAW = jt.Lindbladian(H, [LOWER])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("solver", "Tsit5"),
        ("solver", diffrax.Tsit5),
        ("adjoint", "direct"),
        ("adjoint", diffrax.RecursiveCheckpointAdjoint),
        ("stepsize_controller", 0.1),
        ("dt0", "small"),
        ("dt0", -1.0),
        ("dt0", [0.1, 0.2]),
        ("observables", 3),
        ("method", "tsit5"),
        ("method", diffrax.Tsit5),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"Argument `{name}` must be"):
        jt.evolve(LAW, RHO, TS, **{name: value})


@pytest.mark.parametrize(("name", "value"), [("rtol", -1.0), ("atol", -1.0), ("max_steps", 0)])
def test_a_propagator_refuses_what_a_constant_equation_would_not_use(name, value):
    with pytest.raises(ValueError, match=f"Argument `{name}` must be"):
        jt.propagator(LAW, TS, **{name: value})


@pytest.mark.parametrize(
    "wrong", [lambda: LAW + 3, lambda: 3 + LAW, lambda: LAW * LAW, lambda: LAW * "2", lambda: np.ones(2) + LAW]
)
def test_generators_add_to_generators_and_multiply_with_numbers_alone(wrong):
    with pytest.raises(TypeError):
        wrong()


def test_one_generator_is_multiplied_by_one_number():
    with pytest.raises(ValueError, match="Argument `factor` must be one number"):
        LAW * jnp.ones(2)
    with pytest.raises(ValueError, match="Argument `factor` must be one number"):
        np.ones(2) * LAW


def test_generators_are_summed_by_sum():
    assert jnp.allclose(sum([LAW, 2 * LAW]).matrix(), 3 * LAW.matrix())
