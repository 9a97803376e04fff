"""Takes rows of T, n, Q (and shifts) to F tan delta with errors, its form and a verdict."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..._checks import require, size
from ..._nearest import did_you_mean
from ...fitting import FitResult
from ...models.resonator import FORMS, QUASIPARTICLES
from .choice import Choice, choose
from .errors import scaled
from .measured import Measured, collect
from .notes import doubt_of, notes_of
from .profile import Profile, profile
from .quantities import alone, derived_of, table_of
from .result import ResonatorAnalysis
from .search import NAMES, Optimum, Searcher
from .starts import sees_gap
from .verdict import Verdict, judge

ABOVE_ZERO = ("critical_power", "photon_exponent", "critical_temperature")
LEAST_TANGENT = 1e-13  # of which no resonator tells
TOO_SMALL = 300.0  # how many error bars the best form may miss the data by


def analyse_resonator(
    temperature: ArrayLike | None = None,
    photon_number: ArrayLike | None = None,
    quality_factor: ArrayLike | None = None,
    *,
    frequency: float,
    sigma: ArrayLike | None = None,
    shift: tuple[ArrayLike, ArrayLike, ArrayLike | None] | None = None,
    saturation: str = "auto",
    held: Mapping[str, float] | None = None,
    quasiparticles: str = "auto",
    n_starts: int = 4,
    bootstrap: int = 40,
    say: Callable[[str], None] | None = None,
) -> ResonatorAnalysis:
    r"""Fit the loss of a resonator, its frequency shift or both, choose a form, and say whether TLSs are seen.

        1/Q_i(T, n) = F delta tanh(hf/2kT) s(n, T) + quasiparticles(T) + c,   df/f by the same F delta

    Every saturation s that the data can tell apart is fitted (see `ResonatorLoss`) and AIC chooses. A term of
    quasiparticles is there only where a hot row asks for it, with Tc above the hottest row. Errors are scaled where
    chi2 says that error bars are too small; F tan delta and n_c have profile likelihoods, and so has the verdict.

    Arguments:
        temperature: T of each row [K], (R,); > 0. Columns of a pandas or Polars frame will do, here and below.
        photon_number: n of each row, or one number for all; >= 0.
        quality_factor: Q_i of each row; > 0. Without these three the shift is fitted alone.
        frequency: of the resonance [Hz].
        sigma: error of Q_i, (R,); without it the scatter gives errors, by a bootstrap over temperatures.
        shift: temperatures [K], fractional frequency shifts from any zero, and their errors or None; (S,) each.
        saturation: "auto" or a form of `ResonatorLoss`.
        held: parameter name -> value not to be fitted.
        quasiparticles: "mattis-bardeen", which holds up to Tc, "dilute", for kT far below the gap, or "auto": the
            former, below 1 K the one that describes the data better.
        n_starts: starting points of each form.
        bootstrap: draws for errors of data that have none; 0 for those of the linearised model.
        say: called with a line on what is being done.

    Returns:
        A `ResonatorAnalysis`.

    Raises:
        ValueError: if an argument is out of range, in what looks like another unit, or too short to be fitted.

    Example:
        >>> n = np.geomspace(0.1, 1e5, 12)
        >>> truth = jt.ResonatorLoss(frequency=5e9, loss_tangent=2e-6, critical_power=10.0, photon_exponent=0.9,
        ...                          constant_loss=2e-7, saturation="standard")
        >>> q = np.asarray(truth.quality_factor(0.02, n))
        >>> found = jt.analyse_resonator(np.full(12, 0.02), n, q, frequency=5e9, sigma=0.02 * q)
        >>> abs(found.model.loss_tangent / 2e-6 - 1) < 0.02, found.form
        (Array(True, dtype=bool), 'standard')

    Source: J. Gao, PhD thesis, Caltech (2008); S. A. Murphy and A. W. van der Vaart, J. Am. Stat. Assoc. 95, 449 (2000)
    (profile likelihood).
    """
    measured = collect(temperature, photon_number, quality_factor, sigma, frequency, shift)
    fixed = _held(held or {})
    allowed = ("auto", *FORMS)
    require(saturation in allowed, "saturation", f"be one of {', '.join(map(repr, allowed))}", repr(saturation))
    laws = ("auto", *QUASIPARTICLES)
    known = quasiparticles in laws
    require(known, "quasiparticles", f"be one of {', '.join(map(repr, laws))}", repr(quasiparticles))
    gap = _wants_gap(measured, fixed)
    _check_rows(measured)
    tell = say or (lambda line: None)
    searcher, choice = _chosen(
        measured, quasiparticles, lambda s: choose(s, saturation, gap, fixed, size("n_starts", n_starts), tell)
    )
    tell("profile likelihoods")
    best, profiles = _profiles(searcher, choice)
    fit, scale = scaled(
        searcher, choice.chosen, choice.free[choice.chosen], best, size("bootstrap", bootstrap, 0), tell
    )
    _check_bars(measured, choice)
    tangent = float(fit.model.loss_tangent)
    require(
        tangent <= 1.0, "quality_factor", "give F tan delta below 1", f"{tangent:.3g}",
        "A frequency in other units than Hz, or temperatures in mK, would do this.",
    )  # fmt: skip
    fit = _bounded(fit, profiles, choice.excess(choice.chosen) if scale > 1 else 1.0)
    derived = derived_of(searcher, choice, fit, scale, profiles)
    apart = math.inf
    if len(measured.quality) and len(measured.shift):
        each, apart = alone(searcher, choice, fixed)
        derived |= each
    verdict = _verdict(searcher, choice, best, profiles).doubted(doubt_of(measured))
    notes = notes_of(measured, searcher, choice, scale, derived, apart, fixed, verdict.word, bootstrap)
    table = table_of(searcher, choice)
    return ResonatorAnalysis(
        measured, choice.chosen, choice.has_gap, fit, scale, fixed, derived, table, verdict, profiles, notes
    )


def _held(held: Mapping[str, float]) -> dict[str, float]:
    for name, value in held.items():
        require(name in NAMES, "held", f"name one of {', '.join(NAMES)}", repr(name), did_you_mean(name, NAMES))
        signed, above = name in ("temperature_exponent", "shift_offset"), name in ABOVE_ZERO
        good = math.isfinite(value) and (signed or value > 0 or (value == 0 and not above))
        require(good, f"held[{name!r}]", "be finite and " + ("above zero" if above else "not negative"), value)
    return {name: float(value) for name, value in held.items()}


def _chosen(
    measured: Measured, quasiparticles: str, choose_form: Callable[[Searcher], Choice]
) -> tuple[Searcher, Choice]:
    """Choose a form by the law of quasiparticles that describes the data better; above 1 K no dilute one is tried."""
    laws = [quasiparticles]
    if quasiparticles == "auto":
        laws = ["mattis-bardeen", "dilute"] if measured.hottest <= 1.0 else ["mattis-bardeen"]
    found: list[tuple[float, Searcher, Choice]] = []
    for law in laws:
        searcher = Searcher(measured, law)
        searcher.sigma = measured.errors(0.1, 1e-6)
        choice = choose_form(searcher)
        # error bars that were not given are those of each law's own scatter
        found.append((choice.best.chi2 + 2 * float(np.sum(np.log(searcher.sigma))), searcher, choice))
        if not choice.has_gap:
            break
    _, searcher, choice = min(found, key=lambda item: item[0])
    return searcher, choice


def _wants_gap(m: Measured, fixed: Mapping[str, float]) -> bool:
    """Say whether a term of quasiparticles is tried: where a row asks for it, or the caller does."""
    tc, amplitude = fixed.get("critical_temperature"), fixed.get("quasiparticle_amplitude")
    if amplitude == 0:
        return False
    remedy = "The superconductor is normal there: leave out those rows."
    require(
        tc is None or tc > m.hottest, "held['critical_temperature']", f"lie above the hottest row, {m.hottest:g} K", tc,
        remedy,
    )  # fmt: skip
    return tc is not None or amplitude is not None or sees_gap(m)


def _bounded(fit: FitResult, profiles: dict[str, Profile], unit: float) -> FitResult:
    """Give half the 68 % interval as error where the linearised model knows none, but the profile likelihood does."""
    errors = dict(fit.stderr)
    covariance = np.array(fit.covariance)
    for name, found in profiles.items():
        ends = found.crossing(unit, False), found.crossing(unit, True)
        if not math.isfinite(float(errors[name])) and None not in ends:
            low, high = (end for end in ends if end is not None)
            at = fit.names.index(name)
            # how it moves with the others is not in a profile
            covariance[at], covariance[:, at] = np.nan, np.nan
            errors[name], covariance[at, at] = jnp.asarray((high - low) / 2), ((high - low) / 2) ** 2
    return dataclasses.replace(fit, stderr=errors, covariance=jnp.asarray(covariance))


def _check_bars(m: Measured, choice: Choice) -> None:
    """Error bars of which the best of all forms misses hundreds are of another kind."""
    if not m.known:
        return
    least = min(choice.excess(name) for name in choice.forms if name != "no TLS")
    remedy = "Are they relative, of a mean, or in another unit? Without them the scatter gives the errors."
    require(
        least < TOO_SMALL**2, "sigma", "be as large as what the data scatter by", f"{math.sqrt(least):.2g} times less",
        remedy,
    )  # fmt: skip


def _check_rows(m: Measured) -> None:
    least = 4
    many = len(m.data)
    require(
        many >= least, "quality_factor", f"have at least {least} rows", many, "Measure other drives or temperatures."
    )
    loss_tells = len(set(m.photons.tolist())) > 1 or len(set(m.temperature.tolist())) > 1
    remedy = "Neither can tell TLSs from a constant loss: sweep the drive or the temperature."
    require(
        loss_tells or bool(len(m.shift)), "photon_number", "differ between rows, or temperature", "one of each", remedy
    )


def _profiles(searcher: Searcher, choice: Choice) -> tuple[Optimum, dict[str, Profile]]:
    """Make profiles of F and of the critical photon number, from the lowest optimum that they meet."""
    free, best = choice.free[choice.chosen], choice.best
    for _ in range(2):
        dof = max(len(searcher.data) - len(free), 1)
        unit = max(1.0, best.chi2 / dof)
        found: dict[str, Profile] = {}
        for name in ("loss_tangent", "critical_power"):
            value = float(best.values[NAMES.index(name)])
            if name in free and value > 0:
                error = searcher.relative_error(choice.chosen, free, best, name) * math.sqrt(unit)
                begin = _off_zero(best) if name == "loss_tangent" else best
                found[name] = profile(searcher, choice.chosen, free, begin, name, error, unit)
        better = [p.better for p in found.values() if p.better is not None]
        if not better:
            break
        low = min(better, key=lambda optimum: optimum.chi2)
        best = min(searcher.run(choice.chosen, free, low.values[None]), key=lambda optimum: optimum.chi2)
        choice.forms[choice.chosen] = best
    return best, found


def _off_zero(best: Optimum) -> Optimum:
    """Give the optimum an F that a profile can leave: one that ran to zero is too many decades away from a limit."""
    values = best.values.copy()
    values[0] = max(values[0], LEAST_TANGENT)
    return dataclasses.replace(best, values=values)


def _verdict(searcher: Searcher, choice: Choice, best: Optimum, profiles: dict[str, Profile]) -> Verdict:
    without, unit = choice.forms["no TLS"].chi2, choice.excess(choice.chosen)
    tangent = float(best.values[0])
    limit = profiles["loss_tangent"].crossing(4 * unit, True) if "loss_tangent" in profiles else None
    share = None
    m = searcher.measured
    if limit is not None and len(m.quality):
        coldest = int(min(range(len(m.quality)), key=lambda i: (m.temperature[i], m.photons[i])))
        share = searcher.tls_share(choice.chosen, best, coldest) / max(tangent, 1e-300) * limit
    explained = 1 - best.chi2 / without if without > 0 else 0.0
    return judge((without - best.chi2) / unit, unit, explained, tangent, limit, share, not choice.too_rich)
