"""A qubit among up to 10^6 TLSs: exact amplitude, Solomon populations, golden-rule rates; NumPy where it can follow.

Times of jaxtls stand beside their error against the plain NumPy of `peers_tls`, which shares no formula with the
amplitude's contour: it takes Taylor steps. Memory is what a warm call adds to the process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt
from jaxtls.models.tls_bath import amplitude as exact
from jaxtls.models.tls_bath import contour

from . import peers_tls
from .harness import Row, Timing, compare, measure_together
from .peers_tls import Bath
from .settings import Settings

W, KAPPA = 0.2, 0.05
PAIR = {"flops": 10.0, "bytes": 24.0 / contour.NODES}  # of one TLS at one node, or one frequency


def _model(bath: Bath) -> jt.TLSBath:
    return jt.TLSBath(*map(jnp.asarray, (bath.frequencies, bath.couplings, bath.relaxation, bath.dephasing)))


def _nodes(model: jt.TLSBath, ts: np.ndarray, exact_motion: bool) -> int:
    _, half_height = exact.strip(*exact.bounds(model.frequencies, model.couplings), jnp.asarray(W))
    flat = jnp.asarray(ts)
    return int(contour.windows(flat, half_height if exact_motion else 0.0 * half_height, not exact_motion).ends[-1])


def _work(pairs: float) -> dict[str, float]:
    return {name: pairs * amount for name, amount in PAIR.items()}


def amplitudes(settings: Settings) -> Iterator[Row]:
    """c(t) at 200 times, spread x time = 200; Taylor's series in NumPy up to 10^4 or 10^5 TLSs."""
    ts = np.linspace(0.05, 1.0 if settings.quick else 10.0, 20 if settings.quick else 200)
    yield from _beside(settings, "exact amplitude", ts, True, (1000,) if settings.quick else (10_000, 100_000))
    yield from _large(settings, "exact amplitude", ts, True)


def populations(settings: Settings) -> Iterator[Row]:
    """p_q(t) at 200 times over six decades; Talbot's contour for each time in NumPy up to 10^5 TLSs."""
    ts = np.geomspace(1e-3, 1e3, 20 if settings.quick else 200)
    yield from _beside(settings, "Solomon populations", ts, False, (1000,) if settings.quick else (10_000, 100_000))
    yield from _large(settings, "Solomon populations", ts, False)


def golden_rule(settings: Settings) -> Iterator[Row]:
    """Gamma_1 at 2000 frequencies."""
    n, count = (1000, 50) if settings.quick else (100_000, 2000)
    bath, ws = peers_tls.draw(n, True), np.linspace(-5.0, 5.0, count)
    model = _model(bath)
    calls: dict[str, Callable] = {
        "jaxtls": lambda: {"rate": model.relaxation_rate(ws)},
        "NumPy": lambda: {"rate": peers_tls.rates(bath, ws)},
    }
    reference, todo = {"rate": peers_tls.rates(bath, ws, 100)}, {"jaxtls": _work(n * count)}
    size = {"TLSs": n, "frequencies": count}
    yield from compare("golden rule", calls, reference, size=size, repeats=3, work=todo)


def _call(model: jt.TLSBath, ts: np.ndarray, exact_motion: bool) -> jax.Array:
    return model.amplitude(W, ts) if exact_motion else model.populations(W, ts)


def _beside(settings: Settings, case: str, ts: np.ndarray, exact_motion: bool, sizes: tuple[int, ...]) -> Iterator[Row]:
    plain = peers_tls.amplitude if exact_motion else peers_tls.populations
    for n in sizes:
        bath = peers_tls.draw(n, not exact_motion)
        model = _model(bath)
        calls: dict[str, Callable] = {
            "jaxtls": lambda model=model: {"max": _call(model, ts, exact_motion)},
            "NumPy": lambda bath=bath: {"max": plain(bath, W, ts)},
        }
        todo = {"jaxtls": _work(n * _nodes(model, ts, exact_motion))}
        reference = {"max": plain(bath, W, ts)}
        size = {"TLSs": n, "times": len(ts)}
        yield from compare(case, calls, reference, size=size, repeats=3, work=todo, note="NumPy is the reference")


def _large(settings: Settings, case: str, ts: np.ndarray, exact_motion: bool) -> Iterator[Row]:
    """10^6 TLSs, alone: value, and value with its gradient in every coupling; NumPy at few times is the reference."""
    n = settings.sizes((5000,), (1_000_000,), (1_000_000,))[0]
    bath = peers_tls.draw(n, not exact_motion)
    model = _model(bath)
    todo = _work(n * _nodes(model, ts, exact_motion))

    def loss(couplings: jax.Array) -> jax.Array:
        x = _call(dataclasses.replace(model, couplings=couplings), ts, exact_motion)
        return jnp.sum(jnp.abs(x) ** 2)

    calls = [lambda: loss(model.couplings), lambda: jax.value_and_grad(loss)(model.couplings)]
    timings, found = measure_together(calls, repeats=3)
    slope = float(found[1][1] @ model.couplings)
    h = 1e-4
    difference = float(loss(model.couplings * (1 + h)) - loss(model.couplings * (1 - h))) / (2 * h)
    error = {"d ln g": abs(slope / difference - 1)}
    at = [-1] if exact_motion else [len(ts) // 4, len(ts) // 2, -1]
    plain = (peers_tls.amplitude if exact_motion else peers_tls.populations)(bath, W, ts[at])
    deviation = {"max": float(np.max(np.abs(np.asarray(_call(model, ts, exact_motion))[at] - plain)))}
    size = {"TLSs": n, "times": len(ts)}
    yield _timed(case, "value", timings[0], timings[0], size, deviation, todo)
    reverse = {name: 4 * amount for name, amount in todo.items()}
    yield _timed(case, "value and gradient", timings[1], timings[0], size, error, reverse)


def _timed(
    case: str,
    name: str,
    timing: Timing,
    base: Timing,
    size: dict[str, int],
    error: dict[str, float],
    work: dict[str, float],
) -> Row:
    ratio = timing.warm / base.warm
    return Row.timed(f"{case}, alone", name, timing, size=size, error=error, ratio=ratio, ratio_to="value", work=work)


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "tls-amplitude": amplitudes,
    "tls-populations": populations,
    "tls-rates": golden_rule,
}
