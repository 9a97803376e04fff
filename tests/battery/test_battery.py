"""What every public model must do: a pytree of numbers, the same under every transformation, kept and shown whole."""

import contextlib
import inspect
import json
import os
import re
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from .models import OTHERS, ROWS, make


@pytest.fixture(params=ROWS)
def name(request):
    return request.param


def arrays(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if eqx.is_array(leaf)]


def value(name, factor=1.0):
    return np.asarray(ROWS[name].compute(make(name, factor)))


def test_every_public_model_is_in_the_battery():
    public = {n for n, v in vars(jt).items() if inspect.isclass(v) and issubclass(v, eqx.Module)}
    assert public - OTHERS == set(ROWS)


def test_pytree_round_trip(name):
    model = make(name)
    leaves, structure = jax.tree.flatten(model)
    back = jax.tree.unflatten(structure, leaves)
    assert leaves and type(back) is type(model) and eqx.tree_equal(back, model)
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)


def test_structure_does_not_depend_on_numbers(name):
    structure = jax.tree.structure(make(name))
    assert structure == jax.tree.structure(make(name, 1.01)) and isinstance(hash(structure), int)


def test_jit_is_eager(name):
    compute = ROWS[name].compute
    found = jax.jit(lambda factor: compute(make(name, factor)))(1.02)
    np.testing.assert_allclose(found, value(name, 1.02), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(eqx.filter_jit(compute)(make(name)), value(name), rtol=1e-9, atol=1e-12)


def test_vmap_is_a_loop(name):
    factors = jnp.array([0.95, 1.0, 1.04])
    found = jax.vmap(lambda factor: ROWS[name].compute(make(name, factor)))(factors)
    want = np.stack([value(name, float(factor)) for factor in factors])
    np.testing.assert_allclose(found, want, rtol=1e-8, atol=1e-10)


# Their formulas have an i, and real times complex numbers is meant there.
WITH_I = {"TunnellingSolid", "ResonatorTrace", "TLSGlass", "Lindbladian", "BlochRedfield"}


def test_ranks_and_types_are_said(name):
    """No array meets one of another rank or type unsaid, and none in double precision becomes single on the way."""
    types = contextlib.nullcontext() if name in WITH_I else jax.numpy_dtype_promotion("strict")
    with jax.numpy_rank_promotion("raise"), types:
        program = jax.make_jaxpr(lambda factor: ROWS[name].compute(make(name, factor)))(1.0)
    found = {str(v.aval.dtype) for v in results(program.jaxpr) if hasattr(v.aval, "dtype")}
    assert "float64" in found and not {"float32", "complex64", "bfloat16", "float16"} & found


def results(jaxpr):
    """Yield what each step of a program gives, inner programs' too."""
    for eqn in jaxpr.eqns:
        yield from eqn.outvars
        for inner in jax.tree.leaves(list(eqn.params.values()), is_leaf=lambda x: hasattr(x, "jaxpr")):
            if hasattr(inner, "jaxpr") or hasattr(inner, "eqns"):
                yield from results(getattr(inner, "jaxpr", inner))


def test_gradients_are_finite_and_the_slope(name):
    total = lambda factor: jnp.sum(ROWS[name].compute(make(name, factor)))
    grads = eqx.filter_grad(lambda model: jnp.sum(ROWS[name].compute(model)))(make(name))
    assert all(np.all(np.isfinite(np.asarray(g))) for g in arrays(grads))
    h = 1e-4
    ahead, behind = [float(total(1 + k * h)) for k in (1, 2)], [float(total(1 - k * h)) for k in (1, 2)]
    slope = (8 * (ahead[0] - behind[0]) - (ahead[1] - behind[1])) / (12 * h)
    scale = 1e-8 * abs(float(total(1.0)))
    np.testing.assert_allclose(jax.grad(total)(1.0), slope, rtol=1e-5, atol=scale)
    np.testing.assert_allclose(jax.jvp(total, (1.0,), (1.0,))[1], slope, rtol=1e-5, atol=scale)


def test_save_and_load(name, tmp_path):
    model = make(name)
    jt.save(tmp_path / "m.jaxtls", model)
    back = jt.load(tmp_path / "m.jaxtls")
    assert type(back) is type(model) and eqx.tree_equal(back, model)
    np.testing.assert_array_equal(np.asarray(ROWS[name].compute(back)), value(name))


def test_repr_shows_the_numbers(name):
    text = repr(make(name))
    assert text.startswith(name + "(") and len(text) < 2000
    assert not re.search(r"object at|0x[0-9a-f]{6}", text)


PROGRAMS: list[str] = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, duration, **_: PROGRAMS.append(event) if "backend_compile" in event else None
)


def test_other_numbers_compile_nothing(name):
    for factor in (1.0, 1.01):
        jax.block_until_ready(ROWS[name].compute(make(name, factor)))
    model = make(name, 1.02)
    jax.jit(lambda x: x * 3.25 + 1)(jnp.ones(7))
    assert PROGRAMS  # the count sees what is compiled
    PROGRAMS.clear()
    jax.block_until_ready(ROWS[name].compute(model))
    assert PROGRAMS == []


SINGLE = """
import json, sys
import jax, numpy as np
jax.config.update("jax_enable_x64", sys.argv[1] == "64")
from tests.battery.models import ROWS
found = {}
for name, row in ROWS.items():
    try:
        value = np.asarray(row.compute(row.make(**row.numbers)))
        found[name] = [str(value.dtype), value.ravel().tolist()]
    except ValueError as error:
        found[name] = ["ValueError", str(error)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def precisions():
    environment = {key: text for key, text in os.environ.items() if key != "JAX_ENABLE_X64"}

    def run(bits):
        command = [sys.executable, "-c", SINGLE, bits]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    both = [run(bits) for bits in ("32", "64")]
    outputs = [process.communicate() for process in both]
    assert all(process.returncode == 0 for process in both), outputs
    return [json.loads(out.splitlines()[-1]) for out, _ in outputs]


def test_single_precision_agrees(name, precisions):
    (kind, found), (wide, want) = (numbers[name] for numbers in precisions)
    if ROWS[name].needs_double:
        assert kind == "ValueError" and "jax_enable_x64" in found and wide == "float64"
        return
    assert (kind, wide) == ("float32", "float64"), (found, want)
    atol = ROWS[name].absolute * np.max(np.abs(want))
    np.testing.assert_allclose(found, want, rtol=1e-3, atol=atol)
