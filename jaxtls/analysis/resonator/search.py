"""Fits every form of the loss by least squares, many starts or many held values at a time."""

from __future__ import annotations

import dataclasses

import numpy as np

from ...fitting import AbstractTransform, FitResult, Interval, Positive, Real, solvers
from ...fitting.data import Shapes
from ...fitting.fit import result_of
from ...fitting.parameters import collect
from ...models.resonator import ResonatorLoss
from .measured import Measured
from .prediction import NAMES as NAMES
from .prediction import Prediction

STEPS = 160


def transforms(hottest: float) -> dict[str, AbstractTransform]:
    """Gives the range of each parameter; Tc lies above the hottest row."""
    special: dict[str, AbstractTransform] = {
        "temperature_exponent": Interval(-1.0, 4.0),
        "photon_exponent": Interval(0.02, 2.0),
        "critical_temperature": Positive(lower=1.02 * hottest),
        "shift_offset": Real(),
    }
    return {name: special.get(name, Positive()) for name in NAMES}


@dataclasses.dataclass(frozen=True, eq=False)
class Optimum:
    """Says where a search ended: all eight values, chi2, how it ended and the point itself."""

    values: np.ndarray
    chi2: float
    search: solvers.Search


class Space:
    """Maps free columns to unconstrained coordinates, in NumPy: a search makes thousands of these small maps."""

    def __init__(self, free: tuple[str, ...], hottest: float):
        self.columns = [NAMES.index(name) for name in free]
        ranges = transforms(hottest)
        ends = [ranges[name].bounds() for name in free]
        self.low = np.array([float(np.asarray(low)) for low, _ in ends])
        self.high = np.array([float(np.asarray(high)) for _, high in ends])
        self.longest = np.array([ranges[name].max_step for name in free])
        self.real, self.between = np.isinf(self.low), np.isfinite(self.high)

    def inverse(self, v: np.ndarray) -> np.ndarray:
        """Returns u (K, n) of physical values (K, n), which are first drawn inside the range."""
        low, high = np.where(self.real, 0.0, self.low), np.where(self.between, self.high, 1.0)
        above = np.maximum(v - low, 1e-30)
        share = np.clip((v - low) / (high - low), 1e-6, 1 - 1e-6)
        return np.where(self.real, v, np.where(self.between, np.log(share) - np.log1p(-share), np.log(above)))

    def forward(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns physical values and their slopes."""
        size = np.exp(np.clip(u, -300.0, 300.0))
        low, high = np.where(self.real, 0.0, self.low), np.where(self.between, self.high, 1.0)
        share = size / (1 + size)
        values = np.where(self.real, u, np.where(self.between, low + (high - low) * share, low + size))
        slope = np.where(self.real, 1.0, np.where(self.between, (high - low) * share / (1 + size), size))
        return values, slope


class Searcher:
    """Searches on one set of measurements."""

    def __init__(self, measured: Measured, quasiparticles: str):
        self.measured, self.quasiparticles = measured, quasiparticles
        self.data = measured.data
        self.sigma = np.ones(len(self.data))
        self.predict = Prediction(measured, quasiparticles)

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
        weight, space = 1 / bars, Space(free, self.measured.hottest)
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
        """Returns the point itself, where nothing of a form is free."""
        prediction, _ = self.predict(form, values[None])
        none = np.zeros(0)
        problem = solvers.Problem(self.data, 1 / self.sigma, none, True, 1e-6, 1e-4, np.finfo(float).eps)
        search = solvers.Search(problem)
        search.code = solvers.CONVERGED
        return Optimum(values, float(np.sum(((prediction[0] - self.data) / self.sigma) ** 2)), search)

    def relative_error(self, form: str, free: tuple[str, ...], optimum: Optimum, name: str) -> float:
        """Returns a free positive parameter's standard error over its value, by the linearised model; inf if unseen."""
        _, jacobian = self.predict(form, optimum.values[None])
        columns = [NAMES.index(other) for other in free]
        scaled = jacobian[0][:, columns] / self.sigma[:, None] * (np.abs(optimum.values[columns]) + 1e-300)
        size = np.linalg.norm(scaled, axis=0)
        inverse = np.linalg.pinv(scaled / np.where(size > 0, size, 1.0), rcond=1e-9)
        at = free.index(name)
        return float(np.linalg.norm(inverse[at]) / size[at]) if size[at] > 0 else np.inf

    def tls_share(self, form: str, optimum: Optimum, row: int) -> float:
        """Returns the share of a row's loss that TLSs make."""
        return self._share(form, optimum, row, "loss_tangent")

    def quasiparticle_share(self, form: str, optimum: Optimum, row: int) -> float:
        """Returns the share of a row's loss that quasiparticles make."""
        return self._share(form, optimum, row, "quasiparticle_amplitude")

    def _share(self, form: str, optimum: Optimum, row: int, name: str) -> float:
        without = optimum.values.copy()
        without[NAMES.index(name)] = 0.0
        logs = self.predict(form, np.stack([optimum.values, without]))[0][:, row]
        # where nothing else loses energy, all of it is theirs
        return abs(float(-np.expm1(logs[0] - logs[1]))) if np.isfinite(logs[1]) else 1.0

    def result(self, form: str, free: tuple[str, ...], optimum: Optimum, sigma: np.ndarray | None = None) -> FitResult:
        """Returns the optimum as a `FitResult` of a `ResonatorLoss`."""
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
        return result_of(parameters, Shapes(data), problem, starts, [search], "", starts[0])
