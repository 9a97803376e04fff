"""Fits of traces whose quality factors are known: values, calibrated errors, and what is refused."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt

from . import oracle

LINE = {"a": 0.03, "alpha": 1.0, "tau": 4e-8}
PLAIN = {"f_r": 5e9, "Q_i": 2e5, "Q_c": 1e5, "phi": 0.2} | LINE
WIDTH = 5e9 / (2e5 / 3)
F = 5e9 + np.linspace(-10, 10, 401) * WIDTH
SIGMA = 3e-4


def noisy(f=F, sigma=SIGMA, seed=0, **changes):
    return oracle.trace(f, **(PLAIN | changes)) + oracle.noise(np.random.default_rng(seed), len(f), sigma)


def pulls(found, truth):
    names = {"f_r": "f_r", "Q_internal": "Q_i", "Q_coupling": "Q_c", "asymmetry": "phi", "delay": "tau"}
    names = {ours: theirs for ours, theirs in names.items() if ours in found.values}
    return [(found.values[ours] - truth[theirs]) / found.stderr[ours] for ours, theirs in names.items()]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["notch", "reflection", "transmission"])
def test_errors_are_calibrated(form):
    """Pulls of many random resonators at many noise levels have mean 0 and deviation 1."""
    rng, all_pulls = np.random.default_rng(3), []
    for _ in range(25):
        truth, f, z, diameter = oracle.draw(rng, form)
        z = z + oracle.noise(rng, len(f), diameter * 10 ** rng.uniform(-3, -1.4))
        found = jt.fit_trace(f, z, form=form, gain=truth["a"] if form == "transmission" else None)
        assert found.success, found
        all_pulls.append(pulls(found, truth))
    mean, spread = np.mean(all_pulls, 0), np.std(all_pulls, 0)
    assert np.all(np.abs(mean) < 3.5 / np.sqrt(25)), mean
    assert np.all((spread > 0.6) & (spread < 1.45)), spread


@given(
    share=st.floats(0.1, 0.9),
    phi=st.floats(-1.0, 1.0),
    tau=st.floats(0, 1e-7),
    alpha=st.floats(-3.1, 3.1),
    place=st.floats(-6, 6),
)
@settings(max_examples=10, deadline=None)
def test_without_noise_the_truth_comes_back(share, phi, tau, alpha, place):
    """Over- and undercoupled, lopsided, behind any cable, anywhere in the span."""
    truth = PLAIN | {"Q_i": 1e5 / (1 - share), "Q_c": 1e5 / share, "phi": phi, "tau": tau, "alpha": alpha}
    f = 5e9 + (place + np.linspace(-10, 10, 201)) * 5e4
    found = jt.fit_trace(f, oracle.trace(f, **truth))
    assert found.success, found
    np.testing.assert_allclose(found.values["Q_internal"], truth["Q_i"], rtol=1e-6)
    np.testing.assert_allclose(found.values["Q_coupling"], truth["Q_c"], rtol=1e-6)
    np.testing.assert_allclose(found.values["f_r"], 5e9, rtol=1e-12)
    np.testing.assert_allclose(found.model.response(f), oracle.trace(f, **truth), atol=1e-9)


def test_units_order_and_grid_do_not_matter():
    z = noisy()
    one = jt.fit_trace(F, z)
    mixed = np.random.default_rng(1).permutation(len(F))
    other = jt.fit_trace(F[mixed], 1e3 * np.exp(2j) * z[mixed])
    np.testing.assert_allclose(other.values["Q_internal"], one.values["Q_internal"], rtol=1e-6)
    # Dense at the resonance, sparse beside it, as analysers with segments measure.
    uneven = 5e9 + 10 * WIDTH * np.linspace(-1, 1, 201) ** 3
    found = jt.fit_trace(uneven, noisy(uneven))
    assert found.success and max(map(abs, pulls(found, PLAIN))) < 4


def test_a_trace_of_the_other_sign_of_time_is_conjugated_and_says_so():
    one, other = jt.fit_trace(F, noisy()), jt.fit_trace(F, noisy().conj())
    assert other.success and "conjugate" in other.notes[0]
    assert other.values == pytest.approx(one.values)


@pytest.mark.slow
def test_residuals_that_hang_together_widen_the_errors():
    """A first-order autoregression: pulls stay of order one."""
    all_pulls = []
    f = F[::2]
    for seed in range(16):
        e = oracle.noise(np.random.default_rng(seed), len(f), SIGMA)
        for i in range(1, len(e)):
            e[i] = 0.7 * e[i - 1] + np.sqrt(1 - 0.7**2) * e[i]
        found = jt.fit_trace(f, oracle.trace(f, **PLAIN) + e)
        assert found.success and any("hang together" in note for note in found.notes)
        all_pulls.append(pulls(found, PLAIN)[:3])
    assert np.all(np.std(all_pulls, 0) < 1.6) and np.all(np.std(all_pulls, 0) > 0.5)


def test_a_glitch_is_left_out_and_named():
    for i in (30, 201):
        z = noisy()
        z[i] += 0.02
        found = jt.fit_trace(F, z)
        assert found.success and f"{F[i]:.9g}" in found.notes[0]
        assert len(found.frequencies) == len(F) - 1 and max(map(abs, pulls(found, PLAIN))) < 4


def test_a_tilted_line_is_fitted_too():
    found = jt.fit_trace(F, noisy() * np.exp(0.3 * (F - 5e9) / (F[-1] - F[0])))
    assert found.success and "tilted" in found.notes[0] and max(map(abs, pulls(found, PLAIN))) < 4
    np.testing.assert_allclose(found.model.tilt * (F[-1] - F[0]) / 5e9, 0.3, atol=0.01)


def refused(f, z, *words, **options):
    found = jt.fit_trace(f, z, name="r1.s2p", **options)
    assert not found.success
    for word in words:
        assert word in found.reason, found.reason
    assert "REFUSED" in repr(found)


def test_noise_is_no_resonance():
    rng = np.random.default_rng(0)
    for n in (21, 101, 401):
        f = np.linspace(4.99e9, 5.01e9, n)
        for line in (0.0, 10.0):
            refused(f, line * np.exp(-2j * np.pi * f * 4e-8) + oracle.noise(rng, n, 1.0), "noise")


def test_a_resonance_outside_or_at_the_edge_of_the_span_is_refused():
    for shift, word in ((14, "outside"), (9.8, "span")):
        refused(F + shift * WIDTH, noisy(F + shift * WIDTH), word)


def test_a_span_within_the_linewidth_is_refused():
    f = 5e9 + np.linspace(-0.45, 0.45, 401) * WIDTH
    assert not jt.fit_trace(f, noisy(f)).success


@pytest.mark.parametrize("points", [1.5, 3.0])
def test_too_few_points_are_refused(points):
    f = 5e9 + (0.3 + np.arange(-50, 51)) * WIDTH / points
    refused(f, noisy(f), "too few points", "finer step")


def test_few_points_that_suffice_have_calibrated_errors():
    f = 5e9 + (0.3 + np.arange(-40, 41)) * WIDTH / 5
    found = [jt.fit_trace(f, noisy(f, seed=seed)) for seed in range(20)]
    spread = np.std([pulls(one, PLAIN)[:3] for one in found if one.success], 0)
    assert sum(one.success for one in found) == 20 and np.all((spread > 0.55) & (spread < 1.5)), spread


def test_a_circle_that_no_passive_resonator_draws_is_refused():
    refused(F, noisy(form="reflection"), "Q_internal is negative", "reflection")
    refused(F, noisy(form="transmission", phi=0.0), "form is another")


def test_an_overcoupled_resonator_does_not_tell_its_internal_loss():
    refused(F, noisy(Q_i=3e7), "Q_internal is not determined")


def test_two_resonances_and_a_bifurcation_are_refused():
    second = oracle.trace(F, f_r=5e9 + 3 * WIDTH, Q_i=2e5, Q_c=1e5)
    refused(F, noisy() * second, "structure")
    # Duffing: the detuning follows the number n of photons, swept upwards along the branch.
    x, n, response = (F - 5e9) / WIDTH, 0.0, []
    for detuning in x:
        roots = np.roots([4.0, -8 * detuning, 4 * detuning**2 + 1, -1])
        real = roots[np.abs(roots.imag) < 1e-7].real
        n = real[np.argmin(np.abs(real - n))]
        response.append(1 - 0.6 / (1 + 2j * (detuning - n)))
    refused(F, 0.03 * np.array(response) + oracle.noise(np.random.default_rng(0), 401, SIGMA), "structure")


def test_transmission_needs_the_line_or_the_coupling():
    z = noisy(form="transmission", phi=0.0, sigma=3e-5)
    refused(F, z, "Q_loaded = 6666", form="transmission")
    for known in ({"gain": 0.03}, {"Q_coupling": 1e5}):
        found = jt.fit_trace(F, z, form="transmission", **known)
        assert found.success and abs(found.values["Q_internal"] - 2e5) < 4 * found.stderr["Q_internal"]
    refused(F, z, "negative", form="transmission", gain=0.01)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"frequencies": F / 1e9}, "frequencies"),
        ({"s21": np.abs(noisy())}, "s21"),
        ({"s21": noisy()[:-1]}, "s21"),
        ({"s21": np.where(F > 5e9, np.nan, noisy())}, "s21"),
        ({"frequencies": F[:5], "s21": noisy()[:5]}, "frequencies"),
        ({"gain": 1.0}, "gain"),
        ({"form": "hanger"}, "form"),
        ({"form": "transmission", "gain": -1.0}, "gain"),
        ({"form": "transmission", "gain": 1.0, "Q_coupling": 1e5}, "gain"),
    ],
)
def test_bad_input_is_refused_by_name(change, word):
    with pytest.raises(ValueError, match=f"`{word}"):
        jt.fit_trace(**({"frequencies": F, "s21": noisy()} | change))


def test_in_single_precision_it_is_the_same():
    z = noisy()
    double = jt.fit_trace(F, z)
    with jax.enable_x64(False):
        single = jt.fit_trace(F, z)
    for name in ("Q_internal", "Q_coupling", "f_r"):
        assert abs(single.values[name] - double.values[name]) < 0.05 * double.stderr[name]
        assert single.stderr[name] == pytest.approx(double.stderr[name], rel=0.01)
