"""States of an oscillator and measures of them, beside dynamiqs and QuTiP; first calls above all.

A thermal state has them all in closed form: populations r^k (1 - r) with r = n/(1 + n). Except for Wigner's function
the states are turned into a random basis, so that no matrix is diagonal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from .harness import Row, compare
from .settings import Settings

N_TH, OTHER, ALPHA = 1.5, 0.7, 1.2
SIDE = 3  # of the first part in the partial trace


def _populations(n_levels: int, mean: float) -> np.ndarray:
    weights = (mean / (1 + mean)) ** np.arange(n_levels)
    return weights / weights.sum()


def _basis(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.linalg.qr(rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)))[0]


def _closed_forms(n: int, axis: np.ndarray) -> dict[str, Any]:
    p, q = _populations(n, N_TH), _populations(n, OTHER)
    coherent = np.exp(-(ALPHA**2) / 2) * np.cumprod(np.concatenate([[1.0], ALPHA / np.sqrt(np.arange(1.0, n))]))
    radius = axis[:, None] ** 2 + axis**2
    return {
        "coherent state": coherent,
        "thermal state": np.diag(p),
        "purity": np.sum(p**2),
        "entropy": -np.sum(p * np.log(p)),
        "relative entropy": np.sum(p * np.log(p / q)),
        "fidelity": np.sum(np.sqrt(p * q)) ** 2,
        "partial trace": (_basis(n) * p) @ _basis(n).conj().T,
        "expectation value": np.sum(np.arange(n) * p),
        "Wigner function": np.exp(-radius / (2 * N_TH + 1)) / np.pi / (2 * N_TH + 1),
    }


def _ours(rho: Any, sigma: Any, number: Any, joint: Any, thermal: Any, axis: Any) -> dict[str, Callable]:
    n = rho.shape[0]
    return {
        "coherent state": lambda: jt.coherent_state(n, ALPHA),
        "thermal state": lambda: jt.thermal_state(n, N_TH),
        "purity": lambda: jt.purity(rho),
        "entropy": lambda: jt.von_neumann_entropy(rho),
        "relative entropy": lambda: jt.relative_entropy(rho, sigma),
        "fidelity": lambda: jt.fidelity(rho, sigma),
        "partial trace": lambda: jt.partial_trace(joint, (SIDE, n), 1),
        "expectation value": lambda: jt.expect(number, rho).real,
        "Wigner function": lambda: jt.wigner(thermal, axis, axis),
    }


def _dynamiqs(rho: Any, sigma: Any, number: Any, joint: Any, thermal: Any, axis: Any) -> dict[str, Callable]:
    import dynamiqs as dq

    dq.set_precision("double")
    n = rho.shape[0]
    a, b, c, d = (dq.asqarray(x) for x in (rho, sigma, number, thermal))
    product = dq.asqarray(joint, dims=(SIDE, n))
    dense = lambda q: q.to_jax()
    return {
        "coherent state": lambda: dense(dq.coherent(n, ALPHA))[:, 0],
        "thermal state": lambda: dense(dq.thermal_dm(n, N_TH)),
        "purity": lambda: dq.purity(a),
        "entropy": lambda: dq.entropy_vn(a),
        "relative entropy": lambda: dq.entropy_relative(a, b),
        "fidelity": lambda: dq.fidelity(a, b),
        "partial trace": lambda: dense(dq.ptrace(product, 1)),
        "expectation value": lambda: dq.expect(c, a).real,
        "Wigner function": lambda: dq.wigner(d, xvec=axis, yvec=axis, hbar=1.0)[2],
    }


def _qutip(rho: Any, sigma: Any, number: Any, joint: Any, thermal: Any, axis: Any) -> dict[str, Callable]:
    import qutip

    n = rho.shape[0]
    a, b, c, d = (qutip.Qobj(np.asarray(x)) for x in (rho, sigma, number, thermal))
    product = qutip.Qobj(np.asarray(joint), dims=[[SIDE, n]] * 2)
    axis = np.asarray(axis)
    return {
        "coherent state": lambda: qutip.coherent(n, ALPHA, method="analytic").full()[:, 0],
        "thermal state": lambda: qutip.thermal_dm(n, N_TH, method="operator").full(),
        "purity": lambda: a.purity(),
        "entropy": lambda: qutip.entropy_vn(a),
        "relative entropy": lambda: qutip.entropy_relative(a, b),
        "fidelity": lambda: qutip.fidelity(a, b) ** 2,
        "partial trace": lambda: product.ptrace(1).full(),
        "expectation value": lambda: qutip.expect(c, a),
        "Wigner function": lambda: qutip.wigner(d, axis, axis, g=np.sqrt(2)),
    }


def first_calls(settings: Settings) -> Iterator[Row]:
    """One function after another, each from an empty compilation cache."""
    n, axis = (8, np.linspace(-2.0, 2.0, 5)) if settings.quick else (100, np.linspace(-5.0, 5.0, 201))
    found = settings.found()
    basis, p, q = _basis(n), _populations(n, N_TH), _populations(n, OTHER)
    turned = [jnp.asarray(basis @ np.diag(x) @ basis.conj().T) for x in (p, q, np.arange(n))]
    given = *turned, jnp.kron(jnp.eye(SIDE) / SIDE, turned[0]), jnp.asarray(np.diag(p), complex), jnp.asarray(axis)
    functions = {"jaxtls": _ours(*given)}
    functions |= {peer: {"dynamiqs": _dynamiqs, "qutip": _qutip}[peer](*given) for peer in found}
    for name, answer in _closed_forms(n, axis).items():
        calls = {
            library: lambda call=known[name]: {"max": np.asarray(call())}
            for library, known in functions.items()
            if name in known
        }
        size = {"dimension": SIDE * n if name == "partial trace" else n}
        yield from compare(name, calls, {"max": answer}, size=size, repeats=9)


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {"first-calls": first_calls}
