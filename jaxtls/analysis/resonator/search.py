"""Least squares of every form of the loss by one compiled program, many starts or many held values at a time.

Which parameters are free is a matter of columns, which form of saturation one of an index, so neither compiles anything
again; rows are padded, so that neither do a few more of them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...fitting import AbstractTransform, FitResult, Interval, Positive, Real, solvers
from ...fitting.data import Shapes
from ...fitting.fit import result_of
from ...fitting.parameters import collect
from ...models.resonator import FORMS, ResonatorLoss
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
BATCH, PAD, STEPS = 8, 16, 160


def transforms(hottest: float) -> dict[str, AbstractTransform]:
    """The range of each parameter; Tc lies above the hottest row."""
    special: dict[str, AbstractTransform] = {
        "temperature_exponent": Interval(-1.0, 4.0),
        "photon_exponent": Interval(0.02, 2.0),
        "critical_temperature": Positive(lower=1.02 * hottest),
        "shift_offset": Real(),
    }
    return {name: special.get(name, Positive()) for name in NAMES}


@dataclasses.dataclass(frozen=True, eq=False)
class Optimum:
    """Where a search ended: all eight values, chi2, how it ended and the point itself."""

    values: np.ndarray
    chi2: float
    search: solvers.Search


class Space:
    """Unconstrained coordinates of the free columns, in NumPy: a search makes thousands of these small maps."""

    def __init__(self, free: tuple[str, ...], hottest: float):
        self.columns = [NAMES.index(name) for name in free]
        ranges = transforms(hottest)
        ends = [ranges[name].bounds() for name in free]
        self.low = np.array([float(np.asarray(low)) for low, _ in ends])
        self.high = np.array([float(np.asarray(high)) for _, high in ends])
        self.longest = np.array([ranges[name].max_step for name in free])
        self.real, self.between = np.isinf(self.low), np.isfinite(self.high)

    def inverse(self, v: np.ndarray) -> np.ndarray:
        """u (K, n) of physical values (K, n), which are first drawn inside the range."""
        low, high = np.where(self.real, 0.0, self.low), np.where(self.between, self.high, 1.0)
        above = np.maximum(v - low, 1e-30)
        share = np.clip((v - low) / (high - low), 1e-6, 1 - 1e-6)
        return np.where(self.real, v, np.where(self.between, np.log(share) - np.log1p(-share), np.log(above)))

    def forward(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Physical values and their slopes."""
        size = np.exp(np.clip(u, -300.0, 300.0))
        low, high = np.where(self.real, 0.0, self.low), np.where(self.between, self.high, 1.0)
        share = size / (1 + size)
        values = np.where(self.real, u, np.where(self.between, low + (high - low) * share, low + size))
        slope = np.where(self.real, 1.0, np.where(self.between, (high - low) * share / (1 + size), size))
        return values, slope


# The program runs a thousand times on a hundred rows: it is worth no optimisation.
LIGHT = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}


class Rows(NamedTuple):
    """Conditions of the rows of loss (R,) and of shift (S,), padded, and where each stands among the temperatures."""

    temperature: np.ndarray
    photons: np.ndarray
    cold: np.ndarray
    levels: np.ndarray
    level: np.ndarray
    cold_level: np.ndarray

    @classmethod
    def of(cls, measured: Measured) -> Rows:
        """The rows of a measurement."""
        both = np.concatenate([measured.temperature, measured.cold])
        levels, level = np.unique(both, return_inverse=True)
        level, cold_level = np.split(level, [len(measured.temperature)])
        temperature, photons, cold = map(_padded, (measured.temperature, measured.photons, measured.cold))
        return cls(temperature, photons, cold, _padded(levels), _padded(level, 0), _padded(cold_level, 0))


def _padded(column: np.ndarray, value: float | int = 1.0) -> np.ndarray:
    return np.pad(column, (0, -len(column) % PAD), constant_values=value)


@functools.cache
def _program(quasiparticles: str) -> Callable[..., tuple[Array, Array]]:
    """`_evaluate` compiled in as little time as may be."""
    function = functools.partial(_evaluate, quasiparticles=quasiparticles)
    light, usual = jax.jit(function, compiler_options=LIGHT), jax.jit(function)

    def program(*arguments: Any) -> tuple[Array, Array]:
        try:
            return light(*arguments)  # type: ignore[no-any-return]
        except jax.errors.JaxRuntimeError:
            # an XLA that does not know these options any more
            return usual(*arguments)  # type: ignore[no-any-return]

    return program


