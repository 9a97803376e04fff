"""Holds what the figures of Artiaco, Balducci & Scardicchio share: averages over their disorder, fits, and looks.

Energies in W = 1 eV, times in hbar/W. Every average has the standard error of its mean. An exponent is the slope of
ln C against ln t over a stated window, by least squares: of equal weight at the times, which are equally spaced in
ln t, and beside it weighted by the errors of ln C. For a power law the two agree; where the curve bends, the weights
put the line through the first, best known points. Their errors are propagated from the covariance of the mean between
all times of the window, since one realization moves all of them. A window ends early where C falls below 3 standard
errors.
"""

from __future__ import annotations

import hashlib
import math
import os
import pathlib
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .. import TLSGlass, ensemble, fit_power_law, plot, random_bloch_vectors
from ..fitting.power_law import line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TIME = r"time $t$  [$\hbar/W$]"
CONCURRENCE = r"mean concurrence $C(t)$"
ENTROPY = r"half-system entropy per TLS $S_E(t)/N$"
DECAY = (10**-2.5, 10**-1.75)  # the decay from the peak, before small N reach their plateau
LATE = (1e-2, 1.0)
STYLES = ("-", "--", "-.", ":")


class Curves(NamedTuple):
    """Holds averages over disorder: for each observable (K, T) at K values of one parameter."""

    ts: np.ndarray
    mean: dict[str, np.ndarray]
    sem: dict[str, np.ndarray]
    fitted: np.ndarray  # which times, (T,) bool
    covariance: np.ndarray  # of the mean of the first observable between these times, (K, W, W)


class PowerLaw(NamedTuple):
    """Holds C = amplitude t^-exponent at equal weights; the exponent at weights 1/sem² of ln C; standard errors."""

    exponent: float
    exponent_sem: float
    amplitude: float
    weighted: float
    weighted_sem: float
    since: float  # the first time of the fit
    until: float  # the last


def times(first: int, last: int, per_decade: int) -> np.ndarray:
    """Gives logarithmic times from 10^first to 10^last [hbar/W]."""
    return np.logspace(first, last, (last - first) * per_decade + 1)


def average(
    observables: Sequence[str],
    n_tls: int,
    ts: np.ndarray,
    count: int,
    *,
    vary: tuple[str, Sequence[float]] = ("dissipation", (0.0,)),
    window: tuple[float, float] | None = None,
    store: str | os.PathLike | None = None,
    progress: bool = False,
    **parameters: Any,
) -> Curves:
    """Averages observables of random glasses from random product states, the same draws for each value of a parameter.

    Arguments:
        observables: methods of `TLSGlass` of (bloch, ts).
        n_tls: number of TLSs.
        ts: times [hbar/W].
        count: realizations.
        vary: a parameter of `TLSGlass.sample` and its K values.
        window: times between which the covariance of the first observable is kept.
        store: folder in which this run has a store of its own, to be resumed; None keeps nothing.
        progress: show a bar on stderr.
        parameters: of `TLSGlass.sample`; a closed glass unless they say otherwise.

    Returns:
        Curves.
    """
    name, values = vary
    if name != "dissipation":
        parameters = {"dissipation": 0.0, **parameters}
    fitted = np.zeros(len(ts), bool) if window is None else _inside(ts, window)

    def one(key: Array) -> dict[str, Any]:
        disorder, start = jax.random.split(key)
        bloch = random_bloch_vectors(start, n_tls)

        def at(value: ArrayLike) -> dict[str, Any]:
            glass = TLSGlass.sample(disorder, n_tls, **{**parameters, name: value})
            return {observable: getattr(glass, observable)(bloch, jnp.asarray(ts)) for observable in observables}

        found = jax.lax.map(at, jnp.asarray(values))
        kept = found[observables[0]][:, np.flatnonzero(fitted)]
        return {**found, "products": kept[:, :, None] * kept[:, None, :]}

    # On a CPU "auto" compiles once more to ask for the memory, which these small programs do not need.
    # One device of it: virtual ones share its threads, and eigenvalues of matrices have been seen to hang on two.
    cpu = jax.default_backend() == "cpu"
    path = None
    if store is not None:
        what = "-".join((*observables, name, *(f"{k}{v:g}" for k, v in parameters.items())))
        # Figures may share a folder: what else tells two runs apart is in the last part.
        others = hashlib.sha256(repr((ts.tolist(), [*values], np.flatnonzero(fitted).tolist())).encode()).hexdigest()
        path = pathlib.Path(store) / f"{what}-N{n_tls}-{others[:8]}"
        path.parent.mkdir(parents=True, exist_ok=True)
    # Matrices of half of the system fill a core's cache one glass at a time: 27 ms each for 16 at once, 19 for one.
    batch = 2**14 // 4 ** (n_tls // 2) if "half_system_entropy" in observables else 256 // n_tls
    size: dict[str, Any] = {"batch_size": min(max(1, batch), count), "devices": 1} if cpu else {}
    r = ensemble(one, jax.random.key(2022), count, store=path, progress=progress, **size)
    # In the order of the observables: a tree that went through jax is sorted.
    mean, sem = ({k: np.asarray(tree[k]) for k in observables} for tree in (r.mean, r.sem))
    products = np.asarray(r.mean["products"])
    kept = mean[observables[0]][:, fitted]
    covariance = (products - kept[:, :, None] * kept[:, None, :]) / max(1, r.count - 1)
    return Curves(np.asarray(ts), mean, sem, fitted, covariance)


