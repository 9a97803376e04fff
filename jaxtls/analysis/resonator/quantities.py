"""Gives what follows from a fit, with errors: F tan delta, its share of the loss, critical photon number, gap."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ...fitting import FitResult
from ...models._constants import BOLTZMANN, ELECTRONVOLT
from ...models.resonator import GAP_RATIO, PLANCK, ResonatorLoss
from ...models.resonator.saturation import half_power_photons
from ..quantity import Quantity
from .choice import Choice
from .profile import Profile
from .result import FormRow
from .search import Searcher
from .starts import starts


def derived_of(
    searcher: Searcher, choice: Choice, fit: FitResult, scale: float, profiles: dict[str, Profile]
) -> dict[str, Quantity]:
    """Returns derived quantities by name."""
    m, model, names = searcher.measured, fit.model, choice.free[choice.chosen]
    unit = choice.excess(choice.chosen) if scale > 1 else 1.0
    found = {"F tan delta": _parameter("loss_tangent", fit, profiles, unit, "filling factor times loss tangent")}
    if len(m.quality):
        cold = float(m.temperature.min())
        row = int(np.lexsort((m.photons, m.temperature))[0])
        weak = float(m.photons[row])
        share = searcher.tls_share(choice.chosen, choice.best, row)
        found["TLS share"] = Quantity(share, None, "", f"of the loss at {cold:g} K, {weak:.3g} photons")
        if "critical_power" in names:
            found |= _critical(model, fit, profiles, unit, cold)
    if choice.has_gap:
        gap = GAP_RATIO * BOLTZMANN / ELECTRONVOLT * 1e3
        tc = _parameter("critical_temperature", fit, {}, 1.0, "")
        error = None if tc.stderr is None else gap * tc.stderr
        found["gap"] = Quantity(gap * tc.value, error, "meV", "1.76 k Tc of the quasiparticle term")
        a = _parameter("quasiparticle_amplitude", fit, {}, 1.0, "")
        error = None if a.stderr is None else math.pi / 4 * a.stderr
        found["kinetic fraction"] = Quantity(math.pi / 4 * a.value, error, "", "kinetic inductance over all, pi A/4")
    return found


def _parameter(name: str, fit: FitResult, profiles: dict[str, Profile], unit: float, meaning: str) -> Quantity:
    """Give a parameter with its error, and its interval where it has a profile; a held one has no error."""
    value = float(np.asarray(fit.model.__dict__[name]))
    if name not in fit.names:
        return Quantity(value, None, "", meaning)
    interval = None
    if name in profiles:
        interval = (profiles[name].crossing(unit, False), profiles[name].crossing(unit, True))
    return Quantity(value, float(fit.stderr[name]), "", meaning, interval)


def _critical(
    model: ResonatorLoss, fit: FitResult, profiles: dict[str, Profile], unit: float, cold: float
) -> dict[str, Quantity]:
    """Give log10 of the photon number that lowers the TLS loss by sqrt(2), with the error of the linearised model."""
    levels = [cold, 1.0] if model.saturation == "crowley" and cold < 1.0 else [cold]
    meaning = "photon number n_c that lowers the TLS loss by sqrt(2)"
    law = np.array([model.critical_power, model.temperature_exponent, model.photon_exponent], float)
    values, slopes = _half_power(model.saturation)(law, np.array(levels), np.asarray(model.frequency))
    found = {}
    columns = {"critical_power": 0, "temperature_exponent": 1, "photon_exponent": 2}
    for level, value, slope in zip(levels, np.asarray(values), np.asarray(slopes)):
        gradient = np.array([slope[columns[name]] if name in columns else 0.0 for name in fit.names])
        used = gradient != 0
        part = np.asarray(fit.covariance)[np.ix_(used, used)]
        variance = float(gradient[used] @ part @ gradient[used]) if np.all(np.isfinite(part)) else math.inf
        error = math.sqrt(max(variance, 0.0))
        found[f"log10 n_c({level:g} K)"] = Quantity(float(value), error, "", meaning)
    if model.saturation != "crowley":
        found["n_c"] = _parameter("critical_power", fit, profiles, unit, "n_c of the form used")
    return found


@functools.cache
def _half_power(form: str) -> Callable[[ArrayLike, ArrayLike, ArrayLike], tuple[Array, Array]]:
    """Make the map from law (3,), temperatures (L,), frequency to log10 n_c (L,) and its derivatives (L, 3)."""

    def one(law: Array, temperature: Array, frequency: Array) -> Array:
        seen = jnp.tanh(PLANCK / (2 * BOLTZMANN) * frequency / temperature)
        return jnp.log10(half_power_photons(form, temperature, seen, law[0], law[1], law[2]))

    compiled: Callable[[ArrayLike, ArrayLike, ArrayLike], tuple[Array, Array]] = jax.jit(
        jax.vmap(jax.value_and_grad(one), (None, 0, None))
    )
    return compiled


def alone(searcher: Searcher, choice: Choice, held: dict[str, float]) -> tuple[dict[str, Quantity], float]:
    """Gives F tan delta from loss alone and from shift alone, each with its own Tc, A and offset; chi2 of both."""
    n_loss, found, apart = len(searcher.measured.quality), dict[str, Quantity](), 0.0
    free = choice.free[choice.chosen]
    gap = tuple(name for name in free if name in ("critical_temperature", "quasiparticle_amplitude"))
    kinds = {
        "F tan delta, loss alone": (tuple(n for n in free if n != "shift_offset"), True, "by the form of the loss"),
        "F tan delta, shift alone": (("loss_tangent", *gap, "shift_offset"), False, "no saturation enters it"),
    }
    if "loss_tangent" not in free:
        return {}, math.inf
    for label, (names, is_loss, meaning) in kinds.items():
        bars = searcher.sigma.copy()
        bars[n_loss:] = np.inf if is_loss else bars[n_loss:]
        bars[:n_loss] = bars[:n_loss] if is_loss else np.inf
        seeds = np.repeat(choice.best.values[None], 4, axis=0)
        seeds[:, 0] *= (1.0, 1.5, 0.7, 0.4)
        # its own optimum may lie far from the joint one
        own = searcher.measured if is_loss else searcher.measured.without_loss()
        seeds = np.concatenate([seeds, starts(own, choice.chosen, choice.has_gap, held, 4)])
        best = min(searcher.run(choice.chosen, names, seeds, bars), key=lambda f: f.chi2)
        fit = searcher.result(choice.chosen, names, best, bars)
        widen = math.sqrt(max(1.0, float(fit.chi2) / fit.dof)) if fit.dof > 0 else 1.0
        found[label] = Quantity(float(best.values[0]), widen * float(fit.stderr["loss_tangent"]), "", meaning)
        apart += best.chi2
    return found, apart


def table_of(searcher: Searcher, choice: Choice) -> list[FormRow]:
    """Makes one row for each form."""
    n_loss, rows = len(searcher.measured.quality), []
    least = min(choice.aic.values())
    for name, optimum in choice.forms.items():
        misfit = searcher.predict(name, optimum.values[None])[0][0] - searcher.data
        parts = [float(np.sqrt(np.mean(p**2))) if len(p) else math.nan for p in np.split(misfit, [n_loss])]
        rows.append(
            FormRow(
                form=name,
                free=len(choice.free[name]),
                chi2=optimum.chi2,
                aic=choice.aic[name] - least,
                rms_loss=parts[0],
                rms_shift=parts[1],
                tangent=float(optimum.values[0]),
                used=name == choice.chosen,
            )
        )
    return rows
