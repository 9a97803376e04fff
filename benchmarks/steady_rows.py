"""Steady states under transformations: eager, jit, vmap and vmap of the gradient beside each other in one run.

Kerr oscillators whose detuning is traced, as the terms of a structured operator and as a plain array H0 + x V; the
ratio of each row is to the eager call, for one state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

import jaxtls as jt

from .engine import DELTA, DRIVE, KERR, kerr, kerr_terms
from .harness import Row, measure_together
from .settings import Settings


def steady_rows(settings: Settings) -> Iterator[Row]:
    """Rows for each size and form; `per_state` in `extra` is the warm time over the lanes."""
    for n, lanes in ((12, 4),) if settings.quick else ((30, 64), (50, 16)):
        for form, value in (("terms", _of_terms(n)), ("plain array", _of_arrays(n))):
            yield from _rows(f"steady state: Kerr, {n} levels, {form}", value, n, lanes, settings.repeats)


def _of_terms(n: int) -> Callable[[ArrayLike], jax.Array]:
    terms, problem = kerr_terms(n), kerr(n)
    local = [jt.local((n,), {0: term}) for term in terms]

    def value(x: ArrayLike) -> jax.Array:
        hamiltonian = x * local[0] + KERR * local[1] + DRIVE * local[2]
        return _number(jt.steady_state(jt.Lindbladian(hamiltonian, problem.jumps)))

    return value


def _of_arrays(n: int) -> Callable[[ArrayLike], jax.Array]:
    terms, problem = kerr_terms(n), kerr(n)
    fixed, slope = jnp.asarray(KERR * terms[1] + DRIVE * terms[2]), jnp.asarray(terms[0])
    return lambda x: _number(jt.steady_state(jt.Lindbladian(fixed + x * slope, problem.jumps)))


def _number(rho: jax.Array) -> jax.Array:
    return jnp.sum(jnp.arange(rho.shape[0]) * jnp.diagonal(rho).real)


def _rows(case: str, value: Callable[[ArrayLike], jax.Array], n: int, lanes: int, repeats: int) -> Iterator[Row]:
    xs = jnp.asarray(DELTA * np.linspace(0.9, 1.1, lanes))
    one, many, slopes = jax.jit(value), jax.jit(jax.vmap(value)), jax.jit(jax.vmap(jax.grad(value)))
    calls: dict[str, tuple[Callable[[], jax.Array], int]] = {
        "eager": (lambda: value(float(xs[0])), 1),
        "jit": (lambda: one(xs[0]), 1),
        "vmap": (lambda: many(xs), lanes),
        "vmap(grad)": (lambda: slopes(xs), lanes),
    }
    timings, found = measure_together([call for call, _ in calls.values()], repeats)
    reference = float(found[0])
    step = 1e-4 * DELTA
    central = (float(value(float(xs[0]) + step)) - float(value(float(xs[0]) - step))) / (2 * step)
    base = timings[0].warm
    for (name, (_, count)), timing, result in zip(calls.items(), timings, found):
        want = central if name == "vmap(grad)" else reference
        error = abs(float(jnp.ravel(result)[0]) - want) / max(abs(want), 1e-300)
        yield Row.timed(
            case,
            name,
            timing,
            size={"dimension": n, "batch": count},
            error={"relative": error},
            ratio=timing.warm / count / base,
            ratio_to="eager, one state",
            extra={"per_state": timing.warm / count},
        )
