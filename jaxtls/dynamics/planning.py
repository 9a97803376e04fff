"""`plan` looks at a representative point and finds the sizes and steps of the runs near it."""

from __future__ import annotations

from typing import Unpack

from jaxtyping import PyTree

from .._types import Numbers
from .methods.base import search
from .options import EvolveOptions, GivenObservables, ModelLike, known_options
from .plan import Plan, shapes
from .posing import posed


def plan(
    model: ModelLike,
    y0: PyTree,
    ts: Numbers,
    *,
    observables: GivenObservables = None,
    save_states: bool = False,
    discontinuities: Numbers | None = None,
    **options: Unpack[EvolveOptions],
) -> Plan:
    """Finds sizes and steps of a run by looking at a representative point, for runs near it inside jit, vmap and grad.

    Arguments:
        model: a jaxtls model, any eqx.Module with `vector_field`, or a generator; with known numbers: take the stiffest
            or largest that will occur.
        y0, ts: state and times of that point.
        observables, save_states, discontinuities, **options: as in `evolve`.

    Returns:
        Plan: pass it as `plan=` to `evolve`, `mesolve`, `sesolve` or `correlation`; print it to see what was chosen.
        There the diagnostics say where it was not enough (`truncation`, `time_error`).

    Raises:
        ValueError: numbers are traced, or an argument is wrong.

    Example:
        >>> import dataclasses
        >>> spring = jt.EntropicSpring(omega=1.93, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> y0, ts = spring.coherent_state(1.0), jnp.linspace(0.0, 3.0, 4)
        >>> plan = jt.plan(spring, y0, ts)
        >>> x = lambda g: jt.evolve(dataclasses.replace(spring, gamma=g), y0, ts, plan=plan).observables["x"][-1]
        >>> bool(jnp.isfinite(jax.jit(jax.grad(x))(9.0)))
        True

    Source: the idea is FFTW's (M. Frigo, S. G. Johnson, Proc. IEEE 93, 216 (2005)).
    """
    problem, (method, why), _ = posed(model, y0, ts, known_options(options), observables, save_states, discontinuities)
    if problem.traced:
        raise ValueError("Argument `model` must have known numbers, but got traced ones. Call jt.plan outside jit.")
    settings, _ = search(method, problem, None)
    return Plan(method, settings, method.title(problem, settings), why, shapes(problem.y0))
