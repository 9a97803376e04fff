"""Holds the compiled model: predictions and their Jacobian at many points at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from .data import Shapes
from .modes import either
from .parameters import Parameters, get_field


@runtime_checkable
class Jitted(Protocol):
    """Stands for a function that `jax.jit` or `eqx.filter_jit` has made."""

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Gives the program for arguments of these shapes."""


def over_starts(function: Callable, is_one: bool) -> Callable:
    """Maps `function` over the leading axis of arrays; of a single start without vmap, which makes branches selects."""
    if not is_one:
        return eqx.filter_vmap(function)

    def each(change: Callable, tree: PyTree) -> Any:
        return jax.tree.map(lambda leaf: change(leaf) if eqx.is_array(leaf) else leaf, tree)

    def one(*args: Any) -> Any:
        return each(lambda leaf: leaf[None], function(*each(lambda leaf: leaf[0], args)))

    return one


class Evaluation:
    """Gives predictions (k, N), the Jacobian (k, N, n) by physical values, and slopes dv/du (k, n), at points u (k, n).

    Points at which `predict` raises give nan, and the error is kept in `error`.
    """

    def __init__(self, predict: Callable, parameters: Parameters, shapes: Shapes, n_batch: int, n_data: int):
        self.n_batch, self.n_data, self.error = n_batch, n_data, ""
        self._forward = parameters.forward
        self._plain = jax.jit(lambda v: shapes.flatten(predict(parameters.put(v))))
        modes = [jax.jacfwd, jax.jacrev] if parameters.size <= n_data else [jax.jacrev, jax.jacfwd]
        like = jnp.zeros((n_batch, parameters.size))
        self._batch = either(lambda: self._compile(modes[0], like), lambda: self._compile(modes[1], like))

    def _compile(self, jacobian: Callable, like: Array) -> Callable:
        def one(u: Array) -> tuple[Array, Array, Array]:
            # Transforms act element by element: one tangent holds the whole derivative.
            v, slope = jax.jvp(self._forward, (u,), (jnp.ones_like(u),))

            def twice(v: Array) -> tuple[Array, Array]:
                p = self._plain(v)
                return p, p

            J, p = jacobian(twice, has_aux=True)(v)
            return p, J, slope

        compiled: Callable = eqx.filter_jit(over_starts(one, self.n_batch == 1)).lower(like).compile()  # type: ignore[attr-defined]
        return compiled

    def __call__(self, us: np.ndarray) -> tuple[np.ndarray, ...]:
        log = logging.getLogger("jax._src.callback")
        was_disabled, log.disabled = log.disabled, True  # an error at a trial point is part of the search
        try:
            found = self._batch(jnp.asarray(us, float))
            return tuple(np.asarray(part) for part in found)
        except RuntimeError as error:
            if self.n_batch == 1 or np.all(us == us[0]):
                # JAX wraps what a callback raised: its own words stand behind the last "Error:".
                self.error = str(error).rpartition("Error: ")[2].strip().partition("\n")[0]
                n = us.shape[1]
                return tuple(
                    np.full((self.n_batch, *shape), np.nan) for shape in ((self.n_data,), (self.n_data, n), (n,))
                )
        finally:
            log.disabled = was_disabled
        rows = [self(np.broadcast_to(u, us.shape)) for u in us]
        return tuple(np.stack([row[i][0] for row in rows]) for i in range(3))

    def loss(self, u: Array, data: Array, weight: Array) -> Array:
        """Gives chi2 / N at one point."""
        return jnp.mean(((self._plain(self._forward(u)) - data) * weight) ** 2)


_kept: dict[Hashable, object] = {}
Built = TypeVar("Built")


def compiled(predict: Callable, parameters: Parameters, shapes: Shapes, n_batch: int, data: Array) -> Evaluation:
    """Gives the evaluation, kept for the next call as `kept` does it."""
    key = ("least squares", shapes.key(), n_batch, str(data.dtype))
    return kept(predict, parameters, key, lambda: Evaluation(predict, parameters, shapes, n_batch, data.size))


def kept(function: Callable, parameters: Parameters, key: Hashable, build: Callable[[], Built]) -> Built:
    """Gives what `build` makes of a function of a model, kept for the next call only if the function is itself jitted.

    Its author then knows that what it closes over is frozen; what a plain function refers to may change between calls.
    """
    if not isinstance(function, Jitted):
        return build()
    try:
        whole = (function, _content(parameters), key)
        hash(whole)
    except (TypeError, ValueError):
        return build()
    if whole not in _kept:
        while len(_kept) >= 8:
            _kept.pop(next(iter(_kept)))
        _kept[whole] = build()
    return cast(Built, _kept[whole])


def _content(parameters: Parameters) -> Any:
    """Give a hashable stand-in for everything that the compiled search takes for granted."""

    def plain(leaf: PyTree) -> Any:
        if eqx.is_array_like(leaf):
            array = np.asarray(leaf)
            return array.shape, str(array.dtype), array.tobytes()
        return leaf

    # Free values are arguments of the search, so they may differ; the constructor might refuse a stand-in for them.
    paths = list(parameters.start)
    rest = eqx.tree_at(lambda tree: [get_field(tree, path) for path in paths], parameters.model, [0.0] * len(paths))
    leaves, structure = jax.tree.flatten((rest, parameters.transforms))
    return structure, tuple(plain(leaf) for leaf in leaves), tuple(value.shape for value in parameters.start.values())
