"""ln Q and frequency shift of the rows of one measurement, with their derivatives by all parameters, many sets at once.

A search asks for them a thousand times on a hundred rows, so the terms of closed form are NumPy's: nothing is compiled
for data without quasiparticles. Those need integrals over the density of states, which JAX differentiates and compiles.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...models.resonator import BOLTZMANN, COLDEST, PLANCK, ResonatorLoss
from ...models.resonator.saturation import reduction_and_slopes
from .measured import Measured

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
BATCH, PAD = 8, 16

# The program runs some hundred times on few temperatures: it is worth little optimisation.
LIGHT = {
    "xla_backend_optimization_level": 1,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}


class Prediction:
    """What the model says of the rows of a measurement.

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
        """ln Q and shift (K, N), and their derivatives (K, N, 8), at values (K, 8) of NAMES."""
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
        """1/Q_i by TLSs of F tan delta = 1 at any temperatures and photon numbers (R,)."""
        kept, seen = self._reduced(temperature)
        law = (np.array([value]) for value in (critical, thermal, exponent))
        found: np.ndarray = seen * reduction_and_slopes(form, photons, kept, seen, *law)[0][0]
        return found

    def tls_shift(self, temperature: np.ndarray) -> np.ndarray:
        """The shift that TLSs of F tan delta = 1 make at any temperatures (T,)."""
        model = ResonatorLoss(frequency=self.frequency, loss_tangent=1.0)
        parts = [np.asarray(model.tls_shift(part)) for part in _chunks(temperature, _size(self.cold))]
        return np.concatenate([np.zeros(0), *parts])[: len(temperature)]

    def hot(self, tc: np.ndarray, temperature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Loss and shift by quasiparticles of amplitude 1, (K, 2, T), and their slopes by Tc, at any temperatures."""
        program, frequency, found = _program(self.quasiparticles), np.asarray(self.frequency), []
        for part in _chunks(tc, BATCH):
            rows = [np.stack(program(part, frequency, levels)) for levels in _chunks(temperature, _size(self.levels))]
            found.append(np.concatenate(rows, axis=-1))
        hot, by_tc = np.concatenate(found, axis=1)[:, : len(tc), :, : len(temperature)]
        return hot, by_tc


def _size(column: np.ndarray) -> int:
    """The length to which columns are padded, so that a few more rows compile nothing anew."""
    return max(-(-len(column) // PAD), 1) * PAD


def _chunks(column: np.ndarray, size: int) -> list[np.ndarray]:
    """Pieces of one size, the last one filled up with its last value."""
    return [np.pad(column[at : at + size], (0, max(at + size - len(column), 0)), mode="edge")
            for at in range(0, len(column), size)]  # fmt: skip


@functools.cache
def _program(quasiparticles: str) -> Callable[..., tuple[Array, Array]]:
    """(Tc (K,), frequency, temperatures (L,)) -> loss and shift (K, 2, L) and their slopes, soon compiled."""

    def one(tc: Array, frequency: Array, levels: Array) -> tuple[Array, Array]:
        def hot(tc: Array) -> Array:
            model = ResonatorLoss(
                frequency=frequency,
                loss_tangent=0.0,
                critical_temperature=tc,
                quasiparticle_amplitude=1.0,
                quasiparticles=quasiparticles,
            )
            return jnp.stack([model.quasiparticle_loss(levels), model.quasiparticle_shift(levels)])

        return jax.jvp(hot, (tc,), (jnp.ones_like(tc),))

    function = jax.vmap(one, (0, None, None))
    light, usual = jax.jit(function, compiler_options=LIGHT), jax.jit(function)

    def program(*arguments: Any) -> tuple[Array, Array]:
        try:
            return light(*arguments)  # type: ignore[no-any-return]
        except jax.errors.JaxRuntimeError:
            # an XLA that does not know these options any more
            return usual(*arguments)  # type: ignore[no-any-return]

    return program
