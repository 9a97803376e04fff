"""The TLS-heated oscillator against dynamiqs in its best layout and QuTiP, on the same truncated equation.

Every time stands beside its error in <n> against jaxtls at rtol = 1e-11 on all levels, which is checked here against
SciPy's matrix exponential of Eq. 35 in full (the first row).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from .harness import Row, errors, measure, measure_together

PARAMETERS: dict[str, float] = {"omega_0": 1.0, "splitting": 2.0, "coupling": 1.0, "gamma": 10.0, "n_bar": 0.3}
RTOL, ATOL = 1e-6, 1e-8
PEERS = {"dynamiqs": ("dia", "dense"), "qutip": ("adams",)}


@dataclass(frozen=True)
class Settings:
    quick: bool
    peers: bool


def rows(parts: tuple[str, ...], *, quick: bool, peers: bool = True) -> Iterator[Row]:
    """The rows of the chosen parts, as they are measured."""
    for part in parts:
        yield from PARTS[part](Settings(quick, peers))


def matrices(n: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray, np.ndarray]:
    """H, jumps, rho_0 and the number operator of Eq. 35 as plain matrices, TLS first in the basis of sx."""
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
    return h, jumps, rho0, np.kron(np.eye(2), a.T @ a)


def exact(n: int, ts: np.ndarray) -> dict[str, np.ndarray]:
    """<n> from exp(t L) rho_0 in SciPy, L the sparse Lindbladian."""
    import scipy.sparse as sp
    from scipy.sparse.linalg import expm_multiply

    h, jumps, rho0, number = matrices(n)
    eye = sp.identity(2 * n, format="csr")
    generator = -1j * (sp.kron(sp.csr_matrix(h), eye) - sp.kron(eye, sp.csr_matrix(h.T)))
    for jump in jumps:
        c = sp.csr_matrix(jump)
        decay = c.T @ c
        generator = generator + sp.kron(c, c) - (sp.kron(decay, eye) + sp.kron(eye, decay.T)) / 2
    states = expm_multiply(generator.tocsr(), rho0.reshape(-1), start=ts[0], stop=ts[-1], num=len(ts), endpoint=True)
    return {"n": np.einsum("tij,ji->t", states.reshape(len(ts), 2 * n, 2 * n), number).real}


def _model(n: int) -> jt.TLSHeatedOscillator:
    return jt.TLSHeatedOscillator(**PARAMETERS, n_levels=n)


def _ours(n: int, ts: np.ndarray, **options: Any) -> Callable[[], dict]:
    model = _model(n)
    y0, times = model.thermal_state(), jnp.asarray(ts)
    return lambda: jt.evolve(model, y0, times, observables=["n"], **options).observables


def _converged(n: int, ts: np.ndarray) -> dict:
    return measure(_ours(n, ts, rtol=1e-11, atol=1e-13, save_states=True), repeats=1)[1]


def _dynamiqs(n: int, ts: np.ndarray, layout: str) -> Callable[[], dict]:
    import dynamiqs as dq

    dq.set_precision("double")
    h, jumps, rho0, number = matrices(n)

    def wrap(a: np.ndarray) -> Any:
        return dq.asqarray(a, dims=(2, n), layout=getattr(dq, layout))

    operators = wrap(h), [wrap(jump) for jump in jumps], dq.asqarray(rho0, dims=(2, n))
    method = dq.method.Tsit5(rtol=RTOL, atol=ATOL, max_steps=1_000_000)
    observed = [wrap(number)]

    def solve() -> dict:
        found = dq.mesolve(*operators, ts, exp_ops=observed, method=method, save_states=False, progress_meter=False)
        return {"n": np.asarray(found.expects).real[0]}

    return solve


def _qutip(n: int, ts: np.ndarray, method: str) -> Callable[[], dict]:
    import qutip
    import scipy.sparse as sp

    dims = [[2, n]] * 2
    h, jumps, rho0, number = (
        qutip.Qobj(sp.csr_matrix(a), dims=dims) if not isinstance(a, list) else
        [qutip.Qobj(sp.csr_matrix(c), dims=dims) for c in a]
        for a in matrices(n)
    )  # fmt: skip
    options = {"method": method, "rtol": RTOL, "atol": ATOL, "nsteps": 10_000_000, "progress_bar": ""}
    return lambda: {"n": np.asarray(qutip.mesolve(h, rho0, ts, jumps, e_ops=[number], options=options).expect[0])}


def against_peers(settings: Settings) -> Iterator[Row]:
    """jaxtls and each peer in turn, warm repeats interleaved, at the same tolerances and output times."""
    levels = (20,) if settings.quick else (50, 100)
    ts = np.linspace(0.0, 1.0 if settings.quick else 4.0, 11 if settings.quick else 41)
    yield _check(12, np.linspace(0.0, 0.3, 4))
    for n in levels:
        reference = _converged(n, ts)
        calls: dict[str, Callable] = {"jaxtls": _ours(n, ts, rtol=RTOL, atol=ATOL)}
        calls["jaxtls, all levels"] = _ours(n, ts, rtol=RTOL, atol=ATOL, save_states=True)
        for peer, variants in PEERS.items() if settings.peers else ():
            if find_spec(peer) is None:
                print(f"{peer} is not installed, its rows are left out: pip install 'jaxtls[peers]'")
                continue
            for variant in variants:
                if variant == "dense" and n > 50:
                    continue
                make = {"dynamiqs": _dynamiqs, "qutip": _qutip}[peer]
                calls[f"{peer} {variant}"] = make(n, ts, variant)
        timings, results = measure_together(list(calls.values()), repeats=3 if settings.quick else 9)
        for name, timing, found in zip(calls, timings, results):
            yield Row.timed(
                f"heated oscillator, {n} levels",
                name,
                timing,
                size={"levels": n, "times": len(ts)},
                error=errors(found, reference, ("n",)),
                ratio=timing.warm / timings[0].warm,
                ratio_to="jaxtls",
                note=f"rtol={RTOL:g} atol={ATOL:g}",
            )


def _check(n: int, ts: np.ndarray) -> Row:
    timing, expected = measure(lambda: exact(n, ts), repeats=1)
    found = measure(_ours(n, ts, rtol=1e-11, atol=1e-13, save_states=True), repeats=1)[1]
    error = errors(found, expected, ("n",))
    return Row.timed(
        "check", "SciPy exp(t L)", timing, size={"levels": n}, error=error, note="error of jaxtls, rtol=1e-11"
    )


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {"peers": against_peers}
