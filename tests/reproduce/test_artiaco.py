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
from jaxtls.__main__ import main
from jaxtls.reproduce import FIGURES, _artiaco, artiaco_fig08, run
from jaxtls.reproduce._artiaco import Curves, average, level, power_law, times

NAMES = [name for name in FIGURES if name.startswith("artiaco")]
# Thousands of realizations of a separate NumPy program: plateau of C at eps = 0 with standard errors.
PLATEAU = {4: (0.2222, 4e-4), 6: (0.0913, 6e-4), 8: (0.0219, 3e-4), 10: (0.00368, 1.2e-4), 12: (4.0e-4, 2e-5)}
PEAK = {6: 0.196, 10: 0.182, 20: 0.173, 40: 0.168, 60: 0.166}
RANDOM = {2: 3 * np.pi / 16, 3: 0.3679, 4: 0.1255, 5: 0.01442, 6: 2.09e-4}
TINY = {
    "artiaco-3": {"QUICK": {4: 64, 8: 64}},
    "artiaco-4a": {"QUICK": {2: 400, 4: 400}},
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


@pytest.mark.slow
@pytest.mark.parametrize("name", list(TINY))
def test_figure_is_made(name, monkeypatch, tmp_path):
    shrink(monkeypatch, name)
    module, kept = FIGURES[name], {}
    compute = module.data
    monkeypatch.setattr(module, "data", lambda *args: kept.setdefault("data", compute(*args)))
    paths = run(name, tmp_path, progress=False)
    assert paths == [str(tmp_path / f"{name}.{kind}") for kind in ("png", "csv", "json")]
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
        # N = 2: C_12 = sin(theta_1) sin(theta_2) |sin 4Jt|, on average over spheres and phase (pi/4)² 2/pi
        near(data["plateau"], data["plateau_sem"], [np.pi / 16, PLATEAU[4][0]])
    if name == "artiaco-11":
        near(data["concurrence"], data["concurrence_sem"], [RANDOM[n] for n in (2, 3, 4)])


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in NAMES if n != "artiaco-11"])
def test_full_size_is_traced(name, monkeypatch):
    """Each program of the full size, not run; fits and picture of averages that never change."""
    asked = []

    def traced(one, key, count, **options):
        shapes = jax.eval_shape(one, key)
        asked.append(count)
        constant = lambda value: jax.tree.map(lambda x: np.full(x.shape, value), shapes)
        return SimpleNamespace(count=count, mean=constant(0.1), sem=constant(1e-4))

    monkeypatch.setattr(_artiaco, "ensemble", traced)
    figure = FIGURES[name].draw(FIGURES[name].data(quick=False))
    assert isinstance(figure, Figure) and min(asked) >= 1000


def test_figures_may_share_a_store(monkeypatch, tmp_path):
    """No two runs of any figures have one folder, in both sizes."""
    paths = []

    class Seen(Exception):
        pass

    def seen(one, key, count, **options):
        paths.append(options["store"])
        raise Seen

    monkeypatch.setattr(_artiaco, "ensemble", seen)
    ask = lambda **how: average(["concurrence"], 5, store=tmp_path, count=1, **how)
    late, early = times(-1, 7, 4), times(-4, 0, 8)
    asked = [
        {"ts": late, "vary": ("dissipation", (0.0, 1e-6, 1e-4))},
        {"ts": early, "vary": ("dissipation", (0.0, 1.0)), "window": (1e-3, 1.0)},
        {"ts": early, "vary": ("dissipation", (0.0, 1.0)), "window": (1e-3, 0.1)},
        {"ts": early, "vary": ("dissipation", (0.0, 0.5)), "window": (1e-3, 0.1)},
        {"ts": early, "vary": ("tunnelling", (0.1, 0.5))},
    ]
    assert len(late) == len(early)
    for how in asked + asked:
        with pytest.raises(Seen):
            ask(**how)
    assert len(set(paths)) == len(asked) and paths[: len(asked)] == paths[len(asked) :]


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
    # Noise that moves all times together moves no slope: what is left of the variance is rounding of its terms, some
    # eps * .01^2, or clipped at 0, as the processor has it.
    rounding = 0.01 * np.sqrt(np.finfo(float).eps)
    assert fit.exponent_sem < rounding and fit.weighted_sem < rounding


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


