"""What a fit found."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from .identifiability import Identifiability
from .parameters import Parameters


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FitResult:
    r"""The fitted model, its parameters with standard errors, and what the data cannot say.

    Errors are those of the linearised model, $\mathrm{cov} = (J^T J)^{-1}$ with J the derivative of the residuals in
    units of sigma by the physical parameters; without sigma they are scaled by the reduced chi2.

    Args:
        model: the model with the fitted values put in.
        values: field name to fitted value, in the field's shape and unit.
        stderr: field name to standard error, same shape and unit; inf where the data do not fix the value, nan where
            errors cannot be estimated (no sigma and as many parameters as data).
        covariance: (n, n) of the free scalars in the order of `names`, physical units.
        names: one name for each free scalar: "gamma", "g[2]".
        chi2: sum of squared residuals in units of sigma, not reduced.
        dof: number of data less the number of directions that they fix.
        residuals: (predicted - data) / sigma, as data.
        predicted: predictions of the fitted model, as data.
        success: whether the search converged; an unidentified parameter does not make it fail.
        message: what happened, what to do, and the names of unidentified parameters.
        identifiability: which parameters and combinations the data fix; `str` of it reads as a sentence.
        n_steps: evaluations of the model and its Jacobian in the search that won.
        start_values: field name to the starting values, leading axis n_starts; the given start comes first.
        start_chi2: (n_starts,) chi2 at the end of every search; inf where a search met no finite value.

    Example:
        >>> import equinox as eqx, jax.numpy as jnp, jaxtls as jt
        >>> class Line(eqx.Module):
        ...     slope: float
        >>> x = jnp.array([1.0, 2.0, 2.0])
        >>> y = jnp.array([3.1, 5.8, 6.1])
        >>> f = jt.fit(lambda m: m.slope * x, Line(1.0), y, sigma=0.3, free={"slope": jt.Real()})
        >>> f
        FitResult: success, chi2 0.6543 / 2 dof, 3 steps
          slope  2.99 ± 0.10
    """

    model: Any
    values: dict[str, Array]
    stderr: dict[str, Array]
    covariance: Float[Array, "n n"]
    names: tuple[str, ...]
    chi2: Float[Array, ""]
    dof: int
    residuals: PyTree[Array]
    predicted: PyTree[Array]
    success: bool
    message: str
    identifiability: Identifiability
    n_steps: int
    start_values: dict[str, Array]
    start_chi2: Float[Array, " n_starts"]
    parameters: Parameters = dataclasses.field(repr=False)

    @property
    def reduced_chi2(self) -> Float[Array, ""]:
        """chi2 / dof; nan without degrees of freedom."""
        return self.chi2 / self.dof if self.dof > 0 else jnp.full_like(self.chi2, jnp.nan)

    @property
    def p_value(self) -> Float[Array, ""]:
        """Probability of a chi2 at least as large if the model and sigma are right; nan without degrees of freedom."""
        if self.dof <= 0:
            return jnp.full_like(self.chi2, jnp.nan)
        return jax.scipy.special.gammaincc(self.dof / 2, self.chi2 / 2)

    @property
    def correlation(self) -> Float[Array, "n n"]:
        """Correlation matrix of the free scalars; nan in the rows of unidentified ones."""
        covariance = np.asarray(self.covariance)
        error = np.sqrt(np.diag(covariance))
        known = np.isfinite(error) & (error > 0)
        both, size = known[:, None] & known[None, :], np.where(known, error, 1.0)
        return jnp.asarray(np.where(both, np.where(both, covariance, 0.0) / np.outer(size, size), np.nan))

    def to_dict(self) -> dict[str, Any]:
        """Everything but the model and the arrays of predictions, ready for `json.dumps`; null where not finite."""

        def plain(value: Any) -> Any:
            if isinstance(value, list):
                return [plain(part) for part in value]
            return value if math.isfinite(value) else None

        def fields(values: dict[str, Array]) -> dict[str, Any]:
            return {name: plain(np.asarray(value).tolist()) for name, value in values.items()}

        return {
            "success": self.success,
            "message": self.message,
            "values": fields(self.values),
            "stderr": fields(self.stderr),
            "names": list(self.names),
            "covariance": plain(np.asarray(self.covariance).tolist()),
            "chi2": plain(float(self.chi2)),
            "dof": self.dof,
            "reduced_chi2": plain(float(self.reduced_chi2)),
            "p_value": plain(float(self.p_value)),
            "identifiability": str(self.identifiability),
            "unidentified": list(self.identifiability.unidentified),
            "n_steps": self.n_steps,
            "start_chi2": plain(np.asarray(self.start_chi2).tolist()),
        }

    def __repr__(self) -> str:
        state = "success" if self.success else "FAILED"
        lines = [f"FitResult: {state}, chi2 {_short(self.chi2)} / {self.dof} dof, {self.n_steps} steps"]
        flat = np.concatenate([np.ravel(np.asarray(value)) for value in self.values.values()])
        errors = np.concatenate([np.ravel(np.asarray(value)) for value in self.stderr.values()])
        width = max(len(name) for name in self.names)
        shown = list(zip(self.names, flat, errors))
        lines += [f"  {name:<{width}}  {with_error(value, error)}" for name, value, error in shown[:40]]
        if len(shown) > 40:
            lines.append(f"  ... {len(shown) - 40} more")
        correlation = np.asarray(self.correlation)
        pairs = [(i, j) for i in range(len(self.names)) for j in range(i) if abs(correlation[i, j]) > 0.9]
        lines += [
            f"  correlation of {self.names[j]} and {self.names[i]}: {correlation[i, j]:+.3f}" for i, j in pairs[:10]
        ]
        if len(self.start_chi2) > 1:
            finite = int(np.sum(np.isfinite(np.asarray(self.start_chi2))))
            lines.append(f"  best of {len(self.start_chi2)} starts ({finite} finite)")
        if self.message:
            lines.append(f"  {self.message}")
        return "\n".join(lines)


def _short(number: Any) -> str:
    return "0" if abs(float(number)) < 1e-12 else f"{float(number):.4g}"


def with_error(value: float, error: float) -> str:
    """A value and its standard error to two digits of the error: 10.31 ± 0.42."""
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
