"""Fluctuators against NumPy written as well: coherence of many of them, and the likelihood of a record.

The parts about baths of TLSs stand in `baths_tls`, those about few defects beside brute force and QuTiP in `baths_few`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import baths_few, baths_tls
from .harness import Row, compare, measure_together
from .settings import Settings


def draw(n: int) -> jt.Fluctuators:
    bath = {"slowest": 1e-3, "fastest": 1e3, "amplitude": 1 / np.sqrt(n), "temperature": 1.0, "max_energy": 3.0}
    return jt.Fluctuators.sample_bath(jax.random.key(0), n, **bath)


def numpy_coherence(a: np.ndarray, up: np.ndarray, down: np.ndarray, ts: np.ndarray, pulses: int) -> np.ndarray:
    """Ramsey and echo by the closed form of one factor, in the stable exponentials; chunks that a cache holds."""
    product = np.ones(len(ts), complex)
    tau = ts / (2 * max(pulses, 0.5))
    for at in range(0, len(a), 256):
        x, u, d = (p[at : at + 256, None] for p in (a, up, down))
        rate, n = u + d, x**2 - 1j * x * (u - d)
        w = np.sqrt(rate**2 / 4 - n)
        plus, minus = n / (w + rate / 2), w + rate / 2
        slow, fast = np.exp(-plus * tau), np.exp(-minus * tau)
        s = (slow - fast) / (2 * w)
        p = (minus * slow - plus * fast) / (2 * w)
        if pulses == 0:
            product *= np.prod(p + 1j * x * (u - d) / rate * s, axis=0)
        else:
            high, low = np.abs(p + 1j * x * s) ** 2, np.abs(p - 1j * x * s) ** 2
            product *= np.prod((u * high + d * low) / rate, axis=0)
    return product


def numpy_likelihood(f: jt.Fluctuators, ts: np.ndarray, y: np.ndarray, sigma: float) -> float:
    """The forward algorithm in logarithms, transitions of all steps at once, then a loop over times."""
    a, up, down = (np.asarray(p) for p in (f.amplitudes, f.rates_up, f.rates_down))
    k = len(a)
    s = np.array(np.meshgrid(*[[-1.0, 1.0]] * k, indexing="ij")).reshape(k, -1).T
    rate = up + down
    keep = np.exp(-rate * np.diff(ts)[:, None])
    log_steps = np.zeros((len(ts) - 1, len(s), len(s)))
    for j in range(k):
        high = up[j] / rate[j]
        end = np.where(s[:, j] > 0, high, 1 - high)
        same = s[:, None, j] == s[None, :, j]
        log_steps += np.log(end * (1 - keep[:, j, None, None]) + same * keep[:, j, None, None])
    e = -0.5 * ((y[:, None] - s @ a) / sigma) ** 2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    log_p = np.log(np.prod(np.where(s > 0, up / rate, down / rate), axis=1)) + e[0]
    for step, emission in zip(log_steps, e[1:], strict=True):
        both = log_p[:, None] + step
        most = both.max(axis=0)
        log_p = most + np.log(np.exp(both - most).sum(axis=0)) + emission
    return float(np.logaddexp.reduce(log_p))


def coherence(settings: Settings) -> Iterator[Row]:
    """Ramsey and echo of 10^4 fluctuators at 100 times; the whole of 10^6 for its memory."""
    ts = np.linspace(0.02, 4.0, 20 if settings.quick else 100)
    for n in settings.sizes((500,), (10_000, 1_000_000), (10_000, 1_000_000)):
        f, times = draw(n), jnp.asarray(ts)
        plain = np.asarray(f.amplitudes), np.asarray(f.rates_up), np.asarray(f.rates_down)
        for pulses, name in ((0, "Ramsey"), (1, "echo")):
            ours = jax.jit(lambda f, pulses=pulses, times=times: f.coherence(times, pulses=pulses))
            calls: dict[str, Callable] = {
                "jaxtls": lambda ours=ours, f=f: {"D": ours(f)},
                "NumPy": lambda pulses=pulses, plain=plain: {"D": numpy_coherence(*plain, ts, pulses)},
            }
            reference = {"D": numpy_coherence(*plain, ts, pulses)}
            size = {"fluctuators": n, "times": len(ts)}
            repeats = settings.repeats if n <= 10_000 else 3
            yield from compare(f"coherence, {name}", calls, reference, size=size, repeats=repeats)


def likelihood(settings: Settings) -> Iterator[Row]:
    """10^4 samples, three fluctuators: eight joint states."""
    f, ts, y = record(300 if settings.quick else 10_000)
    ours = jax.jit(lambda f: f.log_likelihood(ts, y, 0.3))
    plain = np.asarray(ts), np.asarray(y)
    calls: dict[str, Callable] = {
        "jaxtls": lambda: {"ln L": ours(f)},
        "NumPy": lambda: {"ln L": numpy_likelihood(f, *plain, 0.3)},
    }
    reference = {"ln L": numpy_likelihood(f, *plain, 0.3)}
    size = {"samples": len(y), "fluctuators": 3}
    yield from compare("likelihood", calls, reference, size=size, repeats=settings.repeats)


def record(n: int) -> tuple[jt.Fluctuators, Any, Any]:
    f = jt.Fluctuators(jnp.array([1.0, 0.5, 0.2]), jnp.array([0.1, 0.3, 2.0]), jnp.array([0.2, 0.2, 1.0]))
    ts = 0.3 * jnp.arange(float(n))
    return f, ts, jt.TelegraphRecord(f, 0.0, 0.3).sample(jax.random.key(1), ts)


def gradient(settings: Settings) -> Iterator[Row]:
    """Reverse-mode gradients by every amplitude and rate, beside the values; checked by a difference along all."""
    f, ts, y = record(300 if settings.quick else 10_000)
    times = jnp.linspace(0.02, 4.0, 20 if settings.quick else 100)
    losses: dict[str, tuple[Callable, jt.Fluctuators]] = {"likelihood": (lambda f: f.log_likelihood(ts, y, 0.3), f)}
    for n in settings.sizes((500,), (10_000, 1_000_000), (10_000, 1_000_000)):
        for pulses, name in ((0, "Ramsey"), (1, "echo"), (8, "CPMG 8")):
            loss = lambda f, pulses=pulses: jnp.sum(f.coherence(times, pulses=pulses).real)
            if pulses < 8 or n <= 10_000:
                losses[f"coherence, {name}, {n}"] = loss, draw(n)
    for name, (loss, at) in losses.items():
        calls = [partial(jax.jit(g), at) for g in (loss, jax.grad(loss))]
        timings, found = measure_together(calls, repeats=settings.repeats if "000000" not in name else 3)
        error = _slope_error(loss, at, found[1])
        size = {"parameters": 3 * len(at.amplitudes)}
        for kind, timing in zip(("value", "gradient"), timings, strict=True):
            ratio = timing.warm / timings[0].warm
            checked = error if kind == "gradient" else None
            yield Row.timed(f"gradient, {name}", kind, timing, size=size, error=checked, ratio=ratio, ratio_to="value")


def _slope_error(loss: Callable, at: jt.Fluctuators, gradient: jt.Fluctuators) -> dict[str, float]:
    """A gradient along all parameters' logarithms against a difference."""
    h = 1e-3
    scaled = lambda change: float(loss(jax.tree.map(lambda x: (1 + change) * x, at)))
    across = lambda step: (scaled(step) - scaled(-step)) / (2 * step)
    difference = (4 * across(h) - across(2 * h)) / 3
    slope = sum(float(jnp.vdot(g, p)) for g, p in zip(jax.tree.leaves(gradient), jax.tree.leaves(at), strict=True))
    return {"d ln all": abs(slope / difference - 1)}


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "coherence": coherence,
    "likelihood": likelihood,
    "gradient": gradient,
    **baths_few.PARTS,
    **baths_tls.PARTS,
}
