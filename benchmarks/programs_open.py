"""Programs of what else a system is asked: kets, propagators, Bloch-Redfield, limit cycles, counting."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

import jaxtls as jt

from . import engine, open_engine
from .kernels import Turns
from .open_engine import LOWER, SX, SZ, at, chain
from .program import Program

RTOL, ATOL = engine.RTOL, engine.ATOL


def kets(count: int, spins: int, times: int = 21) -> Program:
    """A closed Ising chain from all up, in other fields each."""
    problem, factors = engine.ising(spins), engine.ising_terms(spins)
    start, ts = np.eye(2**spins)[0], np.linspace(0.0, 1.0, times)
    [sz] = problem.observed.values()
    terms = [sum(jt.local(problem.dims, factor) for factor in part) for part in factors]

    def one(numbers: Array) -> Array:
        h = numbers[0] * terms[0] + numbers[1] * terms[1]
        return jt.sesolve(h, start, ts, [sz], rtol=RTOL, atol=ATOL, save_states=False).expects[0].real

    def peer() -> Callable[..., PyTree]:
        import dynamiqs as dq

        dq.set_precision("double")
        zeeman, bonds = (np.asarray(jt.Lindbladian(term, []).hamiltonian(0.0)) for term in terms)
        psi0, observed = dq.asqarray(start[:, None].astype(complex), problem.dims), dq.asqarray(sz, problem.dims)
        method = dq.method.Tsit5(rtol=RTOL, atol=ATOL, max_steps=100_000)

        def many(numbers: Array) -> Array:
            h = dq.asqarray(numbers[:, 0, None, None] * zeeman + numbers[:, 1, None, None] * bonds, problem.dims)
            found = dq.sesolve(h, psi0, ts, exp_ops=[observed], method=method, save_states=False, progress_meter=False)
            return found.expects.real

        return many

    numbers = jnp.array([engine.FIELD, engine.BOND]) * jnp.linspace(0.9, 1.1, count)[:, None]
    size = {"chains": count, "dimension": 2**spins, "times": times}
    return Program(jax.vmap(one), (numbers,), size, peer, peer_turns={0: 1064})


def propagators(count: int, spins: int, times: int = 21) -> Program:
    """Propagators of dissipative chains, other rates each."""
    h, ts = chain(spins), np.linspace(0.0, 5.0, times)
    jumps = [at(k, spins, LOWER) for k in range(spins)]

    def one(rates: Array) -> Array:
        return jt.propagator(jt.Lindbladian(h, jumps, rates=rates), ts)

    def peer() -> Callable[..., PyTree]:
        import dynamiqs as dq

        dq.set_precision("double")
        wrapped = dq.asqarray(np.asarray(h, complex), (2,) * spins)

        def many(rates: Array) -> Array:
            ops = [dq.asqarray(jnp.sqrt(rate)[:, None, None] * op, (2,) * spins) for rate, op in zip(rates.T, jumps)]
            found = dq.mepropagator(wrapped, ops, ts, cartesian_batching=False, progress_meter=False)
            return found.propagators.to_jax()

        return many

    rates = jnp.linspace(0.1, 0.5, count)[:, None] * jnp.ones(spins)
    return Program(jax.vmap(one), (rates,), {"chains": count, "dimension": 2**spins, "times": times}, peer)


def redfield(count: int, spins: int) -> Program:
    """Chains coupled to one bath at their end, other fields each: <sz> of the other end."""
    h, field, measured = chain(spins), at(spins - 1, spins, SZ), at(spins - 1, spins, SZ)
    rho0 = np.diag(np.eye(2**spins)[0])

    def one(x: Array) -> Array:
        law = jt.BlochRedfield(h + x * field, [(at(0, spins, SX), open_engine.ohmic)])
        found = jt.mesolve(law, [], rho0, open_engine.TS, [measured], rtol=RTOL, atol=ATOL, save_states=False)
        return found.expects[0].real

    size = {"chains": count, "dimension": 2**spins, "times": len(open_engine.TS)}
    return Program(jax.vmap(one), (jnp.linspace(0.0, 0.1, count),), size)


def cycles(count: int, spins: int) -> Program:
    """Limit cycles of driven, damped chains, other drives each."""
    h, push = chain(spins), at(0, spins, SX)
    jumps = [np.sqrt(0.2 + 0.05 * k) * at(k, spins, LOWER) for k in range(spins)]
    measured = at(spins - 1, spins, SZ)

    def one(drive: Array) -> Array:
        law = jt.Lindbladian([h, (drive * push, open_engine.turning)], jumps)
        period = 2 * np.pi / open_engine.FREQUENCY
        cycle = jt.periodic_steady_state(law, period, n_times=16, rtol=RTOL, atol=ATOL)
        return jnp.einsum("tij,ji->t", cycle, measured).real

    size = {"chains": count, "dimension": 2**spins, "times": 16}
    # One batch of Magnus' steps.
    turns, back = {0: 1}, {0: (1, 1), 1: (0, 1)}
    return Program(jax.vmap(one), (jnp.linspace(0.4, 0.8, count),), size, turns=turns, turns_back=back)


def driven(count: int, spins: int, times: int = 41) -> Program:
    """Driven, damped chains from all up, other drives each: <sz> of the last spin."""
    h, push, measured = chain(spins), at(0, spins, SX), at(spins - 1, spins, SZ)
    jumps = [np.sqrt(0.2 + 0.05 * k) * at(k, spins, LOWER) for k in range(spins)]
    rho0, ts = np.diag(np.eye(2**spins)[0]), np.linspace(0.0, 10.0, times)

    def one(drive: Array) -> Array:
        terms = [h, (drive * push, open_engine.turning)]
        found = jt.mesolve(terms, jumps, rho0, ts, [measured], rtol=RTOL, atol=ATOL, save_states=False)
        return found.expects[0].real

    def peer() -> Callable[..., PyTree]:
        import dynamiqs as dq

        dq.set_precision("double")
        layout = dq.dense if spins == 1 else dq.dia
        fixed, moved, *ops = (dq.asqarray(op, (2,) * spins, layout=layout) for op in (h, push, *jumps))
        state, observed = dq.asqarray(rho0.astype(complex), (2,) * spins), dq.asqarray(measured, (2,) * spins)
        method = dq.method.Tsit5(rtol=RTOL, atol=ATOL, max_steps=100_000)
        options = {"exp_ops": [observed], "method": method, "save_states": False, "progress_meter": False}

        def many(drives: Array) -> Array:
            law = fixed + dq.modulated(lambda t: drives * open_engine.turning(t), moved)
            return dq.mesolve(law, ops, state, ts, **options).expects[:, 0].real

        return many

    size = {"chains": count, "dimension": 2**spins, "times": times}
    # One batch of Magnus' steps; 120 steps of Runge and Kutta in 42 parts.
    turns: Turns = {0: 1} if spins == 1 else {0: 42, 1: 2.86}
    back: Turns = {0: (1, 1), 1: (0, 1)} if spins == 1 else {0: (42, 1), 1: (2.86, 119, 120)}
    steps = 68 if spins == 1 else 89
    return Program(
        jax.vmap(one), (jnp.linspace(0.4, 0.8, count),), size, peer, turns, turns_back=back, peer_turns={0: steps}
    )


def counting(count: int, spins: int) -> Program:
    """Current and noise of chains between two baths, other rates each."""
    h, ends = chain(spins), open_engine.ends(spins)

    def one(rates: Array) -> tuple[Array, Array]:
        found = jt.counting_statistics(jt.Lindbladian(h, ends, rates=rates), open_engine.WEIGHTS)
        return found.current, found.noise

    rates = jnp.linspace(0.9, 1.1, count)[:, None] * jnp.array([0.4, 0.1, 0.1, 0.5])
    return Program(jax.vmap(one), (rates,), {"chains": count, "dimension": 2**spins})


MOTION = {
    "kets of a closed chain": (lambda small: kets(2, 2, 5) if small else kets(100, 6), True),
    "propagators of a chain": (lambda small: propagators(2, 1, 3) if small else propagators(100, 2), True),
    "driven qubits": (lambda small: driven(2, 1, 5) if small else driven(1000, 1), True),
    "driven chains": (lambda small: driven(2, 3, 5) if small else driven(100, 3), True),
    "Bloch-Redfield": (lambda small: redfield(2, 2) if small else redfield(100, 3), True),
}

STEADY = {
    "limit cycles, driven chain": (lambda small: cycles(2, 1) if small else cycles(100, 2), True),
    "counting, chain": (lambda small: counting(2, 2) if small else counting(100, 3), True),
}
