"""The heated oscillator's benchmark: its matrices are jaxtls's model, and its command runs."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from benchmarks import harness, heated, peers_engine

from .runs import rows


@pytest.mark.filterwarnings("ignore:truncation")
def test_matrices_are_the_models():
    ts = np.linspace(0.0, 0.2, 3)
    model = jt.TLSHeatedOscillator(**heated.PARAMETERS, n_levels=8)
    found = jt.evolve(model, model.thermal_state(), jnp.asarray(ts), rtol=2e-8, atol=1e-11).observables["n"]
    np.testing.assert_allclose(found, peers_engine.exact(heated.problem(8), ts)["n"], atol=1e-7)


def test_command_line(tmp_path, monkeypatch):
    def part(settings):
        assert settings == heated.Settings(quick=True, peers=False)
        yield harness.Row("trivial", "row", {"levels": 1}, warm=0.5)

    monkeypatch.setitem(heated.PARTS, "peers", part)
    assert [row["warm"] for row in rows("heated", "peers", tmp_path, "--no-peers")] == [0.5]
