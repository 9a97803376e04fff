"""Holds what every fit gives: values with errors, and what the data cannot say."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._checks import SINGLE, precision_of
from .identifiability import Identifiability
from .parameters import Parameters


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AbstractFit:
    """Holds the part of a result that does not depend on how the fit was judged; `FitResult` explains the fields."""

    model: Any
    values: dict[str, Array]
    stderr: dict[str, Array]
    covariance: Float[Array, "n n"]
    names: tuple[str, ...]
    success: bool
    message: str
    identifiability: Identifiability
    n_steps: int
    start_values: dict[str, Array]
    parameters: Parameters = dataclasses.field(repr=False)

    @property
    def correlation(self) -> Float[Array, "n n"]:
        """Gives the correlation matrix of the free scalars; nan in the rows of unidentified ones."""
        covariance = np.asarray(self.covariance)
        error = np.sqrt(np.diag(covariance))
        known = np.isfinite(error) & (error > 0)
        both, size = known[:, None] & known[None, :], np.where(known, error, 1.0)
        return jnp.asarray(np.where(both, np.where(both, covariance, 0.0) / np.outer(size, size), np.nan))

    @property
    def precision(self) -> str:
        """Says "single" or "double": of the numbers that were computed with."""
        return precision_of(self.values)

    def _plain(self) -> dict[str, Any]:
        """Give the common part of `to_dict`."""

        def fields(values: dict[str, Array]) -> dict[str, Any]:
            return {name: plain(np.asarray(value).tolist()) for name, value in values.items()}

        return {
            "success": self.success,
            "message": self.message,
            "values": fields(self.values),
            "stderr": fields(self.stderr),
            "names": list(self.names),
            "covariance": plain(np.asarray(self.covariance).tolist()),
            "identifiability": str(self.identifiability),
            "unidentified": list(self.identifiability.unidentified),
            "n_steps": self.n_steps,
            "precision": self.precision,
        }

    def _lines(self, judged: str, ends: Array) -> list[str]:
        """Give the printed result; `judged` is the measure of the fit, `ends` that of every start."""
        state = "success" if self.success else "FAILED"
        lines = [f"{type(self).__name__}: {state}, {judged}, {self.n_steps} steps"]
        flat = np.concatenate([np.ravel(np.asarray(value)) for value in self.values.values()])
        errors = np.concatenate([np.ravel(np.asarray(value)) for value in self.stderr.values()])
        width = max(len(name) for name in self.names)
        shown = list(zip(self.names, flat.tolist(), errors.tolist()))
        lines += [f"  {name:<{width}}  {with_error(value, error)}" for name, value, error in shown[:40]]
        if len(shown) > 40:
            lines.append(f"  ... {len(shown) - 40} more")
        correlation = np.asarray(self.correlation)
        pairs = [(i, j) for i in range(len(self.names)) for j in range(i) if abs(correlation[i, j]) > 0.9]
        lines += [
            f"  correlation of {self.names[j]} and {self.names[i]}: {correlation[i, j]:+.3f}" for i, j in pairs[:10]
        ]
        if len(ends) > 1:
            lines.append(f"  best of {len(ends)} starts ({int(np.sum(np.isfinite(np.asarray(ends))))} finite)")
        if self.precision == "single":
            lines.append(f"  {SINGLE}")
        if self.message:
            lines.append(f"  {self.message}")
        return lines


def plain(value: float | list) -> Any:
    """Gives numbers and lists of them for JSON: None where not finite."""
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value if math.isfinite(value) else None


def short(number: Array | float) -> str:
    """Writes four digits; 0 for what is only rounding."""
    return "0" if abs(float(number)) < 1e-12 else f"{float(number):.4g}"


def with_error(value: float, error: float) -> str:
    """Writes a value and its standard error to two digits of the error: 10.31 ± 0.42."""
    value, error = float(value), float(error)
    if not (math.isfinite(value) and math.isfinite(error)) or error <= 0:
        return f"{value:.6g} ± {error:.2g}"
    digits = 1 - math.floor(math.log10(error))
    if digits > 12 or digits < -3 or abs(value) >= 1e7 or max(abs(value), error) < 1e-3:
        power = math.floor(math.log10(max(abs(value), error)))
        places = min(max(digits + power, 0), 15)
        return f"({value / 10.0**power:.{places}f} ± {error / 10.0**power:.{places}f})e{power:+d}"
    places = max(digits, 0)
    return f"{value:.{places}f} ± {error:.{places}f}"
