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

# The program runs a thousand times on few temperatures: it is worth no optimisation.
LIGHT = {
    "xla_backend_optimization_level": 0,
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
        scale = PLANCK / (2 * BOLTZMANN) * self.frequency
        self.temperature = np.maximum(measured.temperature, scale / COLDEST)
        self.photons, self.seen = measured.photons, np.tanh(scale / self.temperature)
        self.pull = _pull(self.frequency, measured.cold)
        both = np.concatenate([measured.temperature, measured.cold])
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
            hot, by_tc = self._hot(values[:, TC])
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

    def _hot(self, tc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Loss and shift by quasiparticles of amplitude 1 at each level, (K, 2, L), and their slopes by Tc."""
        many, levels = len(tc), _padded(self.levels, PAD)
        program = _program(self.quasiparticles)
        found = []
        for at in range(0, many, BATCH):
            hot, by_tc = program(_padded(tc[at : at + BATCH], BATCH), np.asarray(self.frequency), levels)
            found.append(np.stack([np.asarray(hot), np.asarray(by_tc)]))
        hot, by_tc = np.concatenate(found, axis=1)[:, :many, :, : len(self.levels)]
        return hot, by_tc


def _padded(column: np.ndarray, size: int) -> np.ndarray:
    return np.pad(column, (0, -len(column) % size), mode="edge")


def _pull(frequency: float, cold: np.ndarray) -> np.ndarray:
    """The shift that TLSs of F tan delta = 1 make."""
    if not len(cold):
        return np.zeros(0)
    model = ResonatorLoss(frequency=frequency, loss_tangent=1.0)
    return np.asarray(model.tls_shift(_padded(cold, PAD)))[: len(cold)]


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
