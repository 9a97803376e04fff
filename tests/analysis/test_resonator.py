"""`analyse_resonator` on made data: truth recovered, verdicts that can be trusted, forms that contain each other."""

import math

import numpy as np
import pytest

import jaxtls as jt
from jaxtls.analysis.resonator import groups
from jaxtls.analysis.resonator.bootstrap import half_width
from jaxtls.analysis.resonator.measured import drives_of, levels_of
from jaxtls.analysis.resonator.verdict import judge

F = 5e9
N = np.geomspace(0.01, 1e6, 14)
LAW = {"frequency": F, "loss_tangent": 3e-6, "critical_power": 5.0, "photon_exponent": 0.8, "constant_loss": 2e-7}


def sweep(form="standard", noise=0.02, seed=3, **changes):
    """One temperature, fourteen drives, noise of 2 %."""
    truth = jt.ResonatorLoss(**{**LAW, **changes}, saturation=form)
    q = np.asarray(truth.quality_factor(0.01, N))
    return q * np.exp(noise * np.random.default_rng(seed).standard_normal(len(N))), 0.02 * q


def analyse(q, sigma, n=N, T=0.01, **options):
    T = np.broadcast_to(np.asarray(T, float), q.shape)
    return jt.analyse_resonator(T, n, q, sigma=sigma, frequency=F, **options)


@pytest.mark.parametrize("form", ["standard", "earnest", "power", "logarithmic"])
def test_a_power_sweep_gives_back_its_law(form):
    changes = {"photon_exponent": 0.12, "critical_power": 0.5} if form == "logarithmic" else {}
    found = analyse(*sweep(form, **changes), saturation=form)
    assert found.verdict.word == "TLS" and found.verdict.upper_limit is None and not found.has_gap
    assert "critical_temperature" not in found.fit.names and found.fit.success
    for name, value in {**LAW, **changes}.items():
        if name in found.fit.names:
            assert abs(float(found.fit.values[name]) - value) < 3.5 * float(found.fit.stderr[name]), name
    low, high = found.loss_tangent.interval
    assert low < found.loss_tangent.value < high
    # a profile is what the linearised error is the first term of
    assert (high - low) / 2 == pytest.approx(found.loss_tangent.stderr, rel=0.35)


def test_auto_says_by_how_much_the_form_moves_the_answer():
    found = analyse(*sweep())
    chi2 = {row["form"]: row["chi2"] for row in found.comparison}
    assert all(chi2[form] <= chi2["none"] * 1.001 <= chi2["no TLS"] * 1.002 for form in chi2 if form != "no TLS")
    if any("describe the data about as well" in note for note in found.notes):
        assert found.form == "standard"
    assert [row["form"] for row in found.comparison if row["used"]] == [found.form]


