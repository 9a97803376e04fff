"""The glass: one realization against plain NumPy, few TLSs against 4^N solvers, throughput, cost in N, gradients.

The disorder is the paper's (Artiaco, Balducci & Scardicchio). Times of the first two, and of gradients, stand beside
errors against independent answers; throughput and cost in N are the same closed forms, in batches and at other sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt
from jaxtls.quantum import _wootters

from . import peers_glass, work
from .harness import RTOLS, Row, compare, measure, measure_together
from .settings import Settings

HOT = 0.3  # occupation of the open glass above T = 0
PEER_RTOL, PEER_ATOL = 1e-6, 1e-8


def _draw(
    n: int, occupation: float = 0.0, keys: tuple[Any, Any] | None = None
) -> tuple[jt.TLSGlass, Any, peers_glass.Glass]:
    disorder, start = keys or (jax.random.key(0), jax.random.key(1))
    glass, bloch = jt.TLSGlass.sample(disorder, n, occupation=occupation), jt.random_bloch_vectors(start, n)
    arrays = (np.asarray(x) for x in (glass.frequencies, glass.couplings, glass.rates))
    return glass, bloch, peers_glass.Glass(*arrays, occupation, 1.0, np.asarray(bloch))


def _error(found: Any, plain: peers_glass.Glass, ts: Any) -> dict[str, float]:
    """Of the mean concurrence, against NumPy's."""
    expected = peers_glass.numpy_concurrence(peers_glass.numpy_pairs(plain, np.asarray(ts))).sum(1) / len(plain.bloch)
    return {"max": float(np.max(np.abs(found - expected)))}


def glass_work(glass: jt.TLSGlass, bloch: Any, ts: Any, count: int = 1) -> work.Work:
    """Of the concurrence of `count` glasses like this one."""
    rho = jnp.moveaxis(glass.pair_density_matrices(bloch, ts), (-2, -1), (0, 1)).reshape(4, 4, -1)
    entangled = float(jnp.sum(_wootters.maybe_entangled(_wootters.packed(rho))))
    thermal = bool(np.any(glass.occupation))
    return work.concurrences_of_a_glass(glass.n_tls, len(ts), thermal, entangled, count)


def _times(settings: Settings) -> Any:
    return jnp.geomspace(1e-5, 1.0, 6 if settings.quick else 60)


# --- (a) one realization against NumPy -------------------------------------------------------------------------------


