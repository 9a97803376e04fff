"""Says whether a fitted circle can be trusted, in a sentence where it cannot."""

from __future__ import annotations

import numpy as np

from .circle_fit import Circle, outside

NOISE = "no resonance stands out of the noise"
LEAST_GAIN = 40.0  # of chi2 by the resonance: the best of some 1e4 places in pure noise does not reach it
LEAST_IN_LINE = 4  # points within the full width at half depth
FAR = 7.0  # standard errors of one part, robust
MOST_STRUCTURE = 0.05  # of the circle's diameter
MOST_ERROR = 1 / 3  # relative, of Q_internal and Q_coupling: beyond it errors of Q are far from Gaussian


def correlation(circle: Circle) -> float:
    """Returns the correlation of neighbouring residuals, where it is more than chance; else 0."""
    return _correlation(circle.residuals)


def error_scale(circle: Circle) -> float:
    """Gives a factor on errors where residuals hang together as a first-order autoregression: fewer data are known."""
    rho = min(correlation(circle), 0.98)
    return float(np.sqrt((1 + rho) / (1 - rho)))


def structure_of(circle: Circle) -> float:
    """Gives the smooth part of the residuals, over the circle's diameter: of all, or of those near the resonance."""
    residuals, x = circle.residuals, circle.span.x
    near = np.abs(x - circle.value("position")) < 2 * abs(circle.linewidth)
    parts = [residuals, residuals[near]] if np.sum(near) >= 10 else [residuals]
    smooth = [np.sqrt(_correlation(part, 5.0) * np.mean(np.abs(part) ** 2)) for part in parts]
    return float(max(smooth)) / max(circle.diameter, 1e-300)


def spikes(circle: Circle) -> np.ndarray:
    """Marks points (n,) that stand alone, far from the circle: a glitch of the analyser. None where they are many."""
    size = np.abs(circle.residuals)
    sigma = np.sqrt(np.median(size**2) / (2 * np.log(2)))
    sides = np.maximum(np.append(size[1:], 0.0), np.append(0.0, size[:-1]))
    # A resonance that is not a circle leaves runs of large residuals, which are no glitch.
    alone = (size > FAR * sigma) & (sides < 0.35 * size)
    few = np.sum(alone) <= max(1, len(size) // 100)
    return alone if few and circle.diameter > FAR * sigma / 2 else np.zeros_like(alone)


def _correlation(residuals: np.ndarray, errors: float = 3.0) -> float:
    """Return the lag-one autocorrelation if it is above so many standard errors 1/sqrt(2 n); else 0."""
    power = float(np.sum(np.abs(residuals) ** 2))
    if power == 0:
        return 0.0
    rho = float(np.sum((residuals[1:] * residuals[:-1].conj()).real)) / power
    return rho if rho > errors / np.sqrt(2 * len(residuals)) else 0.0


def fault_of(circle: Circle) -> str:
    """Says what is wrong with a circle that is there, or ""."""
    return _badly_seen(circle) or _bad_values(circle)


def no_resonance(circle: Circle, flat: float) -> str:
    """Says why there is no circle, or "".

    Arguments:
        circle: as fitted.
        flat: sum of squared residuals without a resonance.

    Returns:
        A sentence; "" where there is a circle.
    """
    fit = circle.fit
    chi2 = float(fit.chi2)
    if not np.isfinite(chi2) or flat - chi2 <= LEAST_GAIN * chi2 / max(fit.dof, 1):
        return NOISE
    if not fit.success:
        return f"the fit of the circle did not converge ({fit.message})"
    return ""


def _badly_seen(circle: Circle) -> str:
    span, width, position = circle.span, circle.linewidth, circle.value("position")
    f_r, hertz = span.middle + span.width * position, span.width * width
    if not abs(position) < 0.5:
        return outside(span, position)
    if not width > 0:
        return "its linewidth comes out negative"
    if abs(position) + width / 2 > 0.5:
        return (
            f"the span of {span.width:.4g} Hz does not hold the linewidth of {hertz:.4g} Hz about {f_r:.9g} Hz: "
            "measure a wider span"
        )
    inside = int(np.sum(np.abs(span.x - position) < width / 2))
    if inside < LEAST_IN_LINE:
        return (
            f"too few points over the linewidth of {hertz:.3g} Hz, {inside} where {LEAST_IN_LINE} are needed: measure "
            "with a finer step"
        )
    structure = structure_of(circle)
    if structure > MOST_STRUCTURE:
        return (
            f"its residuals have structure, {100 * structure:.2g} % of the circle's diameter: two resonances, a "
            "bifurcation by strong drive, a jump, or a line with standing waves"
        )
    return ""


def _bad_values(circle: Circle) -> str:
    values, errors = circle.physical(error_scale(circle))
    if circle.is_undetermined:
        return (
            f"transmission tells Q_loaded = {values['Q_loaded']:.5g} ± {errors['Q_loaded']:.2g} only: give the gain of "
            "the line or Q_coupling to have Q_internal"
        )
    q, error = values["Q_internal"], errors["Q_internal"]
    loss, loss_error = 1 / q, error / q**2
    if loss < -3 * loss_error:
        return (
            f"its Q_internal is negative, 1/Q_internal = {loss:.3g} ± {loss_error:.2g}: the circle is larger than a "
            f"passive {circle.span.form} resonance allows; check the form" + _remedy(circle)
        )
    if not error < MOST_ERROR * q:
        return f"its Q_internal is not determined, 1/Q_internal = {loss:.3g} ± {loss_error:.2g}"
    if not errors["Q_coupling"] < MOST_ERROR * values["Q_coupling"]:
        return f"its Q_coupling is not determined, {values['Q_coupling']:.3g} ± {errors['Q_coupling']:.2g}"
    return ""


def _remedy(circle: Circle) -> str:
    if circle.span.form == "notch":
        return ' (a resonator at the end of a line is form="reflection")'
    if circle.span.form == "transmission":
        return " and the gain or Q_coupling that was given"
    return ' (a resonator beside a through line is form="notch")'
