"""From files to the F tan delta of the TLSs, and what is left out on the way."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt

from . import oracle

F = 5e9 + np.linspace(-1.2e6, 1.2e6, 301)


def write(path, Q_i, seed=0, **changes):
    rng = np.random.default_rng(seed)
    s = oracle.trace(F, **({"f_r": 5e9, "Q_i": Q_i, "Q_c": 5e4, "phi": 0.1, "a": 0.03, "tau": 4e-8} | changes))
    path.write_text(oracle.touchstone(F, s + oracle.noise(rng, 301, 1e-4)))


def test_a_temperature_sweep_gives_the_loss_tangent(tmp_path):
    """Files of an analyser to F tan delta with its error, in a few lines."""
    truth = jt.ResonatorLoss(frequency=5e9, loss_tangent=2e-5, constant_loss=2e-6, saturation="none")
    kelvins = np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.5])
    for i, kelvin in enumerate(kelvins):
        write(tmp_path / f"r1_{1e3 * kelvin:.0f}mK.s2p", float(truth.quality_factor(kelvin, 0.0)), i)
    table = jt.fit_traces(sorted(tmp_path.glob("*.s2p")))
    assert len(table) == 6 and not table.refused and "power_dBm" not in table.columns
    T, q = (jnp.asarray(table.columns[name]) for name in ("T_K", "Q_internal"))
    sigma = jnp.asarray(table.columns["sigma_Q_internal"]) / q**2
    start = jt.ResonatorLoss(frequency=5e9, loss_tangent=1e-6, constant_loss=1e-6, saturation="none")
    free = {"loss_tangent": jt.Positive(), "constant_loss": jt.Positive()}
    fit = jt.fit(lambda m: m.loss(T, 0.0), start, 1 / q, sigma=sigma, free=free)
    assert fit.success and float(fit.p_value) > 1e-3
    assert abs(fit.values["loss_tangent"] - 2e-5) < 4 * fit.stderr["loss_tangent"] < 2e-6


def test_what_cannot_be_read_or_trusted_is_left_out_with_its_reason(tmp_path):
    write(tmp_path / "a_-40dBm.s2p", 1e5)
    write(tmp_path / "b_-30dBm.s2p", 1e5, form="reflection")
    write(tmp_path / "c.s2p", 1e5)
    (tmp_path / "d.s2p").write_text("hello")
    table = jt.fit_traces([*sorted(tmp_path.glob("*.s2p")), tmp_path / "e.npy"])
    assert table.names == ("a_-40dBm.s2p",) and table.columns["power_dBm"].tolist() == [-40.0]
    reasons = dict(table.refused)
    expected = {"b_-30dBm.s2p": "negative", "c.s2p": "power", "d.s2p": "line 1", "e.npy": "`path`"}
    assert set(reasons) == set(expected) and all(word in reasons[name] for name, word in expected.items())
    assert all(name in repr(table) for name in [*table.names, *expected])


def test_options_win_over_names_and_go_one_a_file(tmp_path):
    for i in range(2):
        write(tmp_path / f"r{i}_20mK.s2p", 1e5, i)
    paths = sorted(tmp_path.glob("*.s2p"))
    table = jt.fit_traces(paths, temperature=0.03, power_dBm=[-50.0, -40.0])
    assert table.columns["T_K"].tolist() == [0.03, 0.03] and table.columns["power_dBm"].tolist() == [-50.0, -40.0]
    assert {len(column) for column in table.columns.values()} == {2}
    with pytest.raises(ValueError, match="`power_dBm`"):
        jt.fit_traces(paths, power_dBm=[-50.0, -40.0, -30.0])
    with pytest.raises(ValueError, match="`temperature`"):
        jt.fit_traces(paths, temperature=-1.0)


def test_one_port_is_reflection(tmp_path):
    s = oracle.trace(F, f_r=5e9, Q_i=1e5, Q_c=5e4, form="reflection")
    (tmp_path / "r.s1p").write_text(oracle.touchstone(F, s, ports=1))
    table = jt.fit_traces([tmp_path / "r.s1p"])
    assert table.columns["Q_internal"] == pytest.approx(1e5) and table.columns["Q_coupling"] == pytest.approx(5e4)


def test_nothing_fitted_is_an_empty_table():
    table = jt.fit_traces([])
    assert len(table) == 0 and table.columns == {} and "0 of 0" in repr(table)
