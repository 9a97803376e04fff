"""Holds what a fit found."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float, PyTree

from .estimates import AbstractFit, plain, short


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class FitResult(AbstractFit):
    r"""Holds the fitted model, its parameters with standard errors, and what the data cannot say.

    Errors are those of the linearised model, $\mathrm{cov} = (J^T J)^{-1}$ with J the derivative of the residuals in
    units of sigma by the physical parameters; without sigma they are scaled by the reduced chi2.

    Arguments:
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

    chi2: Float[Array, ""]
    dof: int
    residuals: PyTree[Array]
    predicted: PyTree[Array]
    start_chi2: Float[Array, " n_starts"]

    @property
    def reduced_chi2(self) -> Float[Array, ""]:
        """Gives chi2 / dof; nan without degrees of freedom."""
        return self.chi2 / self.dof if self.dof > 0 else jnp.full_like(self.chi2, jnp.nan)

    @property
    def p_value(self) -> Float[Array, ""]:
        """Gives the probability of a chi2 no smaller if model and sigma are right; nan without degrees of freedom."""
        if self.dof <= 0:
            return jnp.full_like(self.chi2, jnp.nan)
        return jnp.asarray(scipy.special.gammaincc(self.dof / 2, np.asarray(self.chi2) / 2), self.chi2.dtype)

    def to_dict(self) -> dict[str, Any]:
        """Gives all but the model and the arrays of predictions, ready for `json.dumps`; null where not finite."""
        return self._plain() | {
            "chi2": plain(float(self.chi2)),
            "dof": self.dof,
            "reduced_chi2": plain(float(self.reduced_chi2)),
            "p_value": plain(float(self.p_value)),
            "start_chi2": plain(np.asarray(self.start_chi2).tolist()),
        }

    def __repr__(self) -> str:
        return "\n".join(self._lines(f"chi2 {short(self.chi2)} / {self.dof} dof", self.start_chi2))
