"""Figures of Artiaco, Balducci & Scardicchio: small runs against numbers of a separate program, fits, files, resume."""

import csv
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls import plot
from jaxtls.reproduce import FIGURES, artiaco_fig08, run
from jaxtls.reproduce.__main__ import main
from jaxtls.reproduce._artiaco import Curves, average, level, power_law, times

NAMES = [name for name in FIGURES if name.startswith("artiaco")]
# Thousands of realizations of a separate NumPy program: plateau of C at eps = 0 with standard errors.
PLATEAU = {4: (0.2222, 4e-4), 6: (0.0913, 6e-4), 8: (0.0219, 3e-4), 10: (0.00368, 1.2e-4), 12: (4.0e-4, 2e-5)}
PEAK = {6: 0.196, 10: 0.182, 20: 0.173, 40: 0.168, 60: 0.166}
RANDOM = {2: 3 * np.pi / 16, 3: 0.3679, 4: 0.1255, 5: 0.01442, 6: 2.09e-4}
TINY = {
    "artiaco-3": {"QUICK": {4: 64, 8: 64}},
    "artiaco-4a": {"QUICK": {3: 32, 4: 400}},
    "artiaco-4b": {"QUICK": (5, 8)},
    "artiaco-5": {"QUICK": (5, 32), "TUNNELLING": (0.1, 1.0)},
    "artiaco-6": {"QUICK": {2: 8, 4: 8}},
    "artiaco-7": {"QUICK": {4: 32}},
    "artiaco-8": {"QUICK": {4: 64}},
    "artiaco-9": {"QUICK": {4: 64, 6: 64}},
    "artiaco-10": {"QUICK": {4: 8}},
    "artiaco-11": {"QUICK": 20, "STATES": 1000, "SIZES": (2, 3, 4)},
}


def shrink(monkeypatch, name):
    for constant, value in TINY[name].items():
        monkeypatch.setattr(FIGURES[name], constant, value)


def near(value, sem, expected, other=0.0):
    assert_allclose((value - expected) / np.hypot(sem, other), 0, atol=5)


def test_each_figure_has_a_tiny_size():
    assert sorted(TINY) == sorted(NAMES)


