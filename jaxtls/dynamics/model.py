"""`AbstractModel` is everything that `evolve` asks of a model, each hook with a default."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, ArrayLike, PyTree

from .extrapolation import AbstractSplitting

# t, y, args -> dy/dt.
VectorField = Callable[..., PyTree]


class AbstractModel(eqx.Module):
    """Describes a physical system that moves: its parameters are leaves, everything else is a function of them.

    Only `vector_field` has to be given. The other hooks tell `evolve` what to record, what should stay small, and where
    the model has a faster way than a general solver; each has a default that means "nothing of the kind".

    Example:
        >>> class Decay(jt.AbstractModel):
        ...     rate: jax.Array
        ...     def vector_field(self, t, y, args=None):
        ...         return -self.rate * y
        >>> sol = jt.evolve(Decay(jnp.asarray(2.0)), jnp.asarray(1.0), jnp.array([0.0, 1.0]))
        >>> round(float(sol.states[-1]), 4)
        0.1353

    Source: none; the contract that `evolve` reads.
    """

    # False where no method uses a number that is not a leaf: `evolve` then need not look for hidden ones.
    closes_over: ClassVar[bool] = True
    # True where the right-hand side is a linear map of the state that time does not change.
    is_constant_map: ClassVar[bool] = False
    # True where zeros of the state are structure: a known one is then NumPy's, inside a transformation, too.
    zeros_are_structure: ClassVar[bool] = False

    @abc.abstractmethod
    def vector_field(self, t: ArrayLike, y: PyTree, args: PyTree = None) -> PyTree:
        """Gives the pure right-hand side dy/dt."""

    def generator(self, y0: PyTree) -> VectorField:
        """Gives the right-hand side with everything made that depends neither on time nor on the state."""
        return self.vector_field

    # --- where it comes to rest ---------------------------------------------------------------------------------------

    def lindbladian(self) -> AbstractModel | None:
        """Gives the same physics as a generator on density matrices, which `steady_state` takes; None: it has none."""
        return None

    def steady_state(self) -> PyTree | None:
        """Gives the state at rest, where the model has a way of its own to it; None: it has not."""
        return None

    # --- what is recorded ---------------------------------------------------------------------------------------------

    @property
    def observables(self) -> Mapping[str, Callable[[PyTree], Array]]:
        """Maps names to functions of the state, recorded unasked."""
        return {}

    @property
    def optional_observables(self) -> Mapping[str, Callable[[PyTree], Array]]:
        """Maps names to functions of the state, recorded where `observables` names it."""
        return {}

    def measured(self, t: ArrayLike, y: PyTree, names: tuple[str, ...]) -> Mapping[str, Array]:
        """Gives the observables of these names at time t."""
        known = {**self.optional_observables, **self.observables}
        return {name: known[name](y) for name in names}

    def diagnostics(self, y: PyTree) -> Mapping[str, Array]:
        """Gives quantities of a state that should stay small: `trace_error`, `truncation`, `hierarchy`..."""
        return {}

    @property
    def diagnostic_limits(self) -> Mapping[str, float]:
        """Gives for each diagnostic the value above which it is worth a warning."""
        return {}

    @property
    def stats(self) -> Mapping[str, int | str]:
        """Gives what `stats` of its solutions say of it, `levels` and `layout`, unless a method says otherwise."""
        return {}

    # --- how it may be moved ------------------------------------------------------------------------------------------

    def stops(self, ts: Array) -> Array | None:
        """Gives times at which a solver that controls its steps must end one, where something could be stepped over."""
        return None

    @property
    def discontinuities(self) -> Sequence[Array]:
        """Gives times at which the right-hand side is known to jump, arrays of them: steps end there."""
        return []

    def objection(self, ts: Array) -> str | None:
        """Says what is wrong with the equation itself at these times, as a sentence to warn with; None: nothing
        known."""
        return None

    def misfit(self, y0: PyTree) -> str | None:
        """Says what a state must be where y0 is none, to be read behind "must"; None: it may be one."""
        return None

    @property
    def can_split(self) -> bool:
        """Says whether `splitting_step` gives a step: the default method is then `Splitting`."""
        return False

    def splitting_step(self, y0: PyTree) -> AbstractSplitting:
        """Makes a symmetric step by flows that are solved exactly."""
        raise ValueError(f"Argument `model` must have a splitting, but {type(self).__name__} has none.")

    def corner(self, y0: PyTree) -> PyTree | None:
        """Gives the first levels of a state, which a splitting moves alone while next to nothing is beyond; None: all
        are moved."""
        return None

    def splitting_rate(self) -> Array:
        """Gives 1 / (macro step) of the splitting at rtol = 1e-6."""
        raise ValueError(f"Argument `model` must have a splitting, but {type(self).__name__} has none.")

    def resolve(
        self, y0: PyTree, ts: Array, attempt: int, diagnostics: Mapping[str, Array] | None
    ) -> tuple[AbstractModel, PyTree] | None:
        """Gives a model and state of sizes for this attempt, by what the last one showed; None: they are good
        enough."""
        return (self, y0) if attempt == 0 else None

    def with_counts_as_data(self, y0: PyTree) -> AbstractModel:
        """Gives itself with numbers that are structure held as data, so that one program serves them all."""
        return self

    @property
    def can_window(self) -> bool:
        """Says whether `window` may give a smaller model."""
        return False

    def window(self, y0: PyTree, ts: Array, atol: float, attempt: int) -> tuple[AbstractModel, PyTree] | None:
        """Gives a model and state on the part of the basis that is reached; None: only the whole will do."""
        return None

    def resized(self, y0: PyTree, sizes: tuple[int, ...]) -> tuple[AbstractModel, PyTree]:
        """Gives model and state of the sizes that a plan found, (n_coefficients, n_levels) or (n_levels,); pure."""
        return self, y0
