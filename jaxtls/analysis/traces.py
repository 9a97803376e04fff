"""Fits one resonance from a network analyser: Q_internal, Q_coupling and f_r with errors, or why there are none."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import ArrayLike

from .._checks import require
from ..fitting import FitResult
from ..fitting.estimates import with_error
from ..models.resonator_trace import ResonatorTrace, check_form
from .circle import Start, first_estimate, line_misfit
from .circle_fit import Circle, Span, fit_circle
from .circle_verdict import (
    LEAST_GAIN,
    NOISE,
    correlation,
    error_scale,
    fault_of,
    no_resonance,
    spikes,
    structure_of,
)

LEAST_POINTS = 10


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TraceFit:
    """Holds what `fit_trace` found in a trace.

    Arguments:
        name: of the trace.
        success: whether the numbers can be trusted.
        reason: why not, where they cannot; else "".
        notes: what was done to the trace that is not usual.
        frequencies: (n,) [Hz], ascending, of the points that were fitted.
        s21: (n,) complex, as fitted (see `notes` where it is the conjugate of what was measured).
        model: a `ResonatorTrace`; None where no circle was found, or the trace cannot tell Q_internal.
        values: f_r [Hz], Q_internal, Q_coupling, Q_loaded, asymmetry [rad], delay [s].
        stderr: their standard errors.
        noise: root mean square of the residuals' real and imaginary parts, over the line's amplitude at the middle of
            the span (over the peak's, for transmission).
        fit: the `FitResult` behind, in units of the span.

    Example:
        >>> f = 5e9 + np.linspace(-5e5, 5e5, 101)
        >>> jt.fit_trace(f, 1 + 0.1 * np.exp(2j * np.pi * np.random.default_rng(0).random(101)), name="nothing")
        TraceFit nothing: REFUSED: no resonance stands out of the noise
    """

    name: str
    success: bool
    reason: str
    notes: tuple[str, ...]
    frequencies: np.ndarray
    s21: np.ndarray
    model: ResonatorTrace | None = None
    values: dict[str, float] = dataclasses.field(default_factory=dict)
    stderr: dict[str, float] = dataclasses.field(default_factory=dict)
    noise: float = np.nan
    fit: FitResult | None = None

    def __repr__(self) -> str:
        state = "success" if self.success else f"REFUSED: {self.reason}"
        lines = [f"TraceFit{' ' * bool(self.name)}{self.name}: {state}"]
        if self.success:
            width = max(map(len, self.values))
            lines += [f"  {key:<{width}}  {with_error(self.values[key], self.stderr[key])}" for key in self.values]
            lines.append(f"  noise {self.noise:.2g} of the line")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def fit_trace(
    frequencies: ArrayLike,
    s21: ArrayLike,
    *,
    form: str = "notch",
    gain: float | None = None,
    Q_coupling: float | None = None,
    name: str = "",
) -> TraceFit:
    r"""Fit the circle of one resonance: quality factors and their errors from a complex trace, without a guess.

    The model is that of `ResonatorTrace`. A matched filter and linear least squares find where to start, `jt.fit` goes
    on from there with Levenberg and Marquardt's method on real and imaginary parts; cable delay, gain and phase of the
    line are fitted with the resonance. Errors come from the scatter of the residuals, and are widened where these hang
    together from point to point. Transmission knows the product of gain and Q_loaded/Q_coupling only, so one of them
    has to be given (as exact).

    Arguments:
        frequencies: (n,) [Hz], real, in any order.
        s21: (n,) complex; S11 for reflection.
        form: "notch", "reflection" or "transmission".
        gain: amplitude of the line without the resonator [1], for transmission.
        Q_coupling: known from elsewhere [1], for transmission.
        name: for messages.

    Returns:
        A `TraceFit`. A circle that cannot be trusted does not raise: `success` is False, and `reason` names the noise,
        a resonance at the edge of the span or too narrow for its points, a negative or undetermined Q_internal, or
        residuals with structure (two resonances, a bifurcated one, a drift).

    Raises:
        ValueError: if an argument has the wrong shape, is not finite, or does not go with the form.

    Example:
        >>> truth = jt.ResonatorTrace(f_r=5e9, Q_internal=2e5, Q_coupling=1e5, asymmetry=0.2, gain=0.03, delay=40e-9)
        >>> f = 5e9 + np.linspace(-5e5, 5e5, 401)
        >>> noise = 1e-4 * np.exp(2j * np.pi * np.random.default_rng(0).random(401))
        >>> found = jt.fit_trace(f, np.asarray(truth.response(f)) + noise)
        >>> found.success, bool(abs(found.values["Q_internal"] - 2e5) < 3 * found.stderr["Q_internal"])
        (True, True)

    Source: S. Probst et al., Rev. Sci. Instrum. 86, 024706 (2015); M. S. Khalil et al., J. Appl. Phys. 111, 054510
    (2012). The start: C. K. Sanathanan and J. Koerner, IEEE Trans. Autom. Control 8, 56 (1963).
    """
    f, z = _checked(frequencies, s21)
    _check_options(check_form(form), gain, Q_coupling)
    require(bool(np.any(z != 0)), "s21", "be other than zero", 0.0)
    scale = gain or float(np.max(np.abs(z)) if form == "transmission" else np.sqrt(np.mean(np.abs(z) ** 2)))
    span = Span(f, form, scale, gain is not None, Q_coupling)
    y = z / scale
    start = first_estimate(span.x, y, has_line=form != "transmission")
    notes = []
    if start.conjugated:
        y, z = y.conj(), z.conj()
        notes.append("time runs as e^{-i w t} in this trace: its complex conjugate was fitted")
    flat = line_misfit(span.x, y) if form != "transmission" else float(np.sum(np.abs(y) ** 2))
    if flat - start.misfit <= LEAST_GAIN * start.misfit / (2 * len(f) - 7):
        return TraceFit(name, False, NOISE, (), f, z)
    circle, problem = fit_circle(span, y, start)
    if circle is None or (problem := no_resonance(circle, flat)):
        return TraceFit(name, False, problem, () if problem == NOISE else tuple(notes), f, z)

    circle, kept, more = _improved(circle, y, start)
    scaled = error_scale(circle)
    if scaled > 1.05:
        more.append(
            f"neighbouring residuals hang together ({correlation(circle):.2f}): errors widened {scaled:.2g} times"
        )
    fault = fault_of(circle)
    values, stderr = circle.physical(scaled)
    model = None if circle.is_undetermined or circle.internal <= 0 else circle.model()
    noise = float(np.sqrt(np.mean(np.abs(circle.residuals) ** 2) / 2) / circle.level)
    found = (values, stderr, noise, circle.fit)
    return TraceFit(name, not fault, fault, (*notes, *more), f[kept], z[kept], model, *found)


def _improved(circle: Circle, y: np.ndarray, start: Start) -> tuple[Circle, np.ndarray, list[str]]:
    """Give the circle without glitches, and with a tilted line where that takes structure off the residuals."""
    notes, kept = [], np.ones(len(y), bool)
    alone = spikes(circle)
    if np.any(alone):
        again, _ = fit_circle(circle.span.where(~alone), y[~alone], start)
        if again is not None and again.fit.success:
            where = ", ".join(f"{f:.9g}" for f in circle.span.frequencies[alone])
            notes.append(f"points far from the circle and from their neighbours were left out, at {where} Hz")
            circle, kept = again, ~alone
    structure = structure_of(circle)
    if structure:
        tilted, _ = fit_circle(circle.span, y[kept], start, with_tilt=True)
        if tilted is not None and tilted.fit.success and structure_of(tilted) < 0.7 * structure:
            notes.append("the gain of the line is tilted over the span: its slope was fitted too")
            circle = tilted
    return circle, kept, notes


def _check_options(form: str, gain: float | None, Q_coupling: float | None) -> None:
    for key, value in (("gain", gain), ("Q_coupling", Q_coupling)):
        good = value is None or (isinstance(value, int | float) and np.isfinite(value) and value > 0)
        require(good, key, "be a finite number > 0", repr(value))
        remedy = 'It is fitted; give it for form="transmission" only.'
        require(value is None or form == "transmission", key, f"be None for form={form!r}", value, remedy)
    require(gain is None or Q_coupling is None, "gain", "be None where Q_coupling is given", gain, "One is enough.")


def _checked(frequencies: ArrayLike, s21: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return ascending frequencies and their complex values, in double precision."""
    try:
        f, z = np.asarray(frequencies), np.asarray(s21)
        require(f.dtype.kind in "uif", "frequencies", "be real numbers", f.dtype)
        require(z.dtype.kind in "c", "s21", "be complex", z.dtype, "A magnitude alone does not show the circle.")
        f, z = f.astype(float), z.astype(complex)
    except TypeError as error:
        raise ValueError(f"Argument `frequencies` must be real and `s21` complex arrays: {error}.") from error
    require(f.ndim == 1, "frequencies", "be one-dimensional", f"shape {f.shape}")
    require(z.shape == f.shape, "s21", f"have the shape of frequencies, {f.shape}", f"shape {z.shape}")
    for key, values in (("frequencies", f), ("s21", z)):
        bad = int(np.sum(~np.isfinite(values)))
        require(bad == 0, key, "be finite", f"{bad} values that are not", "Leave the points out.")
    require(len(f) >= LEAST_POINTS, "frequencies", f"hold at least {LEAST_POINTS} points", len(f))
    lowest, remedy = float(np.min(f)), "They are in Hz: multiply GHz by 1e9."
    require(lowest >= 1e6, "frequencies", "be 1 MHz or more", f"{lowest:g}", remedy)
    order = np.argsort(f, kind="stable")
    require(bool(f[order[-1]] > lowest), "frequencies", "span a range", f"{lowest:g} only")
    return f[order], z[order]
