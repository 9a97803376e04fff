"""Gives ln Q and frequency shift of one measurement's rows, with derivatives by all parameters, many sets at once.

A search asks for them a thousand times on a hundred rows, in less time than a program takes to be compiled: they are
NumPy's. A test holds them beside `ResonatorLoss` and its automatic derivatives.
"""

from __future__ import annotations

import numpy as np

from ...models.resonator import BOLTZMANN, COLDEST, PLANCK
from ...models.resonator.saturation import reduction_and_slopes
from .measured import Measured
from .thermal import dilute, mattis_bardeen, tls_shift

NAMES = (
    "loss_tangent",
    "critical_power",
    "temperature_exponent",
    "photon_exponent",
    "critical_temperature",
    "quasiparticle_amplitude",
    "constant_loss",
    "shift_offset",
)
TANGENT, CRITICAL, THERMAL, EXPONENT, TC, AMPLITUDE, CONSTANT, OFFSET = range(8)


class Prediction:
    """Gives what the model says of the rows of a measurement.

    Arguments:
        measured: the rows.
        quasiparticles: their law, "dilute" or "mattis-bardeen".
    """

    def __init__(self, measured: Measured, quasiparticles: str):
        self.frequency, self.quasiparticles = float(measured.frequency), quasiparticles
        self.photons = measured.photons
        self.temperature, self.seen = self._reduced(measured.temperature)
        self.cold = measured.cold
        self.pull = self.tls_shift(self.cold)
        both = np.concatenate([measured.temperature, self.cold])
        self.levels, level = np.unique(both, return_inverse=True)
        self.level, self.cold_level = np.split(level, [len(measured.temperature)])

    def __call__(self, form: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns ln Q and shift (K, N), and their derivatives (K, N, 8), at values (K, 8) of NAMES."""
        n_loss, many = len(self.photons), len(values)
        prediction = np.zeros((many, n_loss + len(self.pull)))
        jacobian = np.zeros((*prediction.shape, len(NAMES)))
        if n_loss:
            s, slopes = reduction_and_slopes(
                "none" if form == "no TLS" else form,
                *(self.photons, self.temperature, self.seen),
                *(values[:, column] for column in (CRITICAL, THERMAL, EXPONENT)),
            )
            tangent = values[:, TANGENT, None]
            loss = tangent * self.seen * s + values[:, CONSTANT, None]
            part = jacobian[:, :n_loss]
            part[..., TANGENT] = self.seen * s
            part[..., CRITICAL : EXPONENT + 1] = (tangent * self.seen)[..., None] * slopes
            part[..., CONSTANT] = 1.0
        if len(self.pull):
            prediction[:, n_loss:] = values[:, TANGENT, None] * self.pull + values[:, OFFSET, None]
            jacobian[:, n_loss:, TANGENT] = self.pull
            jacobian[:, n_loss:, OFFSET] = 1.0
        if np.any(values[:, AMPLITUDE] > 0):
            hot, by_tc = self.hot(values[:, TC], self.levels)
            amplitude = values[:, AMPLITUDE, None]
            if n_loss:
                loss += amplitude * hot[:, 0, self.level]
            prediction[:, n_loss:] += amplitude * hot[:, 1, self.cold_level]
            for at, column in ((0, self.level), (1, self.cold_level)):
                rows = slice(None, n_loss) if at == 0 else slice(n_loss, None)
                jacobian[:, rows, AMPLITUDE] = hot[:, at, column]
                jacobian[:, rows, TC] = amplitude * by_tc[:, at, column]
        if n_loss:
            # a model that loses nothing has an infinite Q
            with np.errstate(divide="ignore", invalid="ignore"):
                prediction[:, :n_loss] = -np.log(loss)
                jacobian[:, :n_loss] /= -loss[..., None]
        return prediction, jacobian

    def _reduced(self, temperature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale = PLANCK / (2 * BOLTZMANN) * self.frequency
        kept = np.maximum(temperature, scale / COLDEST)
        return kept, np.tanh(scale / kept)

    def tls_loss(
        self,
        form: str,
        temperature: np.ndarray,
        photons: np.ndarray,
        critical: float,
        thermal: float,
        exponent: float,
    ) -> np.ndarray:
        """Returns 1/Q_i by TLSs of F tan delta = 1 at any temperatures and photon numbers (R,)."""
        kept, seen = self._reduced(temperature)
        law = (np.array([value]) for value in (critical, thermal, exponent))
        found: np.ndarray = seen * reduction_and_slopes(form, photons, kept, seen, *law)[0][0]
        return found

    def tls_shift(self, temperature: np.ndarray) -> np.ndarray:
        """Returns the shift that TLSs of F tan delta = 1 make at any temperatures (T,)."""
        return tls_shift(self.frequency, self._reduced(temperature)[0])

    def hot(self, tc: np.ndarray, temperature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gives loss and shift by quasiparticles of amplitude 1, (K, 2, T), and slopes by Tc, at any temperatures."""
        law = mattis_bardeen if self.quasiparticles == "mattis-bardeen" else dilute
        loss, shift = law(self.frequency, tc, self._reduced(temperature)[0])
        return np.stack([loss.value, shift.value], axis=1), np.stack([loss.slope, shift.slope], axis=1)
