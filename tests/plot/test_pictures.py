"""Pictures of states, sweeps, networks, power laws and fits hold what they were given."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls import plot
from jaxtls.plot import _states


def texts(ax):
    return [text.get_text() for text in ax.texts]


# --- states ----------------------------------------------------------------------------------------------------------


def test_wigner_of_one_quantum():
    xs, ps = np.linspace(-3, 3, 61), np.linspace(-2, 2, 41)
    ax = plot.wigner(jnp.array([0.0, 1.0]), xs, ps)
    r2 = ps[:, None] ** 2 + xs**2
    expected = (2 * r2 - 1) * np.exp(-r2) / np.pi
    picture = ax.collections[0]
    assert_allclose(picture.get_array().reshape(41, 61), expected, atol=1e-12)
    low, high = picture.get_clim()
    assert low == -high and "position" in ax.get_xlabel() and "hbar" in ax.get_ylabel()


def test_wigner_reaches_as_far_as_the_state(monkeypatch):
    monkeypatch.setattr(_states, "wigner_function", lambda state, xs, ps: np.outer(xs, ps))
    n = np.arange(60)
    coherent = np.exp(-8 + n * np.log(4.0) - np.cumsum(np.log(np.maximum(n, 1))) / 2)
    for state in (coherent, np.outer(coherent, coherent)):
        assert 4 * np.sqrt(2) + 2 < plot.wigner(state).get_xlim()[1] < 12


def test_populations_of_every_kind_of_state():
    p = np.array([0.6, 0.3, 0.1])
    for state in (p, np.sqrt(p), np.sqrt(p) * 1j, np.diag(p), np.diag(p).astype(complex)):
        ax = plot.populations(state)
        assert_allclose([bar.get_height() for bar in ax.patches], p)
    ax = plot.populations({"a": p, "b": p[::-1]}, kind="spins")
    assert_allclose([bar.get_height() for bar in ax.patches], [*p, *p[::-1]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_xlabel() == "excited TLSs $k$"
    # numbers of several sites are no state: they need not add up to one
    ax = plot.populations([0.6, 0.8], kind="sites")
    assert_allclose([bar.get_height() for bar in ax.patches], [0.6, 0.8])


def test_populations_in_time():
    ts, p = np.array([0.0, 1.0, 2.0]), np.array([[1.0, 0.0], [0.5, 0.5], [0.1, 0.9]])
    for states in (p, np.stack([np.diag(row) for row in p])):
        ax = plot.populations(states, ts=ts, time_label="time  [s]")
        shown = np.ma.filled(ax.collections[0].get_array(), np.nan).reshape(2, 3).T
        assert_allclose(10**shown, np.where(p > 0, p, np.nan))
        assert ax.get_xlabel() == "time  [s]"


def test_a_notebook_shows_a_figure_without_pyplot():
    assert plot.figure(1.0, 1.0)._repr_png_().startswith(b"\x89PNG")


# --- sweeps ----------------------------------------------------------------------------------------------------------


def test_sweep_is_upright():
    xs, ys = np.array([1.0, 10.0, 100.0]), np.array([0.1, 1.0])
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, np.nan]])
    ax = plot.sweep(xs, ys, values, labels=("f  [Hz]", "T  [K]"), value_label="R", scale="semilogx", levels=[2.5])
    picture = ax.collections[0]
    assert_allclose(np.ma.filled(picture.get_array(), np.nan).reshape(2, 3), values.T)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel(), picture.colorbar.ax.get_ylabel()) == ("f  [Hz]", "T  [K]", "R")
    assert len(ax.collections) > 1
    ax.figure.draw_without_rendering()


# --- networks --------------------------------------------------------------------------------------------------------


def network(**changes):
    fields = {"n_tls": 3, "rates": np.array([0.1, 0.0, 0.2]), "betas": np.array([0.5, 1.0, np.inf])}
    edge = np.array([[0, 0.25, 0], [0.25, 0, 0], [0, 0, 0]])
    fields |= {"coherent": edge, "incoherent": 0.5 * edge[::-1, ::-1]}
    balance = SimpleNamespace(
        populations=np.array([0.3, 0.2, 0.1]), heat_currents=np.array([0.04, 0.0, -0.03]), work_power=-0.01,
        entropy_production=np.inf, violates_second_law=False,
    )  # fmt: skip
    balance.__dict__.update(changes)
    return SimpleNamespace(balance=lambda state: balance, **fields)


def arrows(ax):
    return [(np.array(a.xyann), np.array(a.xy)) for a in ax.texts if a.arrow_patch is not None]


def test_heat_flows():
    ax = plot.heat_flows(network(), "state")
    said = texts(ax)
    assert {"0.300", "0.200", "0.100", "$T = 2$", "$T = 0$", "0.25", "0.125", "0.04", "0.03"} <= set(said)
    assert "$T = 1$" not in said  # a site without a bath has none
    assert ax.get_title() == "coupling noise -0.01, entropy production infinite"
    (tail, tip), (tail2, tip2) = arrows(ax)
    spots = ax.collections[0].get_offsets()
    assert np.linalg.norm(tip - spots[0]) < np.linalg.norm(tail - spots[0])  # heat comes in
    assert np.linalg.norm(tip2 - spots[2]) > np.linalg.norm(tail2 - spots[2])  # and leaves
    lines = {tuple(line.get_xdata()): line.get_linestyle() for line in ax.lines}
    assert lines == {(0.0, 1.5): "-", (1.5, 3.0): "--"}
    ax.figure.draw_without_rendering()


def test_heat_flows_say_where_the_second_law_fails():
    ax = plot.heat_flows(network(violates_second_law=True), "state", positions=[[0, 0], [0, 3], [1, 1]])
    assert "VIOLATED" in ax.get_title()
    assert_allclose(ax.collections[0].get_offsets(), [[0, 0], [0, 3], [1, 1]])


# --- power laws ------------------------------------------------------------------------------------------------------


def test_power_law_is_drawn_over_its_window():
    ts = np.geomspace(1e-3, 1.0, 13)
    mean = 2e-3 * ts**-1.5
    r = SimpleNamespace(mean={"C": mean, "S": mean[:-1]}, sem={"C": 0.01 * mean, "S": mean[:-1]})
    ax = plot.power_law(ts, r, (1e-2, 1e-1), label="N = 4", time_label="t  [s]")
    curve, fit = ax.lines
    assert_allclose(curve.get_xydata(), np.stack([ts, mean], 1))
    inside = ts[(ts > 0.99e-2) & (ts < 1.01e-1)]
    assert_allclose(fit.get_xydata(), np.stack([inside, 2e-3 * inside**-1.5], 1))
    (text,) = ax.get_legend().get_texts()
    assert text.get_text().startswith("N = 4, $t^{-1.500") and ax.get_xscale() == ax.get_yscale() == "log"
    plot.power_law(ts, SimpleNamespace(mean=mean / 3, sem=0 * mean), ax=ax, label="next", covariance=np.eye(13) * 1e-20)
    assert ax.get_xlabel() == "t  [s]" and len(ax.get_legend().get_texts()) == 2 and len(ax.lines) == 4


# --- fits ------------------------------------------------------------------------------------------------------------


def fit_result(predicted):
    return SimpleNamespace(
        predicted=predicted, names=("a", "g[0]"), values={"a": 1.0, "g": np.array([2.0])}, chi2=8.0, dof=4,
        stderr={"a": 0.1, "g": np.array([np.inf])}, correlation=np.array([[1.0, np.nan], [np.nan, np.nan]]),
    )  # fmt: skip


def test_fit_report_shows_data_residuals_and_correlations():
    x = np.arange(4.0)
    data, predicted = {"x": x, "R_S": 0.5}, {"x": x + 0.2, "R_S": 0.4}
    axes = plot.fit_report(fit_result(predicted), x, data, sigma={"x": 0.1, "R_S": 1.0}, x_label="time  [s]")
    top, rest, matrix = axes
    assert_allclose(top.lines[-1].get_xydata(), np.stack([x, x + 0.2], 1))
    assert_allclose(rest.lines[-1].get_xydata(), np.stack([x, np.full(4, -2.0)], 1))
    assert (top.get_ylabel(), rest.get_xlabel()) == (plot.LABELS["x"], "time  [s]")
    assert texts(matrix) == ["1"]  # what is not identified is left blank
    assert [label.get_text() for label in matrix.get_yticklabels()] == ["a\n1.00 ± 0.10", "g[0]\n2 ± inf"]
    assert "/dof = 2" in top.figure.get_suptitle()
    top.figure.draw_without_rendering()
    _, rest, _ = plot.fit_report(fit_result(x), x, x + 1, title="bare")
    assert rest.get_ylabel() == "residual" and rest.figure.get_suptitle() == "bare"
    assert_allclose(rest.lines[-1].get_ydata(), 1)


# --- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: plot.populations(np.eye(2), kind="atoms"), "`kind` must be one of fock"),
        (lambda: plot.populations(np.ones((2, 3))), "`states` must be"),
        (lambda: plot.populations(np.ones((2, 3)), ts=np.arange(3)), "`states` must have a leading axis"),
        (lambda: plot.sweep([1, 2], [1, 2, 3], np.ones((3, 2))), r"`values` must have shape \(2, 3\)"),
        (lambda: plot.sweep([2, 1], [1, 2], np.ones((2, 2))), "`xs` must be one-dimensional and ascending"),
        (lambda: plot.sweep([1, 2], [1, 2], np.ones((2, 2)), scale="log"), "`scale` must be among"),
        (lambda: plot.heat_flows(network(), 0, positions=[[0, 0]]), r"`positions` must have shape \(3, 2\)"),
        (lambda: plot.fit_report(fit_result({"x": 1.0}), np.ones(3), {"x": 1.0}), "`data` must hold an array"),
        (lambda: plot.fit_report(fit_result(1.0), np.ones(3), np.ones(3), sigma={"x": 1}), "`sigma` must be a number"),
    ],
)
def test_faults_are_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.slow
def test_ticks_of_a_narrow_range_differ():
    n = np.geomspace(1.0, 10.0, 12)
    for change in (3e-5, 3e-3, 0.3, 3.0):
        q = 1e5 * (1 + change * np.linspace(0, 1, 12))
        model = jt.ResonatorLoss(frequency=5e9, loss_tangent=4e-8, constant_loss=1e-5, saturation="standard")
        fig = plot.resonator_fit(np.full(12, 0.02), n, q, None, model)
        fig.canvas.draw()
        ax = fig.axes[0]
        low, high = ax.get_ylim()
        inside = [i for i, y in enumerate(ax.yaxis.get_majorticklocs()) if low <= y <= high]
        labels = [ax.yaxis.get_majorticklabels()[i].get_text() for i in inside]
        assert len(labels) >= 2 and len(set(labels)) == len(labels), (change, labels)