def test_a_cold_sweep_without_tls_says_so():
    rng = np.random.default_rng(0)
    q = 2e6 * np.exp(0.01 * rng.standard_normal(len(N)))
    T = np.tile([0.02, 0.5], len(N) // 2)
    found = analyse(q, 0.01 * q, T=T)
    assert found.verdict.word == "no TLS" and found.verdict.upper_limit < 1.5e-7
    # one temperature, no saturation: TLSs of any number may hide in the constant
    found = analyse(q, 0.01 * q, saturation="none")
    assert found.verdict.word == "cannot tell" and found.verdict.upper_limit is None


def test_errors_too_small_widen_the_headline():
    q, sigma = sweep()
    right, narrow = analyse(q, sigma, saturation="standard"), analyse(q, sigma / 5, saturation="standard")
    assert narrow.scale == pytest.approx(5 * math.sqrt(float(right.fit.chi2) / right.fit.dof), rel=1e-3)
    assert narrow.loss_tangent.stderr == pytest.approx(right.loss_tangent.stderr * narrow.scale / 5, rel=1e-2)
    assert "widened" in " ".join(narrow.notes) and right.scale == 1


def test_no_error_bars():
    q, sigma = sweep()
    found = analyse(q, None, saturation="standard", bootstrap=24)
    with_bars = analyse(q, sigma, saturation="standard")
    assert found.loss_tangent.value == pytest.approx(with_bars.loss_tangent.value, rel=0.1)
    assert 0.2 < found.loss_tangent.stderr / with_bars.loss_tangent.stderr < 4
    assert found.verdict.word == "TLS"


def test_tc_lies_above_the_hottest_row_or_is_off():
    T = np.array([0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.4, 1.8])
    for hot in (0.0, 3e-2):
        truth = jt.ResonatorLoss(**LAW, critical_temperature=9.0, quasiparticle_amplitude=hot, saturation="none")
        q = np.asarray(truth.quality_factor(T, 1.0))
        found = analyse(q, 0.005 * q, n=np.ones(8), T=T)
        assert found.has_gap == (hot > 0)
        assert float(found.model.critical_temperature) > 1.8 if hot else "critical_temperature" not in found.fit.names
        assert found.verdict.word == "TLS"


def test_aluminium_near_its_gap():
    """T/Tc up to 0.8 below 1 K: the dilute law misses it, and is not taken."""
    T = np.linspace(0.05, 1.0, 16)
    law = {"frequency": F, "loss_tangent": 5e-6, "critical_temperature": 1.2, "quasiparticle_amplitude": 0.05}
    for kind in ("mattis-bardeen", "dilute"):
        hot = T if kind == "mattis-bardeen" else T / 2
        truth = jt.ResonatorLoss(**law, constant_loss=1e-6, saturation="none", quasiparticles=kind)
        q = np.asarray(truth.quality_factor(hot, 1.0))
        found = analyse(q, 0.01 * q, n=np.ones(16), T=hot)
        assert found.model.quasiparticles == kind and float(found.fit.chi2) < 1.0
        assert float(found.model.critical_temperature) == pytest.approx(1.2, rel=0.01)


def test_a_tangent_that_ran_to_zero_has_a_limit():
    T, rng = np.linspace(0.05, 1.1, 16), np.random.default_rng(7)
    truth = jt.ResonatorLoss(
        frequency=F, loss_tangent=1e-9, critical_temperature=1.2, quasiparticle_amplitude=0.05, constant_loss=1e-6,
        saturation="none", quasiparticles="mattis-bardeen",
    )  # fmt: skip
    q = np.asarray(truth.quality_factor(T, 10.0))
    for _ in range(4):
        noisy = q * np.exp(0.02 * rng.standard_normal(16))
        found = analyse(noisy, 0.02 * q, n=np.full(16, 10.0), T=T)
        assert found.verdict.word == "no TLS" and found.verdict.upper_limit < 4e-7, found.verdict


@pytest.mark.slow
def test_one_number_behind_loss_and_shift():
    T = np.array([0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0])
    truth = jt.ResonatorLoss(
        **{**LAW, "loss_tangent": 4e-5}, critical_temperature=9.0, quasiparticle_amplitude=0.3, saturation="standard",
        quasiparticles="mattis-bardeen",
    )  # fmt: skip
    t, n = (g.ravel() for g in np.meshgrid(T, [1.0, 1e2, 1e4]))
    q, moved = np.asarray(truth.quality_factor(t, n)), np.asarray(truth.frequency_shift(T))
    found = jt.analyse_resonator(
        t, n, q, sigma=0.01 * q, frequency=F, shift=(T, moved - moved[0], np.full(8, 2e-7)), saturation="standard"
    )
    for name in ("F tan delta", "F tan delta, loss alone", "F tan delta, shift alone"):
        assert found.derived[name].value == pytest.approx(4e-5, rel=0.01), name
    assert "Loss and shift agree" in " ".join(found.notes)
    assert found.derived["kinetic fraction"].value == pytest.approx(np.pi / 4 * 0.3, rel=0.05)
    held = jt.analyse_resonator(
        t, n, q, sigma=0.01 * q, frequency=F, saturation="standard", held={"critical_temperature": 9.0}
    )
    assert held.held == {"critical_temperature": 9.0} and "critical_temperature" not in held.fit.names
    assert float(held.model.critical_temperature) == 9.0


def test_photon_numbers_that_follow_q_make_one_drive():
    q = np.tile(np.array([1.0, 1.5, 2.0, 1.2]), 3) * 1e5
    power, t = np.repeat([1.0, 100.0, 1e4], 4), np.tile([0.1, 0.2, 0.3, 0.4], 3)
    for exponent in (0.0, 1.0, 2.0):
        assert drives_of(power * (q / 1e5) ** exponent, q, t).tolist() == np.repeat([0, 1, 2], 4).tolist()
    assert levels_of(np.array([0.1, 0.2, 0.101])).tolist() == [0, 1, 0]


@pytest.mark.parametrize("step", [2.0, 1.0, 0.5, 0.1])  # dB
def test_fine_sweeps_are_many_drives(step):
    """Also deep in saturation, where Q^2 follows n as it does at one drive."""
    n = 10 ** np.arange(2, 2 + 60 * step / 10, step / 10)
    for q in (np.sqrt(n) * 1e5, np.full(len(n), 1e5)):
        assert drives_of(n, q, np.full(len(n), 0.01)).max() >= 1
    # a fine sweep of temperature at one drive is one drive and many temperatures
    t, q = np.linspace(0.1, 0.8, 200), np.linspace(1e5, 2e5, 200)
    assert drives_of(7e-9 * q**2, q, t).max() == 0 and levels_of(t).max() > 10


def test_a_sweep_in_steps_of_one_decibel_is_a_sweep():
    n = np.geomspace(0.1, 1e5, 61)
    q = np.asarray(jt.ResonatorLoss(**LAW, saturation="standard").quality_factor(0.01, n))
    found = analyse(q, 0.02 * q, n=n)
    assert found.verdict.word == "TLS" and found.form == "standard"
    assert found.loss_tangent.value == pytest.approx(LAW["loss_tangent"], rel=1e-3)


def test_what_is_held_is_checked_and_said():
    q, sigma = sweep()
    all_held = {"loss_tangent": 1e-6, "constant_loss": 1e-7, "critical_power": 1.0, "photon_exponent": 1.0}
    for held, words in (
        ({"critical_power": 0.0}, "above zero"),
        ({"critical_temperature": 0.005}, "above the hottest row"),
        (all_held, "free"),
    ):
        with pytest.raises(ValueError, match=words):
            analyse(q, sigma, held=held)
    found = analyse(q, sigma, held={"temperature_exponent": 0.5}, saturation="standard")
    assert "no part of the form standard: temperature_exponent" in " ".join(found.notes)
    assert analyse(q, sigma, held={"loss_tangent": 0.0}).verdict.word == "cannot tell"
    assert "nothing else loses energy" in analyse(q, sigma, held={"constant_loss": 0.0}).verdict.text


def test_too_few_rows_for_a_saturating_form_say_so():
    n = np.geomspace(0.1, 1e5, 4)
    q = np.asarray(jt.ResonatorLoss(**LAW, saturation="standard").quality_factor(0.01, n))
    found = analyse(q, 0.02 * q, n=n)
    assert found.verdict.word == "cannot tell" and "too few" in found.verdict.text
    assert "--hold photon_exponent" in " ".join(found.notes)
    assert analyse(q, 0.02 * q, n=n, held={"photon_exponent": 0.8}).verdict.word == "TLS"


def test_a_profile_that_ends_gives_an_error_where_the_linearised_model_has_none():
    """A logarithm of n whose constant has run to zero: F and beta move together, but not for ever."""
    n = np.geomspace(0.01, 1e6, 25)
    truth = jt.ResonatorLoss(
        frequency=F, loss_tangent=2e-6, critical_power=10.0, photon_exponent=0.1, saturation="logarithmic"
    )
    q = np.asarray(truth.quality_factor(0.01, n)) * np.exp(0.01 * np.random.default_rng(3).standard_normal(25))
    tangent = analyse(q, 0.01 * q, n=n, saturation="logarithmic").loss_tangent
    low, high = tangent.interval
    assert low < tangent.value < high and 0 < tangent.stderr < 1e-6


@pytest.mark.slow
def test_loss_and_shift_of_two_gaps_are_told_apart():
    """One F, but hot rows of the shift from another Tc: the joint fit says that it is not to be trusted."""
    t, n = (g.ravel() for g in np.meshgrid([0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2.0], [1.0, 1e2, 1e4]))
    cold = np.linspace(0.05, 2.0, 12)
    law = {**LAW, "loss_tangent": 4e-5, "quasiparticle_amplitude": 0.3, "saturation": "standard"}
    q = np.asarray(jt.ResonatorLoss(**law, critical_temperature=9.0).quality_factor(t, n))
    moved = np.asarray(jt.ResonatorLoss(**law, critical_temperature=7.0).frequency_shift(cold))
    found = jt.analyse_resonator(
        t, n, q, sigma=0.01 * q, frequency=F, shift=(cold, moved, np.full(12, 2e-7)), saturation="standard",
        quasiparticles="dilute",
    )  # fmt: skip
    assert "one law of quasiparticles" in " ".join(found.notes)
    for name in ("F tan delta, loss alone", "F tan delta, shift alone"):
        assert found.derived[name].value == pytest.approx(4e-5, rel=0.01), name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frequency": 5.0}, "GHz"),
        ({"frequency": 5000.0}, "MHz"),
        ({"frequency": 5e18}, "at most"),
        ({"temperature": np.full(14, 60.0)}, "mK"),
        ({"temperature": np.full(14, 1e-5)}, "T_mK"),
        ({"quality_factor": np.full(14, 1e-6)}, "losses"),
        ({"sigma": np.full(14, 1e9)}, "below Q itself"),
        ({"sigma": np.full(14, 30.0)}, "scatter"),
        ({"sigma": np.full(14, 0.02)}, "relative errors"),
        ({"saturation": "crow"}, "`saturation`"),
        ({"held": {"Tc": 1.0}}, "`held`"),
        ({"quality_factor": N[:3]}, "`temperature`"),
        ({"photon_number": np.ones(14)}, "sweep the drive"),
    ],
)
def test_refusals_name_the_remedy(change, words):
    q, sigma = sweep()
    good = {"temperature": np.full(14, 0.01), "photon_number": N, "quality_factor": q, "sigma": sigma, "frequency": F}
    with pytest.raises(ValueError, match=words):
        jt.analyse_resonator(**{**good, **change})