def columns(curves: Curves, observable: str, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """Gives the mean and standard error of each curve under "label" and "label_sem"."""
    found: dict[str, np.ndarray] = {}
    for label, mean, sem in zip(labels, curves.mean[observable], curves.sem[observable], strict=True):
        found |= {label: mean, f"{label}_sem": sem}
    return found


def power_law(curves: Curves, k: int = 0, window: tuple[float, float] = DECAY) -> PowerLaw:
    """Gives the exponent of curve k of the first observable over a window; see the head of this file."""
    ts, mean = curves.ts[curves.fitted], next(iter(curves.mean.values()))[k, curves.fitted]
    fits = partial(fit_power_law, ts, mean, covariance=curves.covariance[k], window=window)
    try:
        law, weighted = fits(), fits(weights="errors")
    except ValueError:
        # Too few times above the noise: a gap in the table, not the end of the figure.
        return PowerLaw(*[math.nan] * 7)
    return PowerLaw(*law[:3], *weighted[:2], *law[3:])


def exponents(fits: dict[Any, PowerLaw], prefix: str) -> dict[str, np.ndarray]:
    """Gives columns of the numbers of several fits."""
    names = ("", "_sem", "_amplitude", "_weighted", "_weighted_sem", "_since", "_until")
    return {prefix + name: column for name, column in zip(names, np.array([*fits.values()], float).T, strict=True)}


def level(curves: Curves, k: int, window: tuple[float, float]) -> tuple[float, float]:
    """Gives the mean of curve k of the first observable over the times of a window, and its standard error."""
    inside = _inside(curves.ts, window)
    here = inside[curves.fitted]
    mean = next(iter(curves.mean.values()))[k, inside].mean()
    return float(mean), math.sqrt(curves.covariance[k][np.ix_(here, here)].mean())


def logarithm(curves: Curves, k: int, window: tuple[float, float]) -> tuple[float, float, float]:
    """Gives the slope in ln t of curve k of the first observable over a window at equal weights, error, and level."""
    here = _inside(curves.ts, window)[curves.fitted]
    x, mean = np.log(curves.ts[curves.fitted][here]), next(iter(curves.mean.values()))[k, curves.fitted][here]
    rule, height = line(x, mean, np.ones_like(x))
    return float(rule @ mean), math.sqrt(max(0.0, rule @ curves.covariance[k][np.ix_(here, here)] @ rule)), height


def _inside(ts: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    return (ts >= window[0] * (1 - 1e-9)) & (ts <= window[1] * (1 + 1e-9))


# --- looks -----------------------------------------------------------------------------------------------------------


def draw_curve(ax: Axes, ts: np.ndarray, data: dict[str, np.ndarray], name: str, **looks: Any) -> None:
    """Draws data[name] with a band of one standard error, where it is more than two standard errors from zero."""
    mean, sem = data[name], data[f"{name}_sem"]
    sure = mean > 2 * sem
    shown = np.where(sure, mean, np.nan)
    looks = {"lw": 1.4, **looks}
    line = ax.plot(ts, shown, **looks)[0]
    ax.fill_between(ts, shown - sem, shown + sem, color=line.get_color(), alpha=0.25, lw=0)


def draw_power_laws(ax: Axes, data: dict[str, np.ndarray], prefix: str, **looks: Any) -> None:
    """Draws the fits of `exponents`, dashed, over their windows; a `label` names them once."""
    looks = {"color": plot.BLACK, "ls": (0, (3, 2)), "lw": 1.1, "zorder": 3, **looks}
    for beta, amplitude, *ends in zip(*(data[prefix + x] for x in ("", "_amplitude", "_since", "_until")), strict=True):
        if np.isfinite(beta):
            ax.plot(ends, amplitude * np.array(ends) ** -beta, **looks)
            looks.pop("label", None)


def dress(ax: Axes, x: str, y: str, letter: str = "") -> None:
    """Puts labels, grid and the panel's letter."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if letter:
        ax.set_title(f"({letter})", loc="left", fontsize=10)
    plot.tidy(ax)


def tex(value: float) -> str:
    """Writes a dissipation as 0, 1 or 10^-6."""
    power = 0 if value in (0, 1) else round(math.log10(value))
    return f"{value:g}" if power == 0 else f"10^{{{power}}}"
