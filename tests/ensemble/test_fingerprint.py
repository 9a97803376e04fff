"""Functions have equal fingerprints exactly when they compute the same."""

import functools
import importlib
import os
import subprocess
import sys
import threading

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtls.ensemble.fingerprint import UNKNOWABLE
from jaxtls.ensemble.program import trace

KEY = jax.random.key(0)
LEVEL = 1.0


def mark(f, key=KEY):
    return trace(f, key).fingerprint


def through_numpy(scale):
    def f(key):
        x = jax.random.normal(key, (3,))
        shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
        return jax.pure_callback(lambda x: np.asarray(x) * scale + LEVEL, shape, x, vmap_method="sequential")

    return f


def scaled(scale, key):
    return scale * jax.random.normal(key, (3,))


def test_names_and_spelling_do_not_matter():
    def other_name(k):
        """With a docstring."""
        factor = 2.0
        return factor * jax.random.normal(k, (3,))

    assert mark(functools.partial(scaled, 2.0)) == mark(other_name)


def test_every_number_matters():
    table = np.arange(5.0)
    changed = table.copy()
    changed[3] = np.nextafter(3.0, 4.0)
    pick = lambda table: lambda key: jnp.asarray(table)[jax.random.randint(key, (), 0, 5)]
    marks = [
        *(mark(functools.partial(scaled, scale)) for scale in (2.0, np.nextafter(2.0, 3.0), 2j)),
        mark(pick(table)),
        mark(pick(changed)),
        mark(lambda key: jax.lax.fori_loop(0, 3, lambda i, x: jnp.sin(x) + 0.1, jax.random.normal(key))),
        mark(lambda key: jax.lax.fori_loop(0, 3, lambda i, x: jnp.sin(x) + 0.2, jax.random.normal(key))),
        mark(lambda key: jax.random.normal(jax.random.key(1)) + jax.random.normal(key)),
        mark(lambda key: jax.random.normal(jax.random.key(2)) + jax.random.normal(key)),
        mark(through_numpy(1.0)),
        mark(through_numpy(2.0)),
    ]
    assert len(set(marks)) == len(marks)
    assert mark(pick(table)) == mark(pick(table.copy()))


def test_globals_read_by_a_callback_matter(monkeypatch):
    before = mark(through_numpy(1.0))
    monkeypatch.setitem(globals(), "LEVEL", 2.0)
    assert mark(through_numpy(1.0)) != before


def helper(x):
    return x + 1.0


def called_by_a_callback(function):
    def f(key):
        shape = jax.ShapeDtypeStruct((), float)
        return jax.pure_callback(function, shape, jax.random.normal(key), vmap_method="sequential")

    return f


def test_functions_that_a_callback_calls_matter(monkeypatch):
    outer = lambda x: helper(np.asarray(x))
    before = mark(called_by_a_callback(outer))
    assert mark(called_by_a_callback(outer)) == before
    monkeypatch.setitem(globals(), "helper", lambda x: x + 2.0)
    assert mark(called_by_a_callback(outer)) != before


CONFIG = {"scale": 1.0}


def test_containers_and_modules_of_the_user_that_a_callback_reads_matter(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "of_the_user.py").write_text("def h(x):\n    return x + SHIFT\nSHIFT = 1.0\n")
    user = importlib.import_module("of_the_user")
    monkeypatch.setitem(globals(), "of_the_user", user)
    monkeypatch.setitem(globals(), "h", user.h)
    for read in (
        lambda x: np.asarray(x) * CONFIG["scale"],
        lambda x: np.asarray(of_the_user.h(x)),  # noqa: F821
        lambda x: np.asarray(h(x)),  # noqa: F821
    ):
        f = called_by_a_callback(read)
        before = mark(f)
        assert before == mark(f) and not before.startswith(UNKNOWABLE)
        with monkeypatch.context() as changed:
            changed.setitem(CONFIG, "scale", 2.0)
            changed.setattr(user, "SHIFT", 2.0)
            assert mark(f) != before
        assert mark(f) == before


class Scale(eqx.Module):
    by: float

    def __call__(self, x):
        return np.asarray(x) * self.by

    def twice(self, x):
        return 2 * self(x)


def test_callables_of_every_kind_are_known_by_their_numbers():
    kinds = (
        lambda by: Scale(by),
        lambda by: Scale(by).twice,
        lambda by: functools.partial(np.multiply, by),
        lambda by: lambda x, table={"by": (by, frozenset("ab"))}: np.asarray(x) * table["by"][0],
        lambda by: functools.lru_cache(lambda x: np.asarray(x) * by),
    )
    for kind in kinds:
        marks = [mark(called_by_a_callback(kind(by))) for by in (1.0, 1.0, 2.0)]
        assert marks[0] == marks[1] != marks[2]


def test_what_cannot_be_compared_is_never_equal():
    lock = threading.Lock()
    f = called_by_a_callback(lambda x: np.asarray(x) if lock else None)
    assert mark(f) != mark(f) and mark(f).startswith(UNKNOWABLE)


def test_a_program_without_callbacks_or_with_checks_alone_is_the_whole_truth():
    free = lambda key: jax.random.normal(key)
    checked = lambda key: eqx.error_if(free(key), free(key) > 1e9, "large")
    assert trace(free, KEY).is_transparent and trace(checked, KEY).is_transparent
    assert not trace(called_by_a_callback(helper), KEY).is_transparent


def test_checks_and_prints_do_not_matter():
    def printing(log):
        def f(key):
            x = jax.random.normal(key)
            jax.debug.callback(lambda x: log.append(x), x)
            return x

        return f

    assert mark(printing([])) == mark(printing([1]))
    checked = lambda word: lambda key: eqx.error_if(jax.random.normal(key), False, word)
    assert mark(checked("a")) == mark(checked("a"))


SCRIPT = """
import jax, jax.numpy as jnp, equinox as eqx
jax.config.update("jax_enable_x64", True)
import jaxtls as jt
from jaxtls.ensemble.program import trace
from tests.ensemble.test_fingerprint import through_numpy
def f(key):
    gamma = 1 + jax.random.uniform(key)
    spring = jt.EntropicSpring(1.9, splitting=1.0, gamma=gamma, beta=0.1, n_spins=3, n_levels=4, n_modes=1)
    return jt.evolve(spring, spring.coherent_state(0.1), jnp.linspace(0.0, 0.1, 3)).observables
print(trace(f, jax.random.key(0)).fingerprint, trace(through_numpy(1.0), jax.random.key(0)).fingerprint)
"""


@pytest.mark.slow
def test_equal_in_another_process():
    def run(seed):
        environment = dict(os.environ, PYTHONHASHSEED=seed)
        return subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=True, capture_output=True).stdout

    assert run("1") == run("2") != b""