def test_verdicts():
    assert judge(400.0, 1.0, 0.9, 1e-6, 1e-5, 0.9).word == "TLS"
    assert judge(400.0, 20.0, 0.9, 1e-6, 1e-5, 0.9).word == "cannot tell"  # no form describes the data
    assert judge(1.0, 1.0, 0.0, 1e-8, 1e-7, 0.1).upper_limit == 1e-7
    assert judge(1.0, 1.0, 0.0, 1e-8, None, None).word == "cannot tell"
    assert judge(1.0, 1.0, 0.0, 1e-8, 1e-5, 0.99).word == "cannot tell"
    hint = judge(9.0, 1.0, 0.5, 1e-6, 2e-6, 0.4)
    assert hint.word == "cannot tell" and "3 standard errors" in hint.text and hint.upper_limit is None


def test_a_batch_has_a_mean_and_a_spread():
    rng = np.random.default_rng(2)
    errors = np.full(200, 0.2)
    values = 1.5 + 0.4 * rng.standard_normal(200) + errors * rng.standard_normal(200)
    mean, mean_error, spread, spread_error = groups.random_effects(values, errors)
    assert abs(mean - 1.5) < 3 * mean_error and abs(spread - 0.4) < 3 * spread_error
    assert mean_error == pytest.approx(math.sqrt((0.4**2 + 0.2**2) / 200), rel=0.15)
    # without any spread beyond the errors it is compatible with none
    _, _, none, error = groups.random_effects(1.5 + errors * rng.standard_normal(200), errors)
    assert none < 3 * error + 0.1


def test_half_width_is_a_standard_error():
    assert half_width(np.random.default_rng(0).standard_normal(100_000)) == pytest.approx(1, rel=0.02)
