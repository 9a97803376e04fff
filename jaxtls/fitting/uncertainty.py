"""Gives standard errors of what is derived from fitted parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .estimates import AbstractFit
from .modes import either


def propagate(function: Callable[[Any], PyTree], result: AbstractFit) -> tuple[PyTree, PyTree]:
    r"""Gives a quantity derived from the fitted model, and its standard error.

    $$\sigma_q^2 = \nabla q \cdot \mathrm{cov} \cdot \nabla q$$

    The error is infinite if the quantity depends on a combination of parameters that the data do not fix, and finite if
    it does not, even where the parameters themselves have infinite errors.

    Arguments:
        function: model -> real number, array or pytree of them (dimension of the quantity).
        result: what `fit` or `fit_likelihood` returned.

    Returns:
        (value, standard error), each with the structure of `function(model)`.

    Raises:
        ValueError: the quantity is complex.

    Example:
        >>> import equinox as eqx, jax.numpy as jnp, jaxtls as jt
        >>> class Product(eqx.Module):
        ...     a: float
        ...     b: float
        >>> data = jnp.array([6.0, 6.0, 6.0, 6.0])
        >>> f = jt.fit(lambda m: m.a * m.b * jnp.ones(4), Product(1.0, 2.0), data, sigma=0.2,
        ...            free={"a": jt.Positive(), "b": jt.Positive()})
        >>> value, error = jt.propagate(lambda m: m.a * m.b, f)
        >>> f"{value:.3f} ± {error:.3f}", float(f.stderr["a"])
        ('6.000 ± 0.100', inf)

    Source: W. T. Eadie et al., Statistical Methods in Experimental Physics, North-Holland (1971), section 2.5.
    """
    v = result.parameters.join(result.values)
    value = jax.tree.map(jnp.asarray, function(result.model))
    leaves, structure = jax.tree.flatten(value)
    if any(jnp.iscomplexobj(leaf) for leaf in leaves):
        raise ValueError(
            "Argument `function` must return real quantities, but got complex ones. Return .real and .imag."
        )

    def flat(v: Array) -> Array:
        parts = jax.tree.leaves(function(result.parameters.put(v)))
        return jnp.concatenate([jnp.ravel(jnp.asarray(part, v.dtype)) for part in parts])

    total = sum(leaf.size for leaf in leaves)
    gradient = np.asarray(derivative(flat, v.size <= total)(v))
    # Row by row: only variances are wanted, and the quantity may be a long curve.
    variances = np.array([result.identifiability.covariance_of(row[None])[0, 0] for row in gradient])
    errors, ends = np.sqrt(variances), np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = [jnp.asarray(part.reshape(leaf.shape)) for part, leaf in zip(np.split(errors, ends), leaves)]
    return value, jax.tree.unflatten(structure, parts)


def derivative(function: Callable[[Array], Array], forward_first: bool) -> Callable[[Array], Array]:
    """Gives the Jacobian by the mode that costs less, or by the other where the function does not allow it."""
    modes = [jax.jacfwd, jax.jacrev] if forward_first else [jax.jacrev, jax.jacfwd]

    return lambda v: either(lambda: modes[0](function)(v), lambda: modes[1](function)(v))
