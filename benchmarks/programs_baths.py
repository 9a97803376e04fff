"""Programs of fluctuators and of a qubit among TLSs, at a size that a caller chooses."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import baths, peers_tls
from .program import Program


def coherence(n: int, times: int = 100, pulses: int = 1) -> Program:
    """Echo among fluctuators."""
    ts = jnp.linspace(0.02, 4.0, times)
    function = lambda bath: bath.coherence(ts, pulses=pulses)
    return Program(function, (baths.draw(n),), {"fluctuators": n, "times": times})


def likelihood(n: int) -> Program:
    """ln L of a noisy record of three fluctuators."""
    model, ts, y = baths.record(n)
    function = lambda f: f.log_likelihood(ts, y, 0.3)
    return Program(function, (model,), {"samples": n, "fluctuators": 3})


def amplitude(n: int, times: int = 200) -> Program:
    """The exact amplitude of a qubit among TLSs."""
    ts = np.linspace(0.05, 10.0, times)
    function = lambda bath: bath.amplitude(0.2, ts)
    size = {"TLSs": n, "times": times}
    # 387 nodes in blocks of 64: one turn of 64, and there seven of 64.
    return Program(function, (_tls_bath(n, False),), size, taken={0: 1 / 64, 1: 7 / 64})


def populations(n: int, times: int = 200) -> Program:
    """Solomon populations of a qubit among TLSs."""
    ts = np.geomspace(1e-3, 1e3, times)
    function = lambda bath: bath.populations(0.2, ts)
    # 217 nodes in blocks of 64.
    return Program(function, (_tls_bath(n, True),), {"TLSs": n, "times": times}, taken={0: 4 / 16})


def _tls_bath(n: int, dephased: bool) -> jt.TLSBath:
    bath = peers_tls.draw(n, dephased)
    return jt.TLSBath(*map(jnp.asarray, (bath.frequencies, bath.couplings, bath.relaxation, bath.dephasing)))


MAIN = {
    "coherence among fluctuators": (lambda small: coherence(50, 5) if small else coherence(10_000), True),
    "CPMG among fluctuators": (lambda small: coherence(50, 5, 8) if small else coherence(10_000, pulses=8), True),
    "likelihood of a record": (lambda small: likelihood(50) if small else likelihood(10_000), True),
    "amplitude among TLSs": (lambda small: amplitude(100, 5) if small else amplitude(1_000_000), True),
    "populations among TLSs": (lambda small: populations(100, 5) if small else populations(1_000_000), True),
}
