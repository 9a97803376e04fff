"""Searches for a spring's parameters in a basis that is small, and then shown to be large enough."""

from __future__ import annotations

import dataclasses
import warnings
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .._progress import Progress
from ..dynamics import evolve
from ..fitting import FitResult, Positive, fit
from ..models.spring import EntropicSpring

RTOL = 1e-4  # of the integration in the fit: far below any error bar
TOLERANCE = 0.05  # error bars by which the fit's basis may move a point
RING_DOWN_LEVELS, FINER, MOST_ROUNDS = 64, 2, 6


class Traces(NamedTuple):
    """Holds times and what was measured at them."""

    times: Array
    data: dict[str, Array]


class Trial(eqx.Module):
    """Describes a spring by its effective frequency in place of omega.

    The data fix omega_eff = omega sqrt(p(B)) a hundred times better than omega or B alone. In (omega, B) that makes a
    curved valley, which least squares follow in small steps; in (omega_eff, B) the valley is straight.
    """

    spring: EntropicSpring
    gamma: Array | None
    splitting: Array
    frequency: Array

    def build(self) -> EntropicSpring:
        """Makes the spring of these values (omega_0 = 0): omega = omega_eff sqrt(1 + e^{beta B})."""
        omega = self.frequency * jnp.sqrt(1 + jnp.exp(self.spring.beta * self.splitting))
        return dataclasses.replace(self.spring, gamma=self.gamma, splitting=self.splitting, omega=omega)


def search_both(
    auto: EntropicSpring,
    alpha: float,
    traces: Traces,
    sigma: dict[str, Array] | None,
    n_starts: int,
    progress: Progress,
) -> tuple[FitResult, float]:
    """Fits gamma, splitting, omega of <x> and <x^2>: fit, compare with a basis that `evolve` chooses, enlarge, repeat.

    Arguments:
        auto: the spring to start from.
        alpha: amplitude of its start.
        traces: what was measured.
        sigma: its error bars, if any.
        n_starts: searches.
        progress: where to say what is being done.

    Returns:
        The fit, and the largest difference that the larger basis makes, in error bars.
    """
    ts, data = traces

    def predict(spring: EntropicSpring) -> dict[str, Array]:
        return _traces(spring, alpha, ts, tuple(data))

    values = auto
    n_levels, n_modes = _start_basis(auto, alpha)
    while True:
        model = dataclasses.replace(values, n_levels=n_levels, n_modes=n_modes)
        progress.stage(f"search {len(ts)} times, {auto.n_spins} TLSs, {n_levels} levels, {n_modes} excitations")
        trial = Trial(model, model.gamma, model.splitting, model.effective_frequency)
        free = {name: Positive() for name in ("gamma", "splitting", "frequency")}
        counted = progress.count(lambda trial: predict(trial.build()))
        f = fit(counted, trial, data, sigma=sigma, free=free, n_starts=n_starts, key=jax.random.key(0))
        progress.done(f"chi² {float(f.chi2):.4g}")
        progress.stage("fit gamma, splitting, omega from there")
        free = {name: Positive() for name in ("gamma", "splitting", "omega")}
        f = fit(progress.count(predict), f.model.build(), data, sigma=sigma, free=free)
        progress.done(f"chi² {float(f.chi2):.4g} of {int(f.dof)}")

        progress.stage("check the basis")
        values = dataclasses.replace(f.model, n_levels=None, n_modes="auto")
        sol = evolve(values, values.coherent_state(alpha), ts, observables=tuple(data))
        moved = _moved({name: sol.observables[name] - f.predicted[name] for name in data}, f, data, sigma)
        progress.done(f"moves the fit by {moved:.1g} error bars")
        larger = max(n_levels, int(sol.stats["n_levels"])), max(n_modes, int(sol.stats["n_coefficients"]) - 1)
        if moved < TOLERANCE or larger == (n_levels, n_modes):
            return f, moved
        n_levels, n_modes = larger


def search_ring_down(
    auto: EntropicSpring,
    alpha: float,
    traces: Traces,
    sigma: dict[str, Array] | None,
    n_starts: int,
    progress: Progress,
) -> tuple[FitResult, float]:
    """Fits gamma and omega of <x> alone, by defect correction; arguments and result as of `search_both`.

    <x> sees the heated tails a little: by hundreds of levels, whose derivatives would take minutes. So the derivatives
    are those of a small basis, and what one of twice the levels adds at the optimum (the defect) is added to its
    predictions; fit and defect are repeated until the defect stays. The result is that of the larger basis. The
    difference returned is the whole defect, all of which is included: bases larger still add a fraction of it.
    """
    ts, data = traces
    n_levels, n_modes = _start_basis(auto, alpha)
    n_levels = max(n_levels, RING_DOWN_LEVELS)
    model = dataclasses.replace(auto, n_levels=n_levels, n_modes=n_modes)
    free = {name: Positive() for name in ("gamma", "omega")}
    defect = {"x": jnp.zeros_like(data["x"])}

    def predict(spring: EntropicSpring) -> dict[str, Array]:
        return _traces(spring, alpha, ts, ("x",))

    kept = eqx.filter_jit(progress.count(predict))  # compiled once for all rounds
    last = np.inf
    for _ in range(MOST_ROUNDS):
        progress.stage(f"fit {len(ts)} times, {auto.n_spins} TLSs, {n_levels} levels, {n_modes} excitations")
        target = {"x": data["x"] - defect["x"]}
        f = fit(kept, model, target, sigma=sigma, free=free, n_starts=n_starts, key=jax.random.key(0))
        progress.done(f"chi² {float(f.chi2):.4g} of {int(f.dof)}")
        f = dataclasses.replace(f, predicted={"x": f.predicted["x"] + defect["x"]})
        model, n_starts = f.model, 1
        if last < TOLERANCE:
            break
        progress.stage("add what a larger basis adds")
        large = dataclasses.replace(model, n_levels=FINER * n_levels, n_modes=min(n_modes + 1, int(auto.n_spins)))
        found = _traces(large, alpha, ts, ("x",))["x"]
        change = found - f.predicted["x"]
        last = _moved({"x": change}, f, data, sigma)
        defect = {"x": defect["x"] + change}
        progress.done(f"moves the fit by {last:.1g} error bars")
    return f, _moved(defect, f, data, sigma)


def _start_basis(auto: EntropicSpring, alpha: float) -> tuple[int, int]:
    return auto.coherent_state(alpha).shape[-1] + 16, min(2, int(auto.n_spins))


def _traces(spring: EntropicSpring, alpha: float, ts: Array, names: tuple[str, ...]) -> dict[str, Array]:
    with warnings.catch_warnings():
        # a population at the cut-off is no news: what it moves is what is measured in the end
        warnings.filterwarnings("ignore", message="truncation|hierarchy")
        sol = evolve(spring, spring.coherent_state(alpha), ts, observables=names, rtol=RTOL, throw=False)
    return {name: sol.observables[name] for name in names}


def _moved(change: dict[str, Array], f: FitResult, data: dict[str, Array], sigma: dict[str, Array] | None) -> float:
    """Give the largest change of a point, in error bars; in units of the scatter where none were given."""
    scatter = {name: np.sqrt(np.mean((data[name] - f.predicted[name]) ** 2)) for name in data}
    bars = scatter if sigma is None else sigma
    return float(max(np.max(np.abs(change[name] / bars[name])) for name in data))