def _evaluate(values: Array, form: Array, frequency: Array, rows: Rows, quasiparticles: str) -> tuple[Array, Array]:
    """ln Q and shift (K, N), and their derivatives (K, N, 8), by whichever form the index names."""
    temperature, photons, cold = rows.temperature, rows.photons, rows.cold
    critical, amplitude = NAMES.index("critical_temperature"), NAMES.index("quasiparticle_amplitude")

    def branch(name: str, model: ResonatorLoss) -> Array:
        return dataclasses.replace(model, saturation=name).tls_loss(temperature, photons)

    def hot(tc: Array) -> tuple[Array, Array]:
        """Loss and shift by quasiparticles of amplitude 1, at each temperature once."""
        model = ResonatorLoss(
            frequency=frequency,
            loss_tangent=0.0,
            critical_temperature=tc,
            quasiparticle_amplitude=1.0,
            quasiparticles=quasiparticles,
        )
        return model.quasiparticle_loss(rows.levels), model.quasiparticle_shift(rows.levels)

    def along(tc: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        # Integrals over the density of states depend on Tc alone: they are differentiated once, not by eight columns.
        return jax.jvp(hot, (tc,), (jnp.ones_like(tc),))

    def cool(tc: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        return jax.tree.map(lambda part: jnp.zeros(part.shape, part.dtype), jax.eval_shape(jax.vmap(along), tc))

    terms = jax.lax.cond(jnp.any(values[:, amplitude] > 0), jax.vmap(along), cool, values[:, critical])

    def predict(v: Array, terms: tuple[tuple[Array, Array], tuple[Array, Array]]) -> Array:
        fields: dict[str, Any] = {name: v[i] for i, name in enumerate(NAMES)}
        model = ResonatorLoss(frequency=frequency, quasiparticles=quasiparticles, **fields)
        step = v[critical] - jax.lax.stop_gradient(v[critical])
        loss, shift = (v[amplitude] * (at + slope * step) for at, slope in zip(*terms, strict=True))
        parts = []
        if temperature.size:
            tls = jnp.stack([branch(name, model) for name in FORMS])[form]
            parts.append(-jnp.log(tls + loss[rows.level] + model.constant_loss))
        if cold.size:
            parts.append(model.tls_shift(cold) + shift[rows.cold_level] + model.shift_offset)
        return jnp.concatenate(parts)

    def twice(v: Array, terms: tuple[tuple[Array, Array], tuple[Array, Array]]) -> tuple[Array, Array]:
        p = predict(v, terms)
        return p, p

    jacobian, prediction = jax.vmap(jax.jacfwd(twice, has_aux=True))(values, terms)
    return prediction, jacobian


class Searcher:
    """Searches on one set of measurements."""

    def __init__(self, measured: Measured, quasiparticles: str):
        self.measured, self.quasiparticles = measured, quasiparticles
        self.data = measured.data
        self.sigma = np.ones(len(self.data))
        n_loss, n_shift = len(measured.quality), len(measured.shift)
        ends = n_loss + -n_loss % PAD
        self.keep = np.concatenate([np.arange(n_loss), ends + np.arange(n_shift)])
        self.rows = Rows.of(measured)

    def predict(self, form: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predictions (K, N) and derivatives (K, N, 8) at values (K, 8), K up to the size of a batch."""
        given = len(values)
        values = np.concatenate([values, np.repeat(values[:1], BATCH - given, axis=0)])
        index = FORMS.index("none" if form == "no TLS" else form)
        frequency = np.asarray(self.measured.frequency, float)
        prediction, jacobian = _program(self.quasiparticles)(values, np.asarray(index), frequency, self.rows)
        return np.asarray(prediction)[:given, self.keep], np.asarray(jacobian)[:given, self.keep]

    def run(
        self, form: str, free: tuple[str, ...], starts: np.ndarray, sigma: np.ndarray | None = None
    ) -> list[Optimum]:
        """Search from every start (S, 8) over the free columns; what is not free keeps each start's value.

        Arguments:
            form: of the saturation, or "no TLS".
            free: names.
            starts: (S, 8) physical values.
            sigma: (N,) or (S, N) error bars; by default the searcher's own.

        Returns:
            The optima, one for each start, in their order.
        """
        bars = np.broadcast_to(self.sigma if sigma is None else sigma, (len(starts), len(self.data)))
        found: list[Optimum] = []
        for at in range(0, len(starts), BATCH):
            chunk = starts[at : at + BATCH]
            some = np.concatenate([np.arange(len(chunk)), np.zeros(BATCH - len(chunk), int)])
            found += self._batch(form, free, chunk[some], 1 / bars[at : at + BATCH][some])[: len(chunk)]
        return found

    def _batch(self, form: str, free: tuple[str, ...], starts: np.ndarray, weight: np.ndarray) -> list[Optimum]:
        space = Space(free, self.measured.hottest)
        u0 = space.inverse(starts[:, space.columns])
        size = self.data * weight[0]
        problem = solvers.Problem(size, np.ones(len(size)), space.longest, True, 1e-6, 1e-4, np.finfo(float).eps)

        def fill(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values = starts.copy()
            values[:, space.columns], slope = space.forward(u)
            return values, slope

        def evaluate(u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            values, slope = fill(u)
            prediction, jacobian = self.predict(form, values)
            # whitened here, since error bars may differ from start to start
            residual = (prediction - self.data) * weight
            return residual + size, jacobian[:, :, space.columns] * weight[..., None], slope

        method = solvers.LevenbergMarquardt(problem, u0)
        searches = solvers.run(method, problem, u0, evaluate, STEPS, False)
        best = np.array([start if s.best is None else s.best.u for s, start in zip(searches, u0)])
        values, _ = fill(best)
        return [Optimum(v, float(s.chi2), s) for v, s in zip(values, searches)]

    def as_held(self, form: str, values: np.ndarray) -> Optimum:
        """The point itself, where nothing of a form is free."""
        prediction, _ = self.predict(form, values[None])
        none = np.zeros(0)
        problem = solvers.Problem(self.data, 1 / self.sigma, none, True, 1e-6, 1e-4, np.finfo(float).eps)
        search = solvers.Search(problem)
        search.code = solvers.CONVERGED
        return Optimum(values, float(np.sum(((prediction[0] - self.data) / self.sigma) ** 2)), search)

    def relative_error(self, form: str, free: tuple[str, ...], optimum: Optimum, name: str) -> float:
        """The standard error of a free positive parameter over its value, by the linearised model; inf if unseen."""
        _, jacobian = self.predict(form, optimum.values[None])
        columns = [NAMES.index(other) for other in free]
        scaled = jacobian[0][:, columns] / self.sigma[:, None] * (np.abs(optimum.values[columns]) + 1e-300)
        size = np.linalg.norm(scaled, axis=0)
        inverse = np.linalg.pinv(scaled / np.where(size > 0, size, 1.0), rcond=1e-9)
        at = free.index(name)
        return float(np.linalg.norm(inverse[at]) / size[at]) if size[at] > 0 else np.inf

    def tls_share(self, form: str, optimum: Optimum, row: int) -> float:
        """The share of a row's loss that TLSs make."""
        return self._share(form, optimum, row, "loss_tangent")

    def quasiparticle_share(self, form: str, optimum: Optimum, row: int) -> float:
        """The share of a row's loss that quasiparticles make."""
        return self._share(form, optimum, row, "quasiparticle_amplitude")

    def _share(self, form: str, optimum: Optimum, row: int, name: str) -> float:
        without = optimum.values.copy()
        without[NAMES.index(name)] = 0.0
        logs = self.predict(form, np.stack([optimum.values, without]))[0][:, row]
        # where nothing else loses energy, all of it is theirs
        return float(-np.expm1(logs[0] - logs[1])) if np.isfinite(logs[1]) else 1.0

    def result(self, form: str, free: tuple[str, ...], optimum: Optimum, sigma: np.ndarray | None = None) -> FitResult:
        """The optimum as a `FitResult` of a `ResonatorLoss`."""
        bars = self.sigma if sigma is None else sigma
        fields = {name: float(value) for name, value in zip(NAMES, optimum.values)}
        saturation = "none" if form == "no TLS" else form
        if "shift_offset" in free:
            # where the zero lies near 0, its size is that of the shift, not its own
            fields["shift_offset"] = max(abs(fields["shift_offset"]), float(np.ptp(self.measured.shift)))
        model = ResonatorLoss(
            frequency=self.measured.frequency, saturation=saturation, quasiparticles=self.quasiparticles, **fields
        )
        ranges = transforms(self.measured.hottest)
        parameters = collect(model, {name: ranges[name] for name in free})
        space = Space(free, self.measured.hottest)
        problem = solvers.Problem(self.data, 1 / bars, space.longest, True, 1e-6, 1e-4, np.finfo(float).eps)
        prediction, jacobian = self.predict(form, optimum.values[None])
        u = space.inverse(optimum.values[None, space.columns])[0]
        point = solvers.Point(u, prediction[0], jacobian[0][:, space.columns], space.forward(u)[1])
        search = solvers.Search(problem)
        search.tell(point, *problem.whiten(point))
        search.code, search.steps = optimum.search.code, optimum.search.steps
        split = np.split(self.data, [len(self.measured.quality)])
        data = {name: part for name, part in zip(("loss", "shift"), split) if len(part)}
        starts = optimum.values[None, space.columns]
        return result_of(parameters, Shapes(data), problem, starts, [search], "")
