"""Takes any module with a `vector_field` as an `AbstractModel`: wrapped once, where it comes in."""

import functools
from collections.abc import Callable, Mapping

from jaxtyping import Array, ArrayLike, PyTree

from .model import AbstractModel, VectorField


class UserModel(AbstractModel):
    """Holds a user's module, with the hooks that it happens to have."""

    module: PyTree

    def vector_field(self, t: ArrayLike, y: PyTree, args: PyTree = None) -> PyTree:
        """Gives the vector field of the module."""
        return _hook(self.module, "vector_field", None)(t, y, args)

    def generator(self, y0: PyTree) -> VectorField:
        """Gives the module's `generator`, else its vector field."""
        made = _hook(self.module, "generator", None)
        return _hook(self.module, "vector_field", None) if made is None else made(y0)

    def lindbladian(self) -> AbstractModel | None:
        """Gives the Lindbladian of the module, if it has one."""
        return _hook(self.module, "lindbladian", lambda: None)()

    def steady_state(self) -> PyTree | None:
        """Gives the steady state of the module, if it has one."""
        return _hook(self.module, "steady_state", lambda: None)()

    @property
    def observables(self) -> Mapping[str, Callable[[PyTree], Array]]:
        """Gives the observables of the module."""
        return _hook(self.module, "observables", {})

    @property
    def optional_observables(self) -> Mapping[str, Callable[[PyTree], Array]]:
        """Gives the optional observables of the module."""
        return _hook(self.module, "optional_observables", {})

    def diagnostics(self, y: PyTree) -> Mapping[str, Array]:
        """Gives the diagnostics of the module."""
        return _hook(self.module, "diagnostics", lambda y: {})(y)

    @property
    def diagnostic_limits(self) -> Mapping[str, float]:
        """Gives the diagnostic limits of the module."""
        return _hook(self.module, "diagnostic_limits", {})


def _hook(module: PyTree, name: str, default: PyTree) -> PyTree:
    return getattr(module, name, default)


@functools.singledispatch
def as_model(model: PyTree, y0: PyTree) -> tuple[AbstractModel, PyTree]:
    """Gives the model and state that are run: an `AbstractModel` as it is, any module with a `vector_field` wrapped.

    Rooms above register what their own types are run as.
    """
    if not callable(_hook(model, "vector_field", None)):
        raise ValueError(
            f"Argument `model` must have a method vector_field(t, y, args), but got {type(model).__name__}."
        )
    return UserModel(model), y0


@as_model.register
def _(model: AbstractModel, y0: PyTree) -> tuple[AbstractModel, PyTree]:
    return model, y0
