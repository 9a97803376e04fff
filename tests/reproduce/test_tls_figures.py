"""Figures of qubits and their TLSs: what their docstrings state, on smaller runs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from jaxtls.models.solid import TunnellingSolid
from jaxtls.models.tls_bath import expected_tls, filling_factor
from jaxtls.reproduce import cho_t1, klimov_t1, run


def test_field_map_holds_a_million_tls_and_the_participation_stated():
    solid = TunnellingSolid.preset("silica")
    fields, volumes = cho_t1.field_map(solid)
    band = (cho_t1.W - cho_t1.HALF_BAND, cho_t1.W + cho_t1.HALF_BAND)
    assert_allclose(expected_tls(solid, volumes=volumes, band=band), 1e6, rtol=1e-9)
    assert_allclose(filling_factor(fields, volumes, cho_t1.PERMITTIVITY, cho_t1.W), 2e-3, rtol=1e-9)
    # F² V goes as dr/r
    assert_allclose((fields**2 * volumes)[1:] / (fields**2 * volumes)[:-1], 1.0, rtol=1e-6)


@pytest.mark.slow
def test_few_tls_give_t1_only_where_they_are_near(monkeypatch, tmp_path):
    monkeypatch.setattr(cho_t1, "COUNT", 100_000)
    monkeypatch.setattr(cho_t1, "QUICK", 2)
    kept = {}
    compute = cho_t1.data
    monkeypatch.setattr(cho_t1, "data", lambda *args: kept.setdefault("data", compute(*args)))
    decays = cho_t1._decays
    monkeypatch.setattr(cho_t1, "_decays", lambda bath, *rest: decays(kept.setdefault("bath", bath), *rest))
    paths = run("cho-t1", tmp_path, progress=False)
    assert all((tmp_path / path.rsplit("/")[-1]).is_file() for path in paths)
    data = kept["data"]
    at = int(np.argmin(np.abs(data["kept"] - cho_t1.KEPT)))
    for r in range(2):
        strong, near = data[f"by_coupling_r{r}"], data[f"by_rate_r{r}"]
        assert_allclose([strong[-1], near[-1]], 1.0, rtol=1e-12)
        # those that contribute most are the best choice of that many
        assert np.all(strong >= near * (1 - 1e-12)) and 1.0 < near[at] < 1.2
        assert np.all(np.diff(strong) <= 1e-12 * strong[:-1]) and np.all(np.diff(near) <= 1e-12)
    assert max(data[f"by_coupling_r{r}"][at] for r in range(2)) > 1.5
    # A TLS keeps what it takes for 1/gamma, so it takes G gamma/(gamma + G) for good: what is left is second order.
    parts, gamma, t = cho_t1._contributions(kept["bath"]), 1 / cho_t1.LIFETIME, data["t"] * 1e-6
    held = np.sum(parts**2 / (gamma + parts)) / parts.sum()
    lasting = np.exp(-parts.sum() * (1 - held) * t)
    assert held < 0.1
    assert_allclose(data["solomon_all"], lasting, atol=2 * held**2 + 1e-4)
    assert_allclose(data["solomon_all"], data["golden_all"], atol=held / 2)
    # Coherence, which Solomon's equations leave out, is of the order (g/width)^2 of each TLS.
    coherent = np.sort(parts)[-cho_t1.KEPT :].sum() / gamma
    assert_allclose(data["exact_200"], data["solomon_200"], atol=coherent)


def test_allan_deviation_of_white_noise_and_of_a_line():
    noise = np.random.default_rng(0).normal(size=100_000)
    found = klimov_t1.allan_deviation(noise, np.array([1, 10, 100]))
    assert_allclose(found, [1.0, 10**-0.5, 0.1], rtol=0.06)
    line = np.arange(1000.0)
    assert_allclose(klimov_t1.allan_deviation(line, np.array([1, 10])), [2**-0.5, 10 / 2**0.5], rtol=1e-12)


@pytest.mark.slow
def test_one_fluctuator_and_many(tmp_path):
    data = klimov_t1.data()
    assert_allclose(np.unique(np.round(data["t1"], 1)), [6.9, 42.7])
    assert_allclose(data["allan"][:10], data["allan_exact"][:10], rtol=0.03)
    assert_allclose(data["allan"], data["allan_exact"], rtol=0.12)
    # 4000 records, of which the earliest hold few switchings
    bend = np.sqrt(-np.expm1(-klimov_t1.SLOW * data["lag"]) / (klimov_t1.SLOW * data["lag"]))
    assert_allclose(data["moved"], data["law"] * bend, rtol=0.06)
    assert data["rates"].size == data["scan"].size * data["frequency"].size
    assert len(klimov_t1.draw(data).axes) == 5
