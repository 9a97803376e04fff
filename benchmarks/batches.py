"""Many small problems at once, as ensembles and fits have them: springs, networks of two TLSs, glasses.

One of them alone is bound by the launch of its operations; a batch is what a GPU is for. Rows give realizations a
second for growing batches, and the error of the first one against the same problem alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import work
from .glass import glass_work
from .harness import Row, measure
from .settings import Settings

QUICK = (2, 4)


def _growing(
    case: str,
    one: Callable[[Any], dict],
    draw: Callable[[int], Any],
    counts: tuple[int, ...],
    todo: Callable,
    **size: Any,
) -> Iterator[Row]:
    """vmap of `one` over `draw(count)`; `todo(found)` is the work of a batch, from what it returned."""
    together = jax.jit(jax.vmap(one))
    for count in counts:
        inputs = draw(count)
        timing, found = measure(partial(together, inputs), repeats=3)
        alone = jax.jit(one)(jax.tree.map(lambda x: x[0], inputs))
        deviation = max(float(np.max(np.abs(found[name][0] - alone[name]))) for name in alone)
        yield Row.timed(
            case,
            "vmap",
            timing,
            size={"batch": count, **size},
            error={"alone": deviation},
            note=f"{count / timing.warm:.3g} realizations/s",
            work=todo(found),
        )


def springs(settings: Settings) -> Iterator[Row]:
    """Springs of other gamma, B and omega each, two periods."""
    levels, modes, intervals = (12, 2, 4) if settings.quick else (32, 3, 20)
    ts = jnp.linspace(0.0, (0.25 if settings.quick else 2) * 2 * np.pi, intervals + 1)

    def one(parameters: Any) -> dict:
        gamma, splitting, omega = parameters
        model = jt.EntropicSpring(omega, splitting, gamma, beta=0.01, n_spins=20, n_levels=levels, n_modes=modes)
        found = jt.evolve(model, model.coherent_state(1.0), ts, observables=["x", "x2"])
        return {**found.observables, "steps": found.stats["steps"]}

    def draw(count: int) -> Any:
        rng = np.random.default_rng(0)
        ranges = ((2.0, 20.0), (80.0, 120.0), (1.8, 2.1))
        return tuple(jnp.asarray(rng.uniform(*bounds, count)) for bounds in ranges)

    def todo(found: dict) -> work.Work:
        return work.strang({"steps": np.sum(found["steps"]), "n_coefficients": modes + 1, "n_levels": levels})

    counts = settings.sizes(QUICK, (1, 16, 128), (1, 1000, 10_000))
    yield from _growing("batch of springs", one, draw, counts, todo, N=20, levels=levels, modes=modes, times=len(ts))


def networks(settings: Settings) -> Iterator[Row]:
    """Two coupled TLSs between two baths: steady heat currents and entropy production, global thermalizers."""

    def one(parameters: Any) -> dict:
        frequencies, betas, rates, coupling = parameters
        hopping = coupling * jnp.array([[0.0, 1.0], [1.0, 0.0]])
        network = jt.ThermalNetwork(frequencies, betas, rates, coherent=hopping, thermalizer="global")
        state = network.steady_state()
        return {"currents": network.heat_currents(state), "entropy": network.entropy_production(state)}

    def draw(count: int) -> Any:
        rng = np.random.default_rng(0)
        pair = lambda low, high: jnp.asarray(rng.uniform(low, high, (count, 2)))
        return pair(1.0, 2.0), pair(0.5, 2.0), pair(0.05, 0.2), jnp.asarray(rng.uniform(0.01, 0.3, count))

    counts = settings.sizes(QUICK, (1, 1000, 10_000), (1, 1000, 100_000))
    todo = lambda found: work.fermions(2, len(found["entropy"]))
    yield from _growing("batch of networks of two TLSs", one, draw, counts, todo)


def glasses(settings: Settings) -> Iterator[Row]:
    """Open glasses of ten TLSs from the key to their mean concurrence."""
    n, ts = 6 if settings.quick else 10, jnp.geomspace(1e-5, 1.0, 6 if settings.quick else 60)

    def one(key: Any) -> dict:
        disorder, start = jax.random.split(key)
        glass = jt.TLSGlass.sample(disorder, n)
        return {"concurrence": glass.concurrence(jt.random_bloch_vectors(start, n), ts)}

    def todo(found: dict) -> work.Work:
        typical, bloch = jt.TLSGlass.sample(jax.random.key(1), n), jt.random_bloch_vectors(jax.random.key(2), n)
        return glass_work(typical, bloch, ts, len(found["concurrence"]))

    counts = settings.sizes(QUICK, (1, 100, 1000), (1, 1000, 10_000))
    draw = partial(jax.random.split, jax.random.key(0))
    yield from _growing("batch of glasses", one, draw, counts, todo, N=n, times=len(ts))


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {"springs": springs, "networks": networks, "glasses": glasses}
