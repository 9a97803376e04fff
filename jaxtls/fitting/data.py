"""Checks data, predictions and standard errors against each other, and makes them flat real vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .._checks import require
from .parameters import Parameters


class Shapes:
    """Holds structure, shapes and kinds of the data, to go between the pytree and one flat real vector."""

    def __init__(self, data: PyTree):
        leaves, self.structure = jax.tree.flatten(data)
        self.shapes = [np.shape(leaf) for leaf in leaves]
        self.is_complex = [np.iscomplexobj(leaf) for leaf in leaves]

    def flatten(self, tree: PyTree) -> Array:
        """Makes one real vector: of a complex leaf first all real parts, then all imaginary ones."""
        parts = []
        for leaf, is_complex in zip(jax.tree.leaves(tree), self.is_complex):
            flat = jnp.ravel(jnp.asarray(leaf))
            parts += [flat.real, flat.imag] if is_complex else [flat.real]
        return jnp.concatenate([part.astype(jnp.result_type(float)) for part in parts])

    def unflatten(self, flat: Array | np.ndarray) -> PyTree:
        """Does the inverse of `flatten`."""
        leaves, at = [], 0
        for shape, is_complex in zip(self.shapes, self.is_complex):
            count = int(np.prod(shape))
            leaf = flat[at : at + count]
            at += count
            if is_complex:
                leaf = leaf + 1j * flat[at : at + count]
                at += count
            leaves.append(leaf.reshape(shape))
        return jax.tree.unflatten(self.structure, leaves)

    def key(self) -> Any:
        """Gives what is hashable and equal for data of the same form."""
        return self.structure, tuple(self.shapes), tuple(self.is_complex)


def whitened_data(
    predict: Callable, parameters: Parameters, data: PyTree, sigma: PyTree | None
) -> tuple[Shapes, Array, Array]:
    """Check data, predictions and sigma against each other; the flat data and weights 1/sigma."""
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(data)]
    structure: Any = jax.tree.structure(data)
    leaves = jax.tree.leaves(data)
    require(bool(leaves), "data", "hold at least one array", data)
    leaves = [np.asarray(leaf) for leaf in leaves]
    for path, leaf in zip(paths, leaves):
        require(leaf.dtype.kind in "buifc", f"data{path}", "be numbers", leaf.dtype)
        bad = int(np.sum(~np.isfinite(leaf)))
        remedy = "Leave the points out, or give them a finite value and sigma = inf."
        require(bad == 0, f"data{path}", "be finite", f"{bad} values that are not", remedy)

    def arrays(v: Array) -> PyTree:
        return jax.tree.map(jnp.asarray, predict(parameters.put(v)))

    predicted = jax.eval_shape(arrays, jnp.zeros(parameters.size))
    found = jax.tree.structure(predicted)
    require(found == structure, "predict", f"return a pytree like data, {structure}", found, "Match keys and nesting.")
    shapes = Shapes(jax.tree.unflatten(structure, leaves))
    for i, (path, leaf, p) in enumerate(zip(paths, leaves, jax.tree.leaves(predicted))):
        remedy = "Record the same points in both."
        require(
            p.shape == leaf.shape,
            f"data{path}",
            f"have the shape of predict(model){path}, {p.shape}",
            leaf.shape,
            remedy,
        )
        shapes.is_complex[i] |= jnp.issubdtype(p.dtype, jnp.complexfloating)
    errors = _sigma(sigma, paths, leaves, structure)
    w = np.concatenate([np.tile(1 / error.ravel(), 1 + c) for error, c in zip(errors, shapes.is_complex)])
    require(bool(np.any(w > 0)), "sigma", "leave at least one point in", "inf everywhere")
    return shapes, shapes.flatten(leaves), jnp.asarray(w, float)


def _sigma(
    sigma: PyTree | None, paths: list[str], leaves: list[np.ndarray], structure: jax.tree_util.PyTreeDef
) -> list[np.ndarray]:
    """Give one standard error for each datum."""
    if sigma is None:
        given: list[Any] = [1.0] * len(leaves)
    elif jax.tree.structure(sigma) == structure:
        given = jax.tree.leaves(sigma)
    else:
        remedy = "Give one number, or a pytree like data of numbers or arrays."
        same = jax.tree_util.all_leaves([sigma]) and np.ndim(sigma) == 0
        require(same, "sigma", f"be a number or a pytree like data, {structure}", jax.tree.structure(sigma), remedy)
        given = [sigma] * len(leaves)
    errors = []
    for path, leaf, value in zip(paths, leaves, given):
        name, error = f"sigma{path}", np.asarray(value)
        require(error.dtype.kind in "uif", name, "be real", value)
        remedy = "It is a standard error; inf leaves a point out."
        require(bool(np.all(error > 0)), name, "be > 0", value, remedy)
        fits = error.ndim <= leaf.ndim and all(a in (1, b) for a, b in zip(error.shape[::-1], leaf.shape[::-1]))
        require(fits, name, f"be a number or an array of shape {leaf.shape}", f"shape {error.shape}")
        errors.append(np.broadcast_to(error.astype(float), leaf.shape))
    return errors