# One by default: the others take seconds to compile.
@pytest.mark.parametrize(
    "name",
    [n if n == "artiaco-11" else pytest.param(n, marks=pytest.mark.slow) for n in TINY],
)
def test_figure_is_made(name, monkeypatch, tmp_path):
    shrink(monkeypatch, name)
    module, kept = FIGURES[name], {}
    compute = module.data
    monkeypatch.setattr(module, "data", lambda *args: kept.setdefault("data", compute(*args)))
    paths = run(name, tmp_path, progress=False)
    assert paths == [str(tmp_path / f"{name}.{kind}") for kind in ("png", "csv")]
    data = kept["data"]
    with open(tmp_path / f"{name}.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    errors = [column for column in data if column.endswith("_sem")]
    assert errors
    for column in errors:
        # every error stands beside its mean, one for each value
        assert data[column].shape == data[column.removesuffix("_sem")].shape
        assert np.all(~(data[column] < 0))
    column = errors[0].removesuffix("_sem")
    assert_allclose([float(row[column]) for row in rows if row[column]], data[column], rtol=1e-11)
    figure = module.draw(data)
    assert isinstance(figure, Figure)
    assert all(ax.get_xlabel() or ax.get_ylabel() for ax in figure.axes)
    if name == "artiaco-4a":
        near(data["plateau"][1], data["plateau_sem"][1], *PLATEAU[4])
    if name == "artiaco-11":
        near(data["concurrence"], data["concurrence_sem"], [RANDOM[n] for n in (2, 3, 4)])


def bent(exponents, relative, seed=0, count=400):
    """Curves of a sum of power laws with known, fully correlated relative noise."""
    ts = times(-3, -1, 8)
    mean = sum(ts**-b for b in exponents)
    sem = relative * mean
    covariance = (np.outer(sem, sem))[None]
    return Curves(ts, {"concurrence": mean[None]}, {"concurrence": sem[None]}, np.ones(len(ts), bool), covariance)


def test_power_law_of_a_power_law():
    fit = power_law(bent([2.5], 0.01), 0, (1e-3, 1e-1))
    assert_allclose([fit.exponent, fit.weighted, fit.amplitude, fit.until], [2.5, 2.5, 1, 0.1], rtol=1e-12)
    # noise that moves all times together moves no slope
    assert fit.exponent_sem < 1e-12 and fit.weighted_sem < 1e-12


def test_power_law_ends_where_the_noise_begins():
    curves = bent([1.0], 0.01)
    curves.covariance[0, 9:, 9:] *= 1e6
    fit = power_law(curves, 0, (1e-3, 1e-1))
    assert_allclose([fit.until, fit.exponent], [curves.ts[8], 1], rtol=1e-12)
    curves.covariance[0] *= 1e6
    assert np.isnan(power_law(curves, 0, (1e-3, 1e-1)).exponent)


def test_errors_against_their_scatter():
    # C(t) = t^-b with random b and height: errors of slope and level against those of independent repetitions
    ts = times(-2, 0, 4)
    rng = np.random.default_rng(0)

    def repetition():
        heights, tilts = 1 + 0.3 * rng.normal(size=(2, 200))
        c = heights[:, None] * ts ** -(1 + 0.2 * tilts[:, None])
        mean, covariance = c.mean(0), np.cov(c.T) / len(c)
        sem = np.sqrt(np.diag(covariance))
        return Curves(ts, {"x": mean[None]}, {"x": sem[None]}, np.ones(len(ts), bool), covariance[None])

    fits, levels = zip(
        *[(power_law(c, 0, (1e-2, 1.0)), level(c, 0, (1e-2, 1.0))) for c in (repetition() for _ in range(400))]
    )
    for values in ([f[:2] for f in fits], [f[3:5] for f in fits], levels):
        value, error = np.array(values).T
        assert_allclose(np.sqrt(np.mean(error**2)) / np.std(value, ddof=1), 1, atol=0.15)


def test_average_against_the_model(tmp_path):
    # mean, standard error and covariance from realizations computed one by one
    ts, count, what = times(-3, -2, 2), 6, "half_system_entropy"
    vary = ("dissipation", (0.0, 1.0))
    curves = average([what, "bloch_vectors"], 4, ts, count, vary=vary, window=(1e-3, 1e-2), store=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["half_system_entropy-bloch_vectors-dissipation-N4-T3"]
    rows = []
    for i in range(count):
        disorder, start = jax.random.split(jax.random.fold_in(jax.random.key(2022), i))
        bloch = jt.random_bloch_vectors(start, 4)
        glasses = [jt.TLSGlass.sample(disorder, 4, dissipation=e) for e in (0.0, 1.0)]
        rows.append([getattr(glass, what)(bloch, jnp.asarray(ts)) for glass in glasses])
    rows = np.array(rows)
    assert_allclose(curves.mean[what], rows.mean(0), rtol=1e-9, atol=1e-12)
    assert_allclose(curves.sem[what], rows.std(0, ddof=1) / np.sqrt(count), rtol=1e-9, atol=1e-12)
    for k in range(2):
        assert_allclose(curves.covariance[k], np.cov(rows[:, k].T) / count, rtol=1e-7, atol=1e-14)
        means = rows[:, k].mean(axis=1)
        expected = means.mean(), means.std(ddof=1) / np.sqrt(count)
        assert_allclose(level(curves, k, (1e-3, 1e-2)), expected, rtol=1e-7)


def test_stretched_exponential_is_found_again():
    t, law = np.geomspace(1e-5, 1, 31), artiaco_fig08.StretchedExponential(1.05, 2e-5, 5e-3, 0.4)
    ratio = np.exp(np.asarray(law.log(jnp.asarray(t))))
    found = artiaco_fig08.stretched(t, ratio, 1e-4 * ratio)
    assert_allclose(found[:4], [1.05, 2e-5, 5e-3, 0.4], rtol=1e-3)


def test_store_is_handed_on(monkeypatch, tmp_path, capsys):
    asked = []

    def data(quick, progress, store=None):
        asked.append(store)
        if store == "full":
            raise OSError("no room for the store")
        return {"x": np.arange(3.0), "x_sem": np.ones(3)}

    monkeypatch.setitem(FIGURES, "toy", SimpleNamespace(__doc__="A toy.", data=data, draw=lambda data: plot.figure()))
    command = ["toy", "--quiet", "--out", str(tmp_path)]
    assert [main(command), main([*command, "--store", "kept"]), main([*command, "--store", "full"])] == [0, 0, 2]
    assert asked == [None, "kept", "full"]
    assert "no room for the store" in capsys.readouterr().err


# --- quick sizes against the separate program and the claims of the docstrings ----------------------------------------


@pytest.mark.slow
def test_claims_of_fig_3():
    data = FIGURES["artiaco-3"].data()
    for n in data["n_tls"]:
        c, sem = data[f"C_N{n:g}"], data[f"C_N{n:g}_sem"]
        top = np.argmax(c)
        assert 7e-4 < data["t"][top] < 2e-3
        if n in PEAK:
            # the peak lies between two times, by half a percent at most
            near(c[top], sem[top] + 1e-3, PEAK[n])
    expected = {20: (3.17, 0.05), 40: (3.66, 0.04), 60: (3.74, 0.04)}
    for n, beta, sem, weighted in zip(*(data[k] for k in ("n_fit", "beta", "beta_sem", "beta_weighted")), strict=True):
        if n in expected:
            near(beta, sem, *expected[n])
            assert weighted < beta - 2 * sem  # no power law: early times alone are flatter


@pytest.mark.slow
def test_claims_of_fig_4():
    data = FIGURES["artiaco-4a"].data()
    expected, errors = zip(*(PLATEAU[n] for n in data["n_tls"]), strict=True)
    near(data["plateau"], data["plateau_sem"], expected, errors)
    assert np.all(np.diff(data["alpha_local"]) > 0)
    near(data["alpha"], data["alpha_sem"], 0.794, 0.005)
    assert np.all(FIGURES["artiaco-4b"].data()["misfit"] < 1e-11)


@pytest.mark.slow
def test_claims_of_fig_11():
    data = FIGURES["artiaco-11"].data()
    near(data["concurrence"][0], data["concurrence_sem"][0], RANDOM[2])
    assert_allclose(data["concurrence"], [*RANDOM.values()], rtol=0.05)
    assert_allclose([data["a"][0], data["b"][0]], [0.127, 1.009], atol=2e-3)
