"""`propagator` gives the linear maps from the first time to later ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._checks import concrete, finite, size, times, tolerances
from ..dynamics.evolve import evolve
from ..dynamics.model import AbstractModel, VectorField
from ..dynamics.stepping import equally_spaced
from .generator import AbstractGenerator
from .lindbladian import Lindbladian, operators_of
from .methods.exponential import moved
from .operators import OperatorLike, on_times


class _Maps(AbstractModel):
    """Moves by dV/dt = L(t) V for the maps of a generator, one column an (n, n) matrix; or dU/dt = -i H(t) U."""

    closes_over: ClassVar[bool] = False
    source: AbstractGenerator
    kets: bool = eqx.field(static=True)

    @property
    def observables(self) -> Mapping[str, Callable]:
        return {}

    def generator(self, y0: Array) -> VectorField:
        if self.kets:
            field = operators_of(self.source).ket_generator()
            return lambda t, y, args=None: field(t, y)
        n = self.source.n
        field = self.source.generator()
        columns = jax.vmap(lambda t, y: field(t, y.reshape(n, n), None).reshape(-1), in_axes=(None, 1), out_axes=1)
        return lambda t, y, args=None: columns(t, y)

    def vector_field(self, t: ArrayLike, y: Array, args: None = None) -> Array:
        return self.generator(y)(t, y, args)

    def stops(self, ts: Array) -> Array | None:
        return self.source.stops(ts)

    @property
    def discontinuities(self) -> Sequence[Array]:
        return self.source.discontinuities

    def objection(self, ts: Array) -> str | None:
        return self.source.objection(ts)

    def matrix(self) -> Array:
        """Returns the constant L or -i H."""
        return self.vector_field(0.0, jnp.eye(self.size, dtype=self.source.dtype))

    @property
    def size(self) -> int:
        return self.source.n if self.kets else self.source.n**2


def propagator(
    generator: AbstractGenerator | OperatorLike,
    ts: ArrayLike | Sequence,
    *,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    max_steps: int | None = None,
    discontinuities: ArrayLike | None = None,
) -> Array:
    r"""Returns the maps V(t_k, t_0) of a linear equation from the first time to each, hbar = 1.

        d/dt V(t, t_0) = L(t) V(t, t_0),   V(t_0, t_0) = 1,   V(t_2, t_0) = V(t_2, t_1) V(t_1, t_0)

    Constant equations are moved by matrix exponentials, one for each step and one for all where the steps are equal;
    others by `evolve`, all columns together.

    Arguments:
        generator: a `Lindbladian` (also without jumps), a `BlochRedfield` or another `AbstractGenerator`; or a
            Hamiltonian (n, n) [frequency] as `Lindbladian` takes it, constant or not; pairs (H1, samples) have a spline
            through samples at the times `ts`.
        ts: (T,) ascending times [1/frequency].
        rtol, atol, max_steps: as in `evolve`, where the equation depends on time. In single precision rtol is at least
            1e-5.
        discontinuities: (K,) times at which a function of time jumps.

    Returns:
        (T, n^2, n^2) on vec(rho) written row by row (QuTiP's are written column by column), or (T, n, n) for a
        Hamiltonian. jax.jit, jax.vmap, jax.grad and jax.jvp work.

    Raises:
        ValueError: naming the argument, its value and the remedy.
        RuntimeError: the solver did not finish.

    Example:
        >>> U = propagator(jnp.array([[0.0, 1.0], [1.0, 0.0]]), jnp.array([0.0, jnp.pi / 2]))
        >>> bool(jnp.abs(U[1, 1, 0] + 1j) < 1e-5)
        True

    Source: none; the definition.
    """
    moments = times("ts", ts)
    tolerances(rtol, atol)
    max_steps = None if max_steps is None else size("max_steps", max_steps)
    if discontinuities is not None:
        finite("discontinuities", discontinuities)
    maps = _maps(generator, moments)
    moments = moments.astype(jnp.zeros((), maps.source.dtype).real.dtype)
    if maps.source.is_constant:
        known = concrete(moments)
        return _chained(maps, moments, None if known is None else equally_spaced(np.diff(known)))
    floor = 1e-5 if moments.dtype == jnp.float32 else 0.0
    sol = evolve(
        maps,
        jnp.eye(maps.size, dtype=maps.source.dtype),
        moments,
        save_states=True,
        rtol=max(rtol, floor),
        atol=max(atol, 1e-2 * floor),
        max_steps=max_steps,
        discontinuities=discontinuities,
    )
    states = sol.states
    assert states is not None
    return states


def _maps(generator: AbstractGenerator | OperatorLike, ts: Array) -> _Maps:
    if isinstance(generator, AbstractGenerator):
        return _Maps(generator, False)
    try:
        return _Maps(Lindbladian(on_times("generator", generator, ts), []), True)
    except ValueError as error:
        raise ValueError(f"Argument `generator` must be a generator or a Hamiltonian. {error}") from error


@eqx.filter_jit
def _chained(maps: _Maps, ts: Array, uniform: bool | None) -> Array:
    """Chain products of the steps' exponentials."""
    one = jnp.eye(maps.size, dtype=maps.source.dtype)
    later = moved(maps.matrix(), one, jnp.diff(ts), uniform)
    return jnp.concatenate([one[None], later])