def realization(settings: Settings) -> Iterator[Row]:
    """All pairs of one open glass; NumPy's closed form takes turns with ours, so drifts of the machine cancel."""
    n, ts = 12 if settings.quick else 60, _times(settings)
    for occupation in (0.0, HOT):
        glass, bloch, plain = _draw(n, occupation)
        numpy_rho = partial(peers_glass.numpy_pairs, plain, np.asarray(ts))
        calls: list[Callable] = [
            partial(glass.pair_density_matrices, bloch, ts),
            numpy_rho,
            partial(glass.concurrence, bloch, ts),
            lambda f=numpy_rho: peers_glass.numpy_concurrence(f()).sum(1) / n,
        ]
        timings, found = measure_together(calls, repeats=7)
        size = {"N": n, "pairs": n * (n - 1) // 2, "times": len(ts), "f": occupation}
        matrices = work.pairs_of_a_glass(n, len(ts), occupation > 0)
        cases = {"all pair density matrices": (0, matrices), "mean concurrence": (2, glass_work(glass, bloch, ts))}
        for what, (k, todo) in cases.items():
            case = f"one open realization: {what}"
            error = float(np.max(np.abs(np.asarray(found[k]) - found[k + 1])))
            ours = timings[k].warm
            yield Row.timed(case, "jaxtls", timings[k], size=size, error={"max": error}, work=todo)
            yield Row.timed(
                case, "NumPy", timings[k + 1], size=size, ratio=timings[k + 1].warm / ours, ratio_to="jaxtls"
            )


# --- (b) few TLSs against 4^N solvers --------------------------------------------------------------------------------


def against_peers(settings: Settings) -> Iterator[Row]:
    """All pair density matrices of N = 5, 6 open; errors against the NumPy closed form."""
    found = settings.found()
    ts = np.linspace(0.0, 0.02 if settings.quick else 1.0, 31)
    for n in (3,) if settings.quick else (5, 6):
        glass, bloch, plain = _draw(n)
        reference = peers_glass.numpy_pairs(plain, ts)
        case, size = f"open glass of few TLSs, t = 0..{ts[-1]:g}", {"N": n, "times": len(ts)}
        ours, rho = measure(partial(glass.pair_density_matrices, bloch, jnp.asarray(ts)), repeats=21)
        wrong, todo = {"max": float(np.max(np.abs(rho - reference)))}, work.pairs_of_a_glass(n, len(ts), False)
        yield Row.timed(case, "jaxtls", ours, size=size, error=wrong, work=todo)
        for peer in found:
            solve = peers_glass.solver(peer, plain, PEER_RTOL, PEER_ATOL)
            timing, states = measure(partial(solve, ts), repeats=2)
            error = {"max": float(np.max(np.abs(states - reference)))}
            ratio = timing.warm / ours.warm
            note = f"rtol={PEER_RTOL:g}"
            yield Row.timed(case, peer, timing, size=size, error=error, ratio=ratio, ratio_to="jaxtls", note=note)


def precision(settings: Settings) -> Iterator[Row]:
    """Work against precision: all pairs of a few TLSs; the closed form has no tolerance."""
    found = settings.found()
    n, ts = 3 if settings.quick else 4, np.linspace(0.0, 0.02 if settings.quick else 0.2, 31)
    glass, bloch, plain = _draw(n)
    reference, times = {"rho": peers_glass.numpy_pairs(plain, ts)}, jnp.asarray(ts)
    todo = {"jaxtls": work.pairs_of_a_glass(n, len(ts), False)}
    for rtol in RTOLS[: 1 if settings.quick else None]:
        calls: dict[str, Callable] = {"jaxtls": lambda: {"rho": glass.pair_density_matrices(bloch, times)}}
        for peer in found:
            solve = peers_glass.solver(peer, plain, rtol, 1e-2 * rtol)
            calls[peer] = lambda solve=solve: {"rho": solve(ts)}
        case, size = "work against precision: open glass", {"N": n, "times": len(ts), "rtol": rtol}
        yield from compare(case, calls, reference, size=size, repeats=5, note="rtol of the peers", work=todo)


# --- (c), (d), (e) throughput and cost -------------------------------------------------------------------------------


def _ensemble(n: int, ts: Any, occupation: float = 0.0) -> Callable:
    def one(key: Any) -> Any:
        first, second = jax.random.split(key)
        glass = jt.TLSGlass.sample(first, n, occupation=occupation)
        return glass.concurrence(jt.random_bloch_vectors(second, n), ts)

    return one


def throughput(settings: Settings) -> Iterator[Row]:
    """Realizations a second from the key to the mean concurrence, in batches (vmap); on a GPU also a whole ensemble."""
    n, ts = 8 if settings.quick else 60, _times(settings)
    one = _ensemble(n, ts)
    gpu = jax.default_backend() != "cpu"
    for batch in (1, 4) if settings.quick else (1, 16, 64) if gpu else (1, 4, 16):
        keys = jax.random.split(jax.random.key(0), batch)
        run = jax.jit(jax.vmap(one))
        timing, found = measure(partial(run, keys), repeats=3)
        size = {"N": n, "times": len(ts), "batch": batch}
        note = f"{batch / timing.warm:.3g} realizations/s"
        first, bloch, plain = _draw(n, keys=tuple(jax.random.split(keys[0])))
        wrong, todo = _error(found[0], plain, ts), glass_work(first, bloch, ts, batch)
        yield Row.timed("throughput, open, T = 0", "vmap", timing, size=size, error=wrong, note=note, work=todo)
    if gpu:
        yield _large_ensemble(64 if settings.quick else 5000, n, ts)


def _large_ensemble(count: int, n: int, ts: Any, batch: int = 50) -> Row:
    """The goal on one GPU: 5000 realizations of N = 60 at 60 times."""
    keys = jax.random.split(jax.random.key(0), count)
    run = jax.jit(lambda keys: jax.lax.map(_ensemble(n, ts), keys, batch_size=batch).mean(0))
    timing, _ = measure(partial(run, keys), repeats=1)
    size = {"N": n, "times": len(ts), "realizations": count, "batch": batch}
    todo = glass_work(*_draw(n)[:2], ts, count)
    note = f"{count / timing.warm:.3g}/s"
    return Row.timed("ensemble on the device", "jaxtls", timing, size=size, note=note, work=todo)


def cost_in_n(settings: Settings) -> Iterator[Row]:
    """Cost against N, open, T = 0."""
    ts = _times(settings)[:: 1 if settings.quick else 4]
    base = None
    for n in (6, 12) if settings.quick else (10, 20, 40, 80, 160):
        glass, bloch, plain = _draw(n)
        timing, found = measure(partial(glass.concurrence, bloch, ts), repeats=5)
        base = base or timing.warm
        size = {"N": n, "pairs": n * (n - 1) // 2, "times": len(ts)}
        fields = {"error": _error(found, plain, ts), "work": glass_work(glass, bloch, ts)}
        ratio = timing.warm / base
        yield Row.timed("cost against N", "jaxtls", timing, size=size, ratio=ratio, ratio_to="smallest", **fields)


def entropy_of_halves(settings: Settings) -> Iterator[Row]:
    """The half-system entropy over N bubbles, open, T = 0: N matrices of 2^(N/2) for each time."""
    for n in (4, 6) if settings.quick else (12, 16, 20):
        glass, bloch, _ = _draw(n)
        timing, _ = measure(partial(glass.half_system_entropy, bloch, jnp.asarray([1e-3])), repeats=3)
        todo = work.half_system(n, 1)
        yield Row.timed("half-system entropy at one time", "jaxtls", timing, size={"N": n}, work=todo)


# --- (f) gradients ---------------------------------------------------------------------------------------------------


def gradient(settings: Settings) -> Iterator[Row]:
    """Reverse-mode gradient of the summed concurrence in all couplings and eps, against the value."""
    n, ts = 8 if settings.quick else 60, _times(settings)[:: 1 if settings.quick else 4]
    for occupation in (0.0, HOT):
        glass, bloch, _ = _draw(n, occupation)

        def loss(parameters: Any, glass: Any = glass, occupation: float = occupation, bloch: Any = bloch) -> Any:
            couplings, eps = parameters
            model = jt.TLSGlass(glass.frequencies, couplings, glass.rates, occupation, eps)
            return jnp.sum(model.concurrence(bloch, ts))

        start = (glass.couplings, jnp.asarray(1.0))
        calls = [partial(jax.jit(f), start) for f in (loss, jax.value_and_grad(loss))]
        timings, found = measure_together(calls, repeats=7)
        h = 1e-5
        value = jax.jit(loss)
        slope = (value((glass.couplings, 1.0 + h)) - value((glass.couplings, 1.0 - h))) / (2 * h)
        error = {"d eps": float(abs(found[1][1][1] / slope - 1))}
        size = {"N": n, "times": len(ts), "f": occupation, "parameters": n * (n - 1) // 2 + 1}
        forward = glass_work(glass, bloch, ts)
        for name, timing in zip(("value", "value and gradient"), timings):
            ratio = timing.warm / timings[0].warm
            wrong = None if name == "value" else error
            todo = forward if name == "value" else work.reverse(forward)
            yield Row.timed("gradient", name, timing, size=size, error=wrong, ratio=ratio, ratio_to="value", work=todo)


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "realization": realization,
    "peers": against_peers,
    "throughput": throughput,
    "size": cost_in_n,
    "entropy": entropy_of_halves,
    "gradient": gradient,
    "precision": precision,
}