@pytest.mark.slow
def test_average_against_the_model(tmp_path):
    # mean, standard error and covariance from realizations computed one by one
    ts, count, what = times(-3, -2, 2), 6, "half_system_entropy"
    vary = ("dissipation", (0.0, 1.0))
    curves = average([what, "bloch_vectors"], 4, ts, count, vary=vary, window=(1e-3, 1e-2), store=tmp_path)
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("half_system_entropy-bloch_vectors-dissipation-N4-")
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
    t, law = np.geomspace(1e-5, 1, 31), artiaco_fig08.StretchedExponential(2e-5, 5e-3, 0.4)
    ratio = np.exp(np.asarray(law.log(jnp.asarray(t))))
    found = artiaco_fig08.stretched(t, ratio, 1e-4 * ratio)
    assert_allclose(found[:3], [2e-5, 5e-3, 0.4], rtol=1e-3)


def test_store_is_handed_on(monkeypatch, tmp_path, capsys):
    asked = []

    def data(quick, progress, store=None):
        asked.append(store)
        if store == "full":
            raise OSError("no room for the store")
        return {"x": np.arange(3.0), "x_sem": np.ones(3)}

    monkeypatch.setitem(FIGURES, "toy", SimpleNamespace(__doc__="A toy.", data=data, draw=lambda data: plot.figure()))
    command = ["reproduce", "toy", "--quiet", "--force", "--out", str(tmp_path)]
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
def test_claims_of_fig_5(monkeypatch):
    # the paper: the smaller the tunnelling, the faster the decay
    module = FIGURES["artiaco-5"]
    monkeypatch.setattr(module, "QUICK", (20, 400))
    monkeypatch.setattr(module, "TUNNELLING", (0.01, 0.1, 1.0))
    data = module.data()
    beta, sem = data["beta"], data["beta_sem"]
    assert np.all(np.diff(beta) < 0) and beta[0] - beta[-1] > 5 * np.hypot(sem[0], sem[-1])
    for c, since, until in zip(("C_D0.01", "C_D0.1", "C_D1"), data["beta_since"], data["beta_until"]):
        inside = data[c][(data["t"] >= since) & (data["t"] <= until)] / data[c].max()
        assert len(inside) >= 3 and np.all((inside < 1 / 3) & (inside > 1 / 100))


def entropy_of_two():
    """Plateau of S_E at N = 2: a TLS beside another one, on average over their spheres and over all phases.

    Its Bloch vector has length² z² + (1 - z²)(cos² a + y² sin² a), a = 4Jt, y that of the other along S0.
    """
    nodes, weights = np.polynomial.legendre.leggauss(60)
    z, y, a = np.meshgrid(nodes, nodes, np.pi / 4 * (nodes + 1), indexing="ij")
    length = np.sqrt(z**2 + (1 - z**2) * (np.cos(a) ** 2 + y**2 * np.sin(a) ** 2))
    p = np.stack([1 + length, 1 - length]) / 2
    return np.einsum("pijk,i,j,k->", -p * np.log(p), weights, weights, weights) / 8


@pytest.mark.slow
def test_claims_of_fig_6(monkeypatch):
    module = FIGURES["artiaco-6"]
    monkeypatch.setattr(module, "QUICK", {2: 400, 4: 200, 6: 100})
    data = module.data()
    n, plateau, sem = data["n_tls"], data["plateau"], data["plateau_sem"]
    near(plateau[0], sem[0], entropy_of_two())
    # a volume law: the slope of S_E in N is positive, and no half has more than its dimension allows
    rule = (n - n.mean()) / np.sum((n - n.mean()) ** 2)
    assert rule @ plateau > 5 * np.linalg.norm(rule * sem)
    assert np.all(plateau < n / 2 * np.log(2))
    for k in n:
        entropy, error, c = (data[name] for name in (f"S_N{k:g}", f"S_N{k:g}_sem", f"C_N{k:g}"))
        top = np.argmax(c)
        assert np.all(np.diff(entropy) > -5 * np.hypot(error[1:], error[:-1]))  # it never falls
    # and still grows where pairs are entangled most, at N = 6, as fewer keep their entanglement
    assert entropy[-1] - entropy[top] > 5 * np.hypot(error[-1], error[top])


