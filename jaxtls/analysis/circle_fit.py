"""Fits a circle by `jt.fit`, in units of the span of the trace, where single precision serves too."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..fitting import FitResult, Positive, Real, fit
from ..models.resonator_trace import DIPS, ResonatorTrace
from .circle import Start

# Stands for a coupling that nothing tells: only its sum with the internal loss is fitted then.
UNKNOWN = 0.1


class ScaledCircle(eqx.Module):
    """Holds a `ResonatorTrace` in x = (f - middle)/span: losses are linewidths in spans, so they may come out negative.

    Arguments:
        position: of the resonance.
        internal: share of the linewidth that is internal loss.
        coupling: share that is coupling.
        skew: tan(asymmetry).
        log_gain: at the middle of the span, in units of the trace.
        phase: at the middle [rad].
        delay: angle over the span [rad].
        tilt: of the logarithm of the gain over the span.
    """

    position: ArrayLike
    internal: ArrayLike
    coupling: ArrayLike
    skew: ArrayLike
    log_gain: ArrayLike
    phase: ArrayLike
    delay: ArrayLike
    tilt: ArrayLike


@dataclasses.dataclass(frozen=True, eq=False)
class Span:
    """Says where a trace was measured, and what is known of its line.

    Arguments:
        frequencies: (n,) [Hz], ascending.
        form: of the trace.
        scale: unit of the trace's amplitude.
        has_gain: whether that unit is the known gain of the line.
        Q_coupling: where known.
    """

    frequencies: np.ndarray
    form: str
    scale: float
    has_gain: bool
    Q_coupling: float | None

    @property
    def middle(self) -> float:
        """Gives the middle of the measured frequencies [Hz]."""
        return float(self.frequencies[0] + self.frequencies[-1]) / 2

    @property
    def width(self) -> float:
        """Gives the width of the measured frequencies [Hz]."""
        return float(self.frequencies[-1] - self.frequencies[0])

    @property
    def x(self) -> np.ndarray:
        """Gives the frequencies as places in the span, (n,) in [-1/2, 1/2]."""
        x = (self.frequencies - self.middle) / self.width
        even = np.linspace(-0.5, 0.5, len(x))
        # Even grids become one and the same, so that traces of a sweep share their compiled fit.
        return even if np.max(np.abs(x - even)) * len(x) < 1e-5 else x

    def where(self, keep: np.ndarray) -> Span:
        """Returns the span of some of the points."""
        return dataclasses.replace(self, frequencies=self.frequencies[keep])


@dataclasses.dataclass(frozen=True, eq=False)
class Circle:
    """Holds a fitted circle in units of its span."""

    span: Span
    fit: FitResult

    @property
    def residuals(self) -> np.ndarray:
        """Gives what is fitted less what is measured, (n,) complex, in units of the trace."""
        return np.asarray(self.fit.residuals)

    @property
    def is_undetermined(self) -> bool:
        """Says whether only the sum of internal loss and coupling is known."""
        return self.span.form == "transmission" and not self.span.has_gain and self.span.Q_coupling is None

    def value(self, name: str) -> float:
        """Returns a parameter of `ScaledCircle`."""
        return float(getattr(self.fit.model, name))

    def error(self, name: str) -> float:
        """Returns its standard error; 0 where it was not fitted."""
        return float(self.fit.stderr[name]) if name in self.fit.stderr else 0.0

    @property
    def internal(self) -> float:
        """Gives the internal linewidth in spans."""
        return self.value("internal")

    @property
    def linewidth(self) -> float:
        """Gives the whole linewidth in spans."""
        return self.internal + self.value("coupling")

    @property
    def diameter(self) -> float:
        """Gives the diameter of the circle, in units of the trace."""
        skew = 1.0 if self.span.form == "transmission" else np.hypot(1, self.value("skew"))
        share = DIPS.get(self.span.form, 1.0) * self.value("coupling") / self.linewidth
        return float(np.exp(self.value("log_gain")) * share * skew)

    @property
    def level(self) -> float:
        """Gives what the noise is measured against: the line, or the peak of a transmission."""
        return self.diameter if self.span.form == "transmission" else float(np.exp(self.value("log_gain")))

    def physical(self, widened: float) -> tuple[dict[str, float], dict[str, float]]:
        """Returns values and standard errors in SI units; the errors `widened` times."""
        span, fit = self.span, self.fit
        f_r = span.middle + span.width * self.value("position")
        values, errors = {"f_r": f_r}, {"f_r": span.width * self.error("position")}
        if not self.is_undetermined:
            for key in ("internal", "coupling"):
                share = self.value(key)
                values[f"Q_{key}"] = f_r / (span.width * share)
                errors[f"Q_{key}"] = abs(values[f"Q_{key}"] / share) * self.error(key)
        values["Q_loaded"] = f_r / (span.width * self.linewidth)
        rows = [fit.names.index(key) for key in ("internal", "coupling") if key in fit.names]
        block = np.asarray(fit.covariance, float)[np.ix_(rows, rows)]
        variance = max(float(np.sum(block)), 0.0) if np.all(np.isfinite(block)) else np.inf
        errors["Q_loaded"] = abs(values["Q_loaded"] / self.linewidth) * np.sqrt(variance)
        if span.form != "transmission":
            values["asymmetry"] = float(np.arctan(self.value("skew")))
            errors["asymmetry"] = self.error("skew") / (1 + self.value("skew") ** 2)
        values["delay"] = self.value("delay") / (2 * np.pi * span.width)
        errors["delay"] = self.error("delay") / (2 * np.pi * span.width)
        return values, {key: float(widened * error) for key, error in errors.items()}

    def model(self) -> ResonatorTrace:
        """Returns the fitted model in SI units."""
        span, values = self.span, self.physical(1.0)[0]
        at_resonance = self.value("log_gain") + self.value("tilt") * self.value("position")
        return ResonatorTrace(
            f_r=values["f_r"],
            Q_internal=values["Q_internal"],
            Q_coupling=values["Q_coupling"],
            asymmetry=values.get("asymmetry", 0.0),
            gain=span.scale * float(np.exp(at_resonance)),
            phase=float(np.angle(np.exp(1j * (self.value("phase") + self.value("delay") * span.middle / span.width)))),
            delay=values["delay"],
            tilt=self.value("tilt") * values["f_r"] / span.width,
            form=span.form,
        )


def fit_circle(span: Span, y: np.ndarray, start: Start, *, with_tilt: bool = False) -> tuple[Circle | None, str]:
    """Returns the fit from a start, or None and why the start cannot be one.

    Arguments:
        span: where the trace was measured.
        y: (n,) complex.
        start: what `first_estimate` found.
        with_tilt: whether the gain's slope is free.

    Returns:
        The circle and "", or None and the reason.
    """
    if abs(start.position) > 0.5:
        return None, outside(span, start.position)
    model = _first_model(span, start)
    if model is None:
        return None, (
            f"its circle points away from that of a {span.form} resonance: the resonance lies outside the span, or the "
            "form is another (reflection needs S11)"
        )
    free: dict[str, Positive | Real] = {"position": Real(), "internal": Real(), "phase": Real(), "delay": Real()}
    if span.form != "transmission":
        free |= {"coupling": Positive(), "skew": Real(), "log_gain": Real()}
    elif span.has_gain:
        free |= {"coupling": Positive()}
    else:
        free |= {"log_gain": Real()}
    if with_tilt:
        free["tilt"] = Real()
    predict = _predictor(span.x.tobytes(), span.form, str(jnp.result_type(float)))
    return Circle(span, fit(predict, model, y, free=free)), ""


def outside(span: Span, position: float) -> str:
    """Gives the sentence on a resonance that was not measured."""
    return f"its resonance, {span.middle + span.width * position:.9g} Hz, lies outside the span"


def _first_model(span: Span, start: Start) -> ScaledCircle | None:
    """Return the start as a model: from z = e^{-i d x} [A + B / (k + 2 i (x - s))]."""
    common = {"position": start.position, "delay": start.delay, "tilt": 0.0}
    if span.form == "transmission":
        peak, f_r = abs(start.strength), span.middle + span.width * start.position
        known = None if span.Q_coupling is None else f_r / (span.Q_coupling * span.width)
        # What is not fitted is the same for all traces where it can be: they share what was compiled.
        coupling = peak if span.has_gain else UNKNOWN if known is None else known
        log_gain = 0.0 if span.has_gain else float(np.log(peak / coupling))
        line = {"log_gain": log_gain, "phase": float(np.angle(start.strength)), "skew": 0.0}
        return ScaledCircle(coupling=coupling, internal=start.width - coupling, **line, **common)
    turned = -start.strength / start.off / DIPS[span.form]
    if not (np.isfinite(turned) and turned.real > 0):
        return None
    line = {"log_gain": float(np.log(abs(start.off))), "phase": float(np.angle(start.off))}
    skew = turned.imag / turned.real
    return ScaledCircle(coupling=turned.real, internal=start.width - turned.real, skew=skew, **line, **common)


@functools.lru_cache(maxsize=4)
def _predictor(x_bytes: bytes, form: str, precision: str) -> Callable[[ScaledCircle], Array]:
    """Return model -> trace at the x of the bytes. One function a grid: `jt.fit` keeps what it compiled for it."""
    x = np.frombuffer(x_bytes).astype(precision)

    def predict(m: ScaledCircle) -> Array:
        line = jnp.exp(m.log_gain + 1j * m.phase + (m.tilt - 1j * m.delay) * x)
        shape = m.coupling / (m.internal + m.coupling + 2j * (x - m.position))
        if form == "transmission":
            return line * shape
        return line * (1 - DIPS[form] * (1 + 1j * m.skew) * shape)

    return eqx.filter_jit(predict)
