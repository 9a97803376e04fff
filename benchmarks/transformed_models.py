"""Models of the library inside jit and grad: the heated oscillator and the spring, against their own forward runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from .harness import Row, measure_together
from .settings import Settings
from .spring_beside_peers import PERIOD

SPRING: dict[str, Any] = {"omega": float(np.sqrt(1 + np.e)), "splitting": 100.0, "beta": 0.01}


def _forward_and_gradient(case: str, value: Any, at: Any, size: dict, settings: Settings) -> Iterator[Row]:
    """Rows of jit and jit(grad) of one function, the error of the gradient by central differences."""
    run, slope = jax.jit(value), jax.jit(jax.grad(value))
    timings, found = measure_together([partial(run, at), partial(slope, at)], settings.repeats)
    step = 1e-4 * float(at)
    central = float(run(at + step) - run(at - step)) / (2 * step)
    for name, timing, error in zip(("jit", "jit(grad)"), timings, (None, {"gradient": abs(float(found[1]) - central)})):
        ratio = timing.warm / timings[0].warm
        yield Row.timed(case, name, timing, size=size, error=error, ratio=ratio, ratio_to="jit")


def heated(settings: Settings) -> Iterator[Row]:
    """The heated oscillator of 30 levels: its energy at the end as a function of the coupling."""
    n, end = (8, 0.2) if settings.quick else (30, 4.0)
    ts = np.linspace(0.0, end, 5 if settings.quick else 41)

    def value(coupling: Any) -> Any:
        model = jt.TLSHeatedOscillator(omega_0=1.0, splitting=2.0, coupling=coupling, gamma=10.0, n_bar=0.3, n_levels=n)
        return jt.evolve(model, model.thermal_state(), ts, observables=["n"]).observables["n"][-1]

    size = {"levels": n, "times": len(ts)}
    yield from _forward_and_gradient("heated oscillator", value, jnp.asarray(1.0), size, settings)


def spring(settings: Settings) -> Iterator[Row]:
    """The spring of 60 levels, five periods, and many of different stiffness at once against one by one."""
    levels, modes, intervals = (12, 2, 4) if settings.quick else (60, 4, 100)
    ts = np.linspace(0.0, (0.25 if settings.quick else 5) * PERIOD, intervals + 1)

    def value(gamma: Any) -> Any:
        model = jt.EntropicSpring(**SPRING, gamma=gamma, n_spins=20, n_levels=levels, n_modes=modes)
        return jt.evolve(model, model.coherent_state(1.0), ts, observables=["x"]).observables["x"][-1]

    size = {"levels": levels, "modes": modes, "times": len(ts)}
    yield from _forward_and_gradient("spring", value, jnp.asarray(10.0), size, settings)
    count = 3 if settings.quick else 64
    stiff = jnp.asarray(np.random.default_rng(0).permutation(np.geomspace(2.0, 40.0, count)))
    short = ts[: 1 + intervals // 10]

    def few(gamma: Any) -> Any:
        model = jt.EntropicSpring(**SPRING, gamma=gamma, n_spins=20, n_levels=levels // 2, n_modes=2)
        return jt.evolve(model, model.coherent_state(1.0), short, observables=["x"]).observables["x"][-1]

    one, many = jax.jit(few), jax.jit(jax.vmap(few))
    calls = [lambda: jnp.stack([one(g) for g in stiff]), lambda: many(stiff)]
    timings, found = measure_together(calls, settings.repeats)
    error = {"alone": float(jnp.max(jnp.abs(found[0] - found[1])))}
    for name, timing in zip(("one by one", "vmap"), timings):
        ratio = timing.warm / timings[0].warm
        case = f"{count} springs of different stiffness"
        yield Row.timed(case, name, timing, size=size, error=error, ratio=ratio, ratio_to="one by one")
