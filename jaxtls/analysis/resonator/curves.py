"""Gives a fitted resonator to a picture: the terms of its loss and shift, from what its fit has compiled already."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Array, ArrayLike

from ...models.resonator import ResonatorLoss
from .measured import Measured
from .prediction import Prediction


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
    """Gives what `plot.resonator_fit` asks of a `ResonatorLoss`.

    Arguments:
        model: the fitted one.
        measured: what it was fitted to.

    Example:
        >>> measured = jt.analyse_resonator(
        ...     np.full(9, 0.02), np.geomspace(1, 1e4, 9), np.geomspace(1e5, 1e6, 9), frequency=5e9).measured
        >>> model = jt.ResonatorLoss(frequency=5e9, loss_tangent=1e-6)
        >>> bool(np.isclose(Curves(model, measured).tls_loss(0.1, 3.0), model.tls_loss(0.1, 3.0)))
        True
    """

    model: ResonatorLoss
    measured: Measured

    @property
    def quasiparticle_amplitude(self) -> Array:
        """Gives the model's."""
        return self.model.quasiparticle_amplitude

    @property
    def constant_loss(self) -> Array:
        """Gives the model's."""
        return self.model.constant_loss

    @property
    def shift_offset(self) -> Array:
        """Gives the model's."""
        return self.model.shift_offset

    def tls_loss(self, temperature: ArrayLike, photon_number: ArrayLike) -> np.ndarray:
        """Returns 1/Q_i by TLSs at temperature [K] and mean photon number."""
        t, n = np.broadcast_arrays(np.asarray(temperature, float), np.asarray(photon_number, float))
        law = (self.model.critical_power, self.model.temperature_exponent, self.model.photon_exponent)
        found = self._prediction.tls_loss(self.model.saturation, t.ravel(), n.ravel(), *(float(v) for v in law))
        return np.asarray(float(self.model.loss_tangent) * found.reshape(t.shape))

    def quasiparticle_loss(self, temperature: ArrayLike) -> np.ndarray:
        """Returns 1/Q_i by quasiparticles at temperature [K]."""
        return self._hot(temperature, 0)

    def tls_shift(self, temperature: ArrayLike) -> np.ndarray:
        """Returns the shift by TLSs at temperature [K]."""
        t = np.asarray(temperature, float)
        return np.asarray(float(self.model.loss_tangent) * self._prediction.tls_shift(t.ravel()).reshape(t.shape))

    def quasiparticle_shift(self, temperature: ArrayLike) -> np.ndarray:
        """Returns the shift by quasiparticles at temperature [K]."""
        return self._hot(temperature, 1)

    @property
    def _prediction(self) -> Prediction:
        return Prediction(self.measured, self.model.quasiparticles)

    def _hot(self, temperature: ArrayLike, which: int) -> np.ndarray:
        t = np.asarray(temperature, float)
        terms, _ = self._prediction.hot(np.array([float(self.model.critical_temperature)]), t.ravel())
        return np.asarray(float(self.model.quasiparticle_amplitude) * terms[0, which].reshape(t.shape))
