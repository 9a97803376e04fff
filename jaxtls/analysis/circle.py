"""Finds where to start the fit of a circle: delay, resonance and linewidth by linear algebra (NumPy), without a guess.

Frequencies are counted from the middle of the span in units of the span, x in [-1/2, 1/2], and the trace is

    z = e^{-i d x} [A + B / (k + 2 i (x - s))]

with the resonance s, the linewidth k and the delay's angle d = 2 pi tau span. At given s, k, d it is linear in A and B.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

# The matched filter sees at most so many points; its cost grows with their square.
MOST_POINTS = 800


class Start(NamedTuple):
    """Holds a first estimate, and how well it describes the trace.

    Arguments:
        position: s.
        width: k.
        delay: d.
        off: A, far from the resonance.
        strength: B.
        misfit: sum of squared residuals.
        conjugated: whether the circle runs the other way, as where time goes as e^{-i w t}: then it describes conj(z).
    """

    position: float
    width: float
    delay: float
    off: complex
    strength: complex
    misfit: float
    conjugated: bool


def first_estimate(x: np.ndarray, z: np.ndarray, *, has_line: bool = True) -> Start:
    """Returns the start with the least misfit among those that two guesses of the delay lead to.

    Arguments:
        x: (n,) ascending, in [-1/2, 1/2].
        z: (n,) complex.
        has_line: False where nothing passes far from the resonance (A = 0, transmission).

    Returns:
        A Start.

    Example:
        >>> x = np.linspace(-0.5, 0.5, 201)
        >>> found = first_estimate(x, np.exp(-9j * x) * (1 - 0.06 / (0.1 + 2j * (x - 0.2))))
        >>> f"{found.position:.3f} {found.width:.3f} {found.delay:.1f}"
        '0.200 0.100 9.0'
    """
    candidates = []
    # The matrices are small: on a busy machine threads would wait for each other ten times as long as they work.
    with threadpool_limits(1, user_api="blas"):
        for delay in _delays(x, z):
            position, width, conjugated = _matched(x, z * np.exp(1j * delay * x), has_line)
            sign = -1 if conjugated else 1
            found = _refined(x, z.conj() if conjugated else z, position, width, sign * delay, has_line)
            candidates.append(found._replace(conjugated=conjugated))
    return min(candidates, key=lambda found: found.misfit)


def line_misfit(x: np.ndarray, z: np.ndarray) -> float:
    """Returns the sum of squared residuals of the best line without a resonance, A e^{-i d x}."""
    delays = _delays(x, z)[0] + np.linspace(-4 * np.pi, 4 * np.pi, 161)
    seen = np.abs(np.exp(1j * delays[:, None] * x) @ z) ** 2 / len(x)
    return float(np.sum(np.abs(z) ** 2) - np.max(seen))


def _delays(x: np.ndarray, z: np.ndarray) -> tuple[float, float]:
    """Give the angle per unit of x: mean slope, which a resonance may wind by a turn, and median, which it may not."""
    steps = z[1:] * z[:-1].conj()
    mean = -float(np.angle(np.sum(steps))) * (len(x) - 1) / (x[-1] - x[0])
    lag = max(1, len(x) // 20)
    unwound = z * np.exp(1j * mean * x)
    slopes = np.angle(unwound[lag:] * unwound[:-lag].conj()) / np.maximum(x[lag:] - x[:-lag], 1e-12)
    return mean, mean - float(np.median(slopes))


def _matched(x: np.ndarray, z: np.ndarray, has_line: bool) -> tuple[float, float, bool]:
    """Find the Lorentzian that explains most of a trace, of all positions and widths, beside a smooth line."""
    if len(x) > MOST_POINTS:
        blocks = np.array_split(np.arange(len(x)), MOST_POINTS)
        x, z = (np.array([np.mean(part[block]) for block in blocks]) for part in (x, z))
    smooth = np.linalg.qr(np.polynomial.legendre.legvander(2 * x, 3))[0] if has_line else np.zeros((len(x), 1))
    rest = z - smooth @ (smooth.T @ z)
    best = (-np.inf, 0.0, 0.1, False)
    for width in np.geomspace(1.5 * np.median(np.diff(x)), 0.8, 14):
        centres = np.linspace(-0.5, 0.5, min(int(3 / width) + 4, len(x)))
        shapes = 1 / (width + 2j * (x - centres[:, None]))
        shapes = shapes - (shapes @ smooth) @ smooth.T
        power = np.sum(np.abs(shapes) ** 2, 1)
        for conjugated, seen in ((False, shapes.conj() @ rest), (True, shapes @ rest)):
            scores = np.abs(seen) ** 2 / power
            i = int(np.argmax(scores))
            if scores[i] > best[0]:
                best = (float(scores[i]), float(centres[i]), float(width), conjugated)
    return best[1], best[2], best[3]


def _refined(x: np.ndarray, z: np.ndarray, position: float, width: float, delay: float, has_line: bool) -> Start:
    """Refine delay and pole in turn: scan the delay, then z (x - pole) = p0 + p1 x by weighted linear least squares."""
    found = _projected(x, z, position, width, delay, has_line)
    for reach in (2 * np.pi, 0.5, 0.1):
        scan = [
            _projected(x, z, found.position, found.width, found.delay + change, has_line)
            for change in np.linspace(-reach, reach, 21)
        ]
        found = min([found, *scan], key=lambda start: start.misfit)
        for _ in range(3):
            pole = _pole(x, z * np.exp(1j * found.delay * x), found.position + 0.5j * found.width, has_line)
            if not (np.isfinite(pole) and 1e-6 < pole.imag < 2 and abs(pole.real) < 1):
                break
            moved = _projected(x, z, pole.real, 2 * pole.imag, found.delay, has_line)
            if moved.misfit >= found.misfit:
                break
            found = moved
    return found


def _pole(x: np.ndarray, z: np.ndarray, pole: complex, has_line: bool) -> complex:
    """Take one step of Sanathanan and Koerner: residuals z (x - new) - p0 - p1 x, weighed by 1 / (x - old)."""
    weight = 1 / (x - pole)
    columns = [z, np.ones_like(z), x] if has_line else [z, np.ones_like(z)]
    solution = np.linalg.lstsq(np.stack(columns, 1) * weight[:, None], z * x * weight, rcond=None)[0]
    return complex(solution[0])


def _projected(x: np.ndarray, z: np.ndarray, position: float, width: float, delay: float, has_line: bool) -> Start:
    """Find the best A and B at given resonance and delay."""
    turned = z * np.exp(1j * delay * x)
    shape = 1 / (width + 2j * (x - position))
    basis = np.stack([shape, np.ones_like(shape)], 1) if has_line else shape[:, None]
    gram, seen = basis.conj().T @ basis, basis.conj().T @ turned
    # A narrow shape that misses all points leaves the matrix singular.
    amplitudes = np.linalg.lstsq(gram, seen, rcond=1e-12)[0]
    misfit = float(np.sum(np.abs(turned - basis @ amplitudes) ** 2))
    off = complex(amplitudes[1]) if has_line else 0j
    return Start(position, width, delay, off, complex(amplitudes[0]), misfit, False)
