"""What else an open system is asked: Bloch-Redfield, limit cycles of a drive, noise of a current; beside QuTiP.

Each problem is solved to one tolerance by both; errors are against dense linear algebra in NumPy and SciPy, which knows
nothing of either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp
from scipy.linalg import expm

import jaxtls as jt

from .harness import Row, compare
from .settings import Settings

RTOL, ATOL = 1e-8, 1e-10
SZ, SX, LOWER = np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
WEIGHTS = [1.0, -1.0, 0.0, 0.0]  # quanta that enter at the left
FREQUENCY = 1.3  # of the drive
TS = np.linspace(0.0, 20.0, 41)

Answers = Mapping[str, Any]


def at(k: int, n: int, operator: np.ndarray) -> np.ndarray:
    """An operator of site k of n."""
    return np.kron(np.kron(np.eye(2**k), operator), np.eye(2 ** (n - k - 1)))


def chain(n: int) -> np.ndarray:
    """A chain of n spins in uneven fields, so that no two transitions are alike."""
    fields = 1.0 + 0.13 * np.arange(n) + 0.02 * np.arange(n) ** 2
    h = sum(0.5 * f * at(k, n, SZ) for k, f in enumerate(fields))
    return np.asarray(h + sum(0.2 * at(k, n, SX) @ at(k + 1, n, SX) for k in range(n - 1)))


def ohmic(w: Any) -> Any:
    """Noise power at w of an Ohmic bath at temperature .5: 2 pi J (n + 1) for what the system loses."""
    small = jnp.abs(w) < 1e-9
    safe = jnp.where(small, 1.0, w)
    return 0.02 * jnp.where(small, 0.5, safe / -jnp.expm1(-safe / 0.5))


def ohmic_numpy(w: float) -> float:
    """The same in plain Python, for QuTiP."""
    return 0.02 * (0.5 if abs(w) < 1e-9 else w / -np.expm1(-w / 0.5))


def superoperator(h: np.ndarray, jumps: list[np.ndarray]) -> np.ndarray:
    """L on the rows of rho."""
    one = np.eye(len(h))
    found = -1j * (np.kron(h, one) - np.kron(one, h.T))
    for c in jumps:
        lost = c.conj().T @ c
        found = found + np.kron(c, c.conj()) - (np.kron(lost, one) + np.kron(one, lost.T)) / 2
    return np.asarray(found)


def redfield_matrix(h: np.ndarray, coupling: np.ndarray) -> np.ndarray:
    """The Bloch-Redfield generator, without the secular approximation, without Lamb shifts."""
    energies, basis = np.linalg.eigh(h)
    a = basis.conj().T @ coupling @ basis
    weight = np.vectorize(ohmic_numpy)(energies[None, :] - energies[:, None])  # what k -> j gives away
    moved = basis @ (a * weight / 2) @ basis.conj().T
    one = np.eye(len(h))
    found = -1j * (np.kron(h, one) - np.kron(one, h.T))
    found = found + np.kron(moved, coupling.conj()) + np.kron(coupling, moved.conj())
    lost = coupling @ moved
    return np.asarray(found - np.kron(lost, one) - np.kron(one, lost.conj()))


def redfield(settings: Settings) -> Iterator[Row]:
    """A chain coupled to one bath at its end: <sz> of the other end over time."""
    for n in (2,) if settings.quick else (3, 5):
        h, coupling, measured = chain(n), at(0, n, SX), at(n - 1, n, SZ)
        rho0 = np.zeros((2**n, 2**n))
        rho0[0, 0] = 1.0
        step, states = expm((TS[1] - TS[0]) * redfield_matrix(h, coupling)), [rho0.reshape(-1).astype(complex)]
        for _ in TS[1:]:
            states.append(step @ states[-1])
        reference = {"sz": np.array([np.trace(measured @ s.reshape(rho0.shape)).real for s in states])}

        def ours(h: Any = h, coupling: Any = coupling, measured: Any = measured, rho0: Any = rho0) -> Answers:
            law = jt.BlochRedfield(h, [(coupling, ohmic)])
            return {"sz": jt.mesolve(law, [], rho0, TS, [measured], rtol=RTOL, atol=ATOL).expects[0].real}

        calls: dict[str, Callable[[], Answers]] = {"jaxtls": ours}
        if "qutip" in settings.found():
            import qutip

            def theirs(h: Any = h, coupling: Any = coupling, measured: Any = measured, rho0: Any = rho0) -> Answers:
                options = {"rtol": RTOL, "atol": ATOL, "nsteps": 10**6}
                found = qutip.brmesolve(
                    qutip.Qobj(h),
                    qutip.Qobj(rho0),
                    TS,
                    [[qutip.Qobj(coupling), ohmic_numpy]],
                    e_ops=[qutip.Qobj(measured)],
                    sec_cutoff=-1,
                    options=options,
                )
                return {"sz": found.expect[0]}

            calls["qutip"] = theirs
        size = {"levels": 2**n, "times": len(TS)}
        yield from compare(
            f"Bloch-Redfield: chain, N = {n}",
            calls,
            reference,
            size=size,
            repeats=settings.repeats,
            note=f"rtol={RTOL:g}",
        )


def turning(t: Any) -> Any:
    """The drive. One function: another one would be another program."""
    return jnp.cos(FREQUENCY * t)


def floquet(settings: Settings) -> Iterator[Row]:
    """The limit cycle of a driven, damped chain; QuTiP's way to it is one period's propagator and its fixed point."""
    for n in (1,) if settings.quick else (1, 2, 3):
        h, drive, period, n_times = chain(n), 0.6 * at(0, n, SX), 2 * np.pi / FREQUENCY, 16
        jumps = [np.sqrt(0.2 + 0.05 * k) * at(k, n, LOWER) for k in range(n)]
        measured, ts = at(n - 1, n, SZ), np.arange(n_times) * period / n_times
        reference = {"sz": _cycle(h, drive, jumps, measured, period, n_times)}

        def ours(h: Any = h, drive: Any = drive, jumps: Any = jumps, measured: Any = measured) -> Answers:
            law = jt.Lindbladian([h, (drive, turning)], jumps)
            cycle = jt.periodic_steady_state(law, 2 * np.pi / FREQUENCY, n_times=16, rtol=RTOL, atol=ATOL)
            return {"sz": jnp.einsum("tij,ji->t", cycle, measured).real}

        calls: dict[str, Callable[[], Answers]] = {"jaxtls": ours}
        if "qutip" in settings.found():
            calls["qutip propagator"] = _qutip_cycle(h, drive, jumps, measured, ts, period)
        size = {"levels": 2**n, "times": n_times}
        yield from compare(
            f"limit cycle: driven chain, N = {n}", calls, reference, size=size, repeats=settings.repeats,
            note=f"rtol={RTOL:g}",
        )  # fmt: skip


def _cycle(h: Any, drive: Any, jumps: Any, measured: Any, period: float, n_times: int) -> np.ndarray:
    """By SciPy: the propagator over a period at high precision, its fixed point, and one turn more."""
    still, moving, dim = superoperator(h, jumps), superoperator(drive, []), len(h) ** 2
    field = lambda t, y: ((still + np.cos(FREQUENCY * t) * moving) @ y.reshape(dim, -1)).reshape(-1)
    tight = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-13}
    around = solve_ivp(field, (0, period), np.eye(dim, dtype=complex).reshape(-1), **tight).y[:, -1].reshape(dim, dim)
    rest = np.concatenate([around - np.eye(dim), np.eye(len(h)).reshape(1, -1)])
    start = np.linalg.lstsq(rest, np.eye(dim + 1)[-1].astype(complex), rcond=None)[0]
    ts = np.arange(n_times) * period / n_times
    states = solve_ivp(field, (0, period), start, t_eval=ts, **tight).y.T.reshape(-1, *h.shape)
    return np.asarray(np.einsum("tij,ji->t", states, measured).real)


def _qutip_cycle(
    h: np.ndarray, drive: np.ndarray, jumps: list[np.ndarray], measured: np.ndarray, ts: np.ndarray, period: float
) -> Callable[[], Answers]:
    import qutip

    def cycle() -> Answers:
        moving = qutip.QobjEvo([qutip.Qobj(h), [qutip.Qobj(drive), f"cos({FREQUENCY} * t)"]])
        c_ops = [qutip.Qobj(c) for c in jumps]
        options = {"rtol": RTOL, "atol": ATOL, "nsteps": 10**6}
        around = qutip.propagator(moving, period, c_ops, options=options)
        start = qutip.propagator_steadystate(around)
        found = qutip.mesolve(moving, start, ts, c_ops, e_ops=[qutip.Qobj(measured)], options=options)
        return {"sz": np.asarray(found.expect[0])}

    return cycle


def counting(settings: Settings) -> Iterator[Row]:
    """Current through a chain between two baths and its noise, against derivatives of the tilted eigenvalue."""
    for n in (2,) if settings.quick else (3, 4, 5):
        h = chain(n)
        jumps = [np.sqrt(r) * op for r, op in zip((0.4, 0.1, 0.1, 0.5), ends(n), strict=True)]
        reference = _tilted(h, jumps, WEIGHTS) if n <= 4 else {}

        def ours(h: Any = h, jumps: Any = jumps) -> Answers:
            found = jt.counting_statistics(jt.Lindbladian(h, jumps), WEIGHTS)
            return {"current": found.current, "noise": found.noise}

        calls: dict[str, Callable[[], Answers]] = {"jaxtls": ours}
        if "qutip" in settings.found():
            calls["qutip"] = _qutip_counting(h, jumps)
        size = {"levels": 2**n}
        yield from compare(f"counting: chain, N = {n}", calls, reference or ours(), size=size, repeats=settings.repeats)


def ends(n: int) -> list[np.ndarray]:
    return [at(0, n, LOWER.T), at(0, n, LOWER), at(n - 1, n, LOWER.T), at(n - 1, n, LOWER)]


def _tilted(h: np.ndarray, jumps: list[np.ndarray], weights: list[float], d: float = 1e-3) -> Answers:
    base = superoperator(h, jumps)

    def value(xi: float) -> float:
        moved = sum(np.expm1(xi * w) * np.kron(c, c.conj()) for c, w in zip(jumps, weights, strict=True))
        values = np.linalg.eigvals(base + moved)
        return float(values[np.argmax(values.real)].real)

    f = {k: value(k * d) for k in (-2, -1, 1, 2)}
    current = (8 * (f[1] - f[-1]) - f[2] + f[-2]) / (12 * d)
    return {"current": current, "noise": (16 * (f[1] + f[-1]) - f[2] - f[-2]) / (12 * d**2)}


def _qutip_counting(h: np.ndarray, jumps: list[np.ndarray]) -> Callable[[], Answers]:
    """One junction, through which quanta enter and leave. Without `rhoss` QuTiP 5.3 adds the jumps to L once more."""
    import qutip

    def count() -> Answers:
        c_ops = [qutip.Qobj(c) for c in jumps]
        law = qutip.liouvillian(qutip.Qobj(h), c_ops)
        enter, leave = (qutip.sprepost(c, c.dag()) for c in c_ops[:2])
        junction = {"J_ops": [enter + leave], "I_ops": [enter - leave]}
        found = qutip.countstat_current_noise(law, c_ops[:2], rhoss=qutip.steadystate(law), **junction)
        return {"current": float(np.ravel(found[0])[0].real), "noise": float(np.ravel(found[1])[0].real)}

    return count


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {"redfield": redfield, "floquet": floquet, "counting": counting}
