"""Few defects, where others can follow: brute force over all joint states in NumPy, and QuTiP."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import peers_few, peers_tls
from .harness import Row, compare
from .settings import Settings

W = 0.2


def amplitudes(settings: Settings) -> Iterator[Row]:
    """|c(t)|² of 10 and 100 TLSs at 200 times, spread x time = 200, beside dense exponentials and QuTiP."""
    ts = np.linspace(0.0, 1.0 if settings.quick else 10.0, 20 if settings.quick else 200)
    for n in (4,) if settings.quick else (10, 100):
        bath = peers_tls.draw(n, False)
        model = jt.TLSBath(*map(jnp.asarray, (bath.frequencies, bath.couplings, bath.relaxation)))
        calls: dict[str, Callable] = {
            "jaxtls": lambda model=model: {"|c|²": jnp.abs(model.amplitude(W, ts)) ** 2},
            "NumPy expm": lambda bath=bath: {"|c|²": peers_few.amplitude(bath, W, ts)},
        }
        if "qutip" in settings.found():
            calls["qutip sesolve"] = lambda bath=bath: {"|c|²": peers_few.qutip_amplitude(bath, W, ts)}
        reference = {"|c|²": peers_few.amplitude(bath, W, ts)}
        size = {"TLSs": n, "times": len(ts)}
        yield from compare("exact amplitude of few", calls, reference, size=size, repeats=settings.repeats)


def populations(settings: Settings) -> Iterator[Row]:
    """p_q(t) of 100 and 300 TLSs at 50 times over six decades, beside exponentials and modes of dense matrices."""
    ts = np.geomspace(1e-3, 1e3, 10 if settings.quick else 50)
    for n in (20,) if settings.quick else (100, 300):
        bath = peers_tls.draw(n, True)
        parts = bath.frequencies, bath.couplings, bath.relaxation, bath.dephasing
        model = jt.TLSBath(*map(jnp.asarray, parts))
        calls: dict[str, Callable] = {
            "jaxtls": lambda model=model: {"p": model.populations(W, ts)},
            "NumPy eigh": lambda bath=bath: {"p": peers_few.populations_by_modes(bath, W, ts)},
            "NumPy expm": lambda bath=bath: {"p": peers_few.populations(bath, W, ts)},
        }
        reference = {"p": peers_few.populations(bath, W, ts)}
        size = {"TLSs": n, "times": len(ts)}
        yield from compare("Solomon populations of few", calls, reference, size=size, repeats=3)


def coherence(settings: Settings) -> Iterator[Row]:
    """Ramsey of 4, Ramsey and echo of 8 fluctuators at 100 times, beside all joint states; QuTiP where K is 4."""
    ts = np.linspace(0.0, 4.0, 20 if settings.quick else 100)
    for k, pulses in ((3, 0), (3, 1)) if settings.quick else ((4, 0), (8, 0), (8, 1)):
        draws = np.random.default_rng(0)
        a, up, down = draws.normal(size=k), draws.uniform(0.1, 2.0, k), draws.uniform(0.1, 2.0, k)
        f = jt.Fluctuators(a, up, down)
        ours = jax.jit(lambda f, pulses=pulses: f.coherence(ts, pulses=pulses))
        calls: dict[str, Callable] = {
            "jaxtls": lambda ours=ours, f=f: {"D": ours(f)},
            f"NumPy expm, 2^{k} states": lambda a=a, up=up, down=down, pulses=pulses: {
                "D": peers_few.coherence(a, up, down, ts, pulses == 1)
            },
        }
        if k <= 4 and pulses == 0 and "qutip" in settings.found():
            calls["qutip mesolve"] = lambda a=a, up=up, down=down: {"D": peers_few.qutip_coherence(a, up, down, ts)}
        reference = {"D": peers_few.coherence(a, up, down, ts, pulses == 1)}
        name = "echo" if pulses else "Ramsey"
        size = {"fluctuators": k, "times": len(ts)}
        yield from compare(f"coherence of few, {name}", calls, reference, size=size, repeats=settings.repeats)


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "few-coherence": coherence,
    "few-amplitude": amplitudes,
    "few-populations": populations,
}
