"""The TLS-heated oscillator against dynamiqs in its best layout and QuTiP, on the same truncated equation.

Every time stands beside its error in <n> against jaxtls at rtol = 1e-11 on all levels, which is checked here against
SciPy's matrix exponential of Eq. 35 in full (the first row).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import peers_engine, work
from .harness import Row, compare, errors, measure
from .peers_engine import Problem
from .settings import Settings

PARAMETERS: dict[str, float] = {"omega_0": 1.0, "splitting": 2.0, "coupling": 1.0, "gamma": 10.0, "n_bar": 0.3}
RTOL, ATOL = 1e-6, 1e-8
STAGES = 6  # of Tsit5, which keeps the last
PEERS = ("dynamiqs dia", "dynamiqs dense", "qutip adams")


def problem(n: int) -> Problem:
    """Eq. 35 as plain matrices, TLS first in the basis of sx."""
    p = PARAMETERS
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    sx, sz, lower, one = np.diag([1.0, -1.0]), np.eye(2)[::-1], np.array([[0.0, 0.0], [1.0, 0.0]]), np.eye(n)
    h = np.kron(np.eye(2), p["omega_0"] * a.T @ a) + np.kron(p["splitting"] / 2 * sx, one)
    h = h + p["coupling"] * np.kron(sz, a + a.T)
    jumps = [
        np.sqrt(p["gamma"] * (p["n_bar"] + 1)) * np.kron(lower, one),
        np.sqrt(p["gamma"] * p["n_bar"]) * np.kron(lower.T, one),
    ]
    up = p["n_bar"] / (2 * p["n_bar"] + 1)
    rho0 = np.kron(np.diag([up, 1 - up]), np.diag(one[0])).astype(complex)
    return Problem(h, jumps, rho0, {"n": np.kron(np.eye(2), a.T @ a)}, (2, n))


def _model(n: int) -> jt.TLSHeatedOscillator:
    return jt.TLSHeatedOscillator(**PARAMETERS, n_levels=n)


def _ours(n: int, ts: np.ndarray, **options: Any) -> Callable[[], dict]:
    model = _model(n)
    y0, times = model.thermal_state(), jnp.asarray(ts)
    return lambda: jt.evolve(model, y0, times, observables=["n"], **options).observables


def _work(n: int, ts: np.ndarray, **options: Any) -> dict[str, float]:
    model = _model(n)
    found = jt.evolve(model, model.thermal_state(), jnp.asarray(ts), observables=["n"], rtol=RTOL, atol=ATOL, **options)
    return work.runge_kutta(problem(n), found.stats, STAGES, 2 * int(found.stats.get("n_levels", n)))


def _converged(n: int, ts: np.ndarray) -> dict:
    return measure(_ours(n, ts, rtol=1e-11, atol=1e-13, save_states=True), repeats=1)[1]


def against_peers(settings: Settings) -> Iterator[Row]:
    """jaxtls and each peer in turn, warm repeats interleaved, at the same tolerances and output times."""
    levels = (20,) if settings.quick else (50, 100)
    ts = np.linspace(0.0, 1.0 if settings.quick else 4.0, 11 if settings.quick else 41)
    found = settings.found()
    yield _check(12, np.linspace(0.0, 0.3, 4))
    for n in levels:
        reference = _converged(n, ts)
        calls: dict[str, Callable] = {"jaxtls": _ours(n, ts, rtol=RTOL, atol=ATOL)}
        calls["jaxtls, all levels"] = _ours(n, ts, rtol=RTOL, atol=ATOL, save_states=True)
        for name in PEERS if n <= 50 else [peer for peer in PEERS if peer != "dynamiqs dense"]:
            if name.split()[0] in found:
                calls[name] = peers_engine.solver(name, problem(n), ts, RTOL, ATOL)
        yield from compare(
            f"heated oscillator, {n} levels",
            calls,
            reference,
            size={"levels": n, "times": len(ts)},
            repeats=3 if settings.quick else 9,
            note=f"rtol={RTOL:g} atol={ATOL:g}",
            work={"jaxtls": _work(n, ts), "jaxtls, all levels": _work(n, ts, save_states=True)},
        )


def _check(n: int, ts: np.ndarray) -> Row:
    timing, expected = measure(lambda: peers_engine.exact(problem(n), ts), repeats=1)
    found = measure(_ours(n, ts, rtol=1e-11, atol=1e-13, save_states=True), repeats=1)[1]
    error = errors(found, expected, ("n",))
    return Row.timed(
        "check", "SciPy exp(t L)", timing, size={"levels": n}, error=error, note="error of jaxtls, rtol=1e-11"
    )


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {"peers": against_peers}