@pytest.mark.slow
def test_claims_of_fig_7(monkeypatch):
    module = FIGURES["artiaco-7"]
    monkeypatch.setattr(module, "QUICK", {6: 600, 20: 100})
    data = module.data()
    top, sem, time = (data[name].reshape(2, 3) for name in ("peak", "peak_sem", "peak_time"))
    near(top[:, 0], sem[:, 0] + 1e-3, [PEAK[6], PEAK[20]])
    near(top[0, 2], sem[0, 2] + 1e-3, 0.108)
    # dissipation lowers the maximum and brings it forward; little of it does not
    assert np.all(top[:, 0] - top[:, 2] > 5 * np.hypot(sem[:, 0], sem[:, 2])) and np.all(time[:, 2] < time[:, 0])
    assert_allclose(top[:, 1], top[:, 0], rtol=1e-3)
    assert_allclose(time[:, 1], time[:, 0])
    # in the end nothing is left: strong dissipation is through, weak one at least with most of the plateau
    closed, weak = data["C_eps0_N6"], data["C_eps1e-06_N6"]
    assert data["C_eps1_N6"][-1] < 1e-9
    assert closed[-1] > 5 * data["C_eps0_N6_sem"][-1] and weak[-1] < 0.05 * closed[-1]


@pytest.mark.slow
def test_claims_of_fig_8(monkeypatch):
    module = FIGURES["artiaco-8"]
    monkeypatch.setattr(module, "QUICK", {5: 800})
    data = module.data()
    stretch, sem = data["stretch"][0], data["stretch_sem"][0]
    assert 5 * sem < stretch < 1 - 5 * sem  # stretched, not an exponential
    assert_allclose(stretch, 0.2, atol=0.1)  # the paper's, to its digit
    # once the plateau is reached time enters as eps t alone: two decades apart, C is the same
    late = (data["t"][:-8] >= 1e2) & (data["t"][8:] <= 1e6)
    weak, weak_sem, strong, strong_sem = (
        data[f"ratio_eps{e}_N5{x}"] for e in ("1e-06", "0.0001") for x in ("", "_sem")
    )
    near(weak[8:][late], weak_sem[8:][late], strong[:-8][late], strong_sem[:-8][late])


@pytest.mark.slow
def test_claims_of_fig_9(monkeypatch):
    module = FIGURES["artiaco-9"]
    monkeypatch.setattr(module, "QUICK", {5: 1000, 6: 1000, 20: 400})
    data = module.data()
    near(data["late_beta_o"], data["late_beta_o_sem"], [0.83, 0.88], [0.02, 0.01])
    near(data["beta_o"][-1], data["beta_o_sem"][-1], 3.18, 0.07)
    near(data["beta_i"][-1], data["beta_i_sem"][-1], 3.17, 0.05)
    # larger than what N <= 9 shows, as the paper expects; the plateau makes beta_i the smaller one at small N
    assert data["beta_o"][-1] - data["beta_o"][0] > 5 * np.hypot(data["beta_o_sem"][-1], data["beta_o_sem"][0])
    small = slice(0, 2)
    assert np.all(data["beta_o"][small] - data["beta_i"][small] > 5 * np.hypot(data["beta_o_sem"], 0)[small])


@pytest.mark.slow
def test_claims_of_fig_10(monkeypatch):
    module = FIGURES["artiaco-10"]
    monkeypatch.setattr(module, "QUICK", {2: 400, 4: 150})
    data = module.data()
    t = data["t"]
    for n in (2, 4):
        closed, weak, strong = (data[f"S_eps{e}_N{n}"] for e in ("0", "1e-06", "1"))
        error = data[f"S_eps1e-06_N{n}_sem"]
        # the first step is that of the closed glass, the second goes higher, and at T = 0 the end is a pure state
        first = (t > 0.1) & (t < 1)
        assert_allclose(weak[first], closed[first], atol=2e-3)
        top = np.argmax(weak)
        assert t[top] > 1 and weak[top] - weak[first].mean() > 5 * error[top]
        assert strong[-1] < 1e-6 and np.argmax(strong) < np.argmax(weak)
        assert weak[-1] < 0.3 * closed[-1]
    near(data["S_eps0_N2"][-1], data["S_eps0_N2_sem"][-1], entropy_of_two() / 2)


@pytest.mark.slow
def test_claims_of_fig_11():
    data = FIGURES["artiaco-11"].data()
    near(data["concurrence"][0], data["concurrence_sem"][0], RANDOM[2])
    assert_allclose(data["concurrence"], [*RANDOM.values()], rtol=0.05)
    assert_allclose([data["a"][0], data["b"][0]], [0.127, 1.009], atol=2e-3)
