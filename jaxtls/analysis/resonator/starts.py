"""Says which parameters each form frees, and where its searches begin."""

from __future__ import annotations

import math

import numpy as np

from ...models.resonator import BOLTZMANN, FORMS, GAP_RATIO, PLANCK
from .measured import Measured, levels_of
from .search import NAMES

OF_FORM = {
    "crowley": ("loss_tangent", "critical_power", "temperature_exponent", "photon_exponent"),
    "none": ("loss_tangent",),
    "no TLS": (),
}
SATURATING = ("loss_tangent", "critical_power", "photon_exponent")
GAP = ("critical_temperature", "quasiparticle_amplitude")


def freed(form: str, measured: Measured, gap: bool, held: dict[str, float]) -> tuple[str, ...]:
    """Names what a form frees on these data."""
    names = [*OF_FORM.get(form, SATURATING), *(GAP if gap else ())]
    names += ["constant_loss"] * bool(len(measured.quality)) + ["shift_offset"] * bool(len(measured.shift))
    return tuple(name for name in NAMES if name in names and name not in held)


def used_by(form: str, gap: bool) -> tuple[str, ...]:
    """Names what a form is made of, free or held."""
    return (*OF_FORM.get(form, SATURATING), *(GAP if gap else ()), "constant_loss", "shift_offset")


def forms_for(measured: Measured) -> list[str]:
    """Lists saturation forms that the data can tell apart, the richest first: one drive says nothing of saturation."""
    if not len(measured.quality) or measured.drives().max() == 0:
        return ["none"]
    temperatures = levels_of(measured.temperature).max() + 1
    return [form for form in FORMS if form != "crowley" or temperatures >= 3]


def starts(measured: Measured, form: str, gap: bool, held: dict[str, float], count: int) -> np.ndarray:
    """Gives starts (count, 8): F from the cold and weak end, Tc above the hottest row, a spread of n_c and beta."""
    rows = [_start(measured, form, gap, i, count) for i in range(count)]
    return np.array([[held.get(name, row[name]) for name in NAMES] for row in rows])


def _start(m: Measured, form: str, gap: bool, i: int, count: int) -> dict[str, float]:
    four = i % 4
    critical_temperature = (1.6, 3.0, 5.0, 2.2)[four] * m.hottest
    exponent, thermal = (0.5, 1.0, 0.3, 0.8)[four], (0.5, 1.0, 0.2, 1.5)[four]
    reduced = PLANCK * m.frequency / (2 * BOLTZMANN)
    boltzmann = math.exp(-GAP_RATIO * critical_temperature / m.hottest)
    if len(m.quality):
        loss, seen = 1 / m.quality, np.tanh(reduced / m.temperature)
        floor = float((0.3, 0.9, 0.6, 0.1)[four] * loss.min())
        cold = np.argmax(seen * (m.photons == m.photons.min()) + 1e-3 * loss / loss.max())
        tangent = float(max(loss[cold] - floor, 0.1 * loss[cold]) / seen[cold] * (1.0, 1.0, 2.0, 0.7)[four])
        amplitude = (0.5, 0.1)[i % 2] * loss[np.argmax(m.temperature)] / (0.3 * boltzmann)
        positive = m.photons[m.photons > 0]
        ends = np.log([max(positive.min(initial=1.0), 1e-3), max(positive.max(initial=1.0), 1e-3)])
        critical = math.exp(ends[0] + (ends[1] - ends[0]) * ((i + 0.5) / count if count > 1 else 0.3))
        if form == "crowley":
            critical = critical**exponent * float(np.median(seen)) / float(np.median(m.temperature)) ** thermal
    else:
        floor, critical = 0.0, 1.0
        span = math.log(m.cold.max() / m.cold.min()) if m.cold.max() > m.cold.min() else 1.0
        tangent = math.pi * float(np.ptp(m.shift)) / span * (1.0, 1.5, 0.7, 0.4)[four]
        amplitude = (1.0, 0.2)[i % 2] * float(np.ptp(m.shift)) / boltzmann
    if form == "no TLS":
        tangent = 0.0
    offset = float(np.mean(m.shift)) if len(m.shift) else 0.0
    saturates = form not in ("none", "no TLS")
    return {
        "loss_tangent": max(tangent, 1e-12) if form != "no TLS" else 0.0,
        "critical_power": critical if saturates else 1.0,
        "temperature_exponent": thermal if form == "crowley" else 0.0,
        "photon_exponent": exponent if saturates else 1.0,
        "critical_temperature": critical_temperature if gap else 0.0,
        "quasiparticle_amplitude": amplitude if gap else 0.0,
        "constant_loss": floor,
        "shift_offset": offset,
    }


def as_start_of(form: str, values: np.ndarray, measured: Measured) -> np.ndarray:
    """Writes the optimum of the form without saturation in a richer form: n_c far above every drive."""
    found = values.copy()
    weak = 1e6 * max(float(measured.photons.max(initial=1.0)), 1.0)
    found[NAMES.index("critical_power")] = weak if form != "crowley" else weak**0.5
    found[NAMES.index("photon_exponent")] = 0.5
    return found


def sees_gap(m: Measured) -> bool:
    """Says if the hottest rows lose more, or are pulled lower, than colder ones of the same drive: 3 errors, or 5 %."""
    if len(m.quality) and levels_of(m.temperature).max() >= 3:
        level, drive = levels_of(m.temperature), m.drives()
        logs = -np.log(m.quality)
        bars = np.full(len(logs), 0.015) if m.sigma is None else m.sigma / m.quality
        for here in (drive == d for d in np.unique(drive)):
            top = here & (level == level[here].max())
            rest = here & ~top
            if rest.any():
                least = np.flatnonzero(rest)[np.argmin(logs[rest])]
                first = np.flatnonzero(top)[0]
                if logs[first] - logs[least] > 3 * math.hypot(bars[first], bars[least]):
                    return True
    if len(m.shift) >= 6:
        top, highest = int(np.argmax(m.cold)), int(np.argmax(m.shift))
        bar = np.ptp(m.shift) / 60 if m.shift_sigma is None else float(m.shift_sigma[top])
        # quasiparticles pull down at the hot end, where TLSs alone let it rise
        warm = m.cold > 0.44 * PLANCK * m.frequency / BOLTZMANN
        return bool(warm[top] and m.cold[highest] < m.cold[top] and m.shift[highest] - m.shift[top] > 3 * bar)
    return False
