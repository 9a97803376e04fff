"""`jaxtls doctor`: the closed forms hold, a wrong number and a broken device are named."""

import jax.numpy as jnp
import pytest

from jaxtls.__main__ import main
from jaxtls.cli import doctor


@pytest.mark.slow
def test_this_machine_is_well(capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "jaxlib" in said and "GFLOP/s" in said and said.endswith("All errors are below 1e-06.\n")
    assert all(name in said for name in doctor.TESTS)


def test_what_is_wrong_is_named(monkeypatch, capsys):
    def broken():
        raise RuntimeError("no kernel image\nis available")

    wrong = lambda: (jnp.array([0.5, jnp.nan]), jnp.array([0.5, 0.5]))
    tests = {"decay": doctor.decay, "off": lambda: (jnp.ones(2), jnp.array([1.0, 1.1])), "nan": wrong, "broken": broken}
    monkeypatch.setattr(doctor, "TESTS", tests)
    monkeypatch.setattr(doctor, "speeds", lambda: (1.0, 1.0))
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "WRONG: off, nan, broken" in said and "RuntimeError: no kernel image\n" in said


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.slow) for name in doctor.TESTS])
def test_each_closed_form_is_met(name):
    error, first, again = doctor.judged(doctor.TESTS[name])
    assert error < doctor.DOUBLE and first > 0 and again > 0
