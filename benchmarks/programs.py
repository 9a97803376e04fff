"""The library's main programs as pure functions of numbers that may be traced, at a size that a caller chooses.

What is compiled for a GPU that is described (`compiled`), and lowered for one in the tests: the same functions. A
program's peer solves the same equation with dynamiqs, which is imported only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

import jaxtls as jt

from . import engine, heated, programs_baths, programs_open
from .kernels import Turns
from .peers_engine import Problem
from .program import Program


def springs(count: int, levels: int = 32, modes: int = 3, times: int = 21) -> Program:
    """Springs of other gamma, B and omega each, two periods."""
    ts = np.linspace(0.0, 4 * np.pi, times)

    def one(gamma: Array, splitting: Array, omega: Array) -> dict[str, Array]:
        model = jt.EntropicSpring(omega, splitting, gamma, beta=0.01, n_spins=20, n_levels=levels, n_modes=modes)
        return jt.evolve(model, model.coherent_state(1.0), ts, observables=["x", "x2"]).observables

    rng = np.random.default_rng(0)
    ranges = ((2.0, 20.0), (80.0, 120.0), (1.8, 2.1))
    drawn = tuple(jnp.asarray(rng.uniform(*bounds, count)) for bounds in ranges)
    size = {"springs": count, "levels": levels, "modes": modes, "times": times}
    # Four macro steps an interval, of one to four Strang steps each; back, all but the last once more, then each once.
    turns = {1: 4, 3: 2.5}
    back = {1: (4, 1), 2: (3, 4), 3: (2.5,), 4: (2.5, 2.5, 2.5)}
    return Program(jax.vmap(one), drawn, size, turns=turns, turns_back=back)


def pairs(count: int, times: int = 21) -> Program:
    """Two TLSs between baths, other numbers each."""
    drawn, ts = engine.Pairs.draw(count), np.linspace(0.0, 10.0, times)
    start = drawn.draw(1).problem()
    [p1] = start.observed.values()
    terms = np.stack([np.asarray(jt.Lindbladian(drawn.operators(*x)[0], []).hamiltonian(0.0)) for x in np.eye(3)])

    def one(splittings: Array, exchange: Array, rates: Array) -> Array:
        h, jumps = drawn.operators(*splittings, exchange)
        found = jt.mesolve(h, jumps, start.rho0, ts, [p1], rates=rates, save_states=False)
        return found.expects[0].real

    def peer() -> Callable[..., PyTree]:
        import dynamiqs as dq

        dq.set_precision("double")
        as_q = partial(dq.asqarray, dims=start.dims)

        def many(splittings: Array, exchange: Array, rates: Array) -> Array:
            numbers = jnp.concatenate([splittings, exchange[:, None]], 1)
            h = jnp.einsum("bk,kij->bij", numbers, jnp.asarray(terms))
            jumps = [as_q(jnp.sqrt(rate)[:, None, None] * op) for rate, op in zip(rates.T, engine.PAIR_JUMPS)]
            return _dynamiqs(as_q(h), jumps, start, ts, cartesian_batching=False)

        return many

    arguments = tuple(jnp.asarray(x) for x in (drawn.splittings, drawn.exchange, drawn.rates))
    size = {"problems": count, "times": times}
    return Program(jax.vmap(one), arguments, size, peer, taken={0: 1 / 10}, peer_turns={0: 50})


def kerr(levels: int, times: int = 101) -> Program:
    """A driven Kerr oscillator in a bath, from its detuning, nonlinearity and drive."""
    problem, terms, ts = engine.kerr(levels), engine.kerr_terms(levels), np.linspace(0.0, 10.0, times)
    [number] = problem.observed.values()

    def one(p: Array) -> Array:
        h = sum(x * jt.local((levels,), {0: term}) for x, term in zip(p, terms))
        return jt.mesolve(h, problem.jumps, problem.rho0, ts, [number], save_states=False).expects[0].real

    def peer() -> Callable[..., PyTree]:
        import dynamiqs as dq

        dq.set_precision("double")
        wrapped = [dq.asqarray(term, layout=dq.dia) for term in terms]
        jumps = [dq.asqarray(jump, layout=dq.dia) for jump in problem.jumps]
        return lambda p: _dynamiqs(sum(x * w for x, w in zip(p, wrapped)), jumps, problem, ts)

    start = jnp.array([engine.DELTA, engine.KERR, engine.DRIVE])
    # One search of 35 macro steps of 83 terms, 16 between two looks, and of some three outputs; again with slopes.
    turns: Turns = {0: 1, 1: 35, 2: (6, 1)}
    back: Turns = {0: (1, 35), 1: (35, 6, 1), 2: (6, 1)}
    size = {"levels": levels, "times": times}
    return Program(one, (start,), size, peer, turns, turns_back=back, peer_turns={0: 700})


def _dynamiqs(h: Any, jumps: list[Any], problem: Problem, ts: np.ndarray, **options: Any) -> Array:
    import dynamiqs as dq

    observed = [dq.asqarray(op, problem.dims) for op in problem.observed.values()]
    method = dq.method.Tsit5(rtol=engine.RTOL, atol=engine.ATOL, max_steps=100_000)
    rho0 = dq.asqarray(problem.rho0, problem.dims)
    found = dq.mesolve(
        h, jumps, rho0, ts, exp_ops=observed, method=method, save_states=False, progress_meter=False, **options
    )
    return found.expects.real


def heated_oscillator(levels: int, times: int = 41) -> Program:
    """The TLS-heated oscillator from its coupling and its bath's occupation."""
    ts = np.linspace(0.0, 4.0, times)

    def one(coupling: Array, n_bar: Array) -> Array:
        p = heated.PARAMETERS
        model = jt.TLSHeatedOscillator(p["omega_0"], p["splitting"], coupling, p["gamma"], n_bar, n_levels=levels)
        return jt.evolve(model, model.thermal_state(), ts, observables=["n"]).observables["n"]

    def peer() -> Callable[..., PyTree]:
        import dynamiqs as dq

        dq.set_precision("double")
        problem = heated.problem(levels)
        free = problem.hamiltonian
        a = np.diag(np.sqrt(np.arange(1.0, levels)), 1)
        push = np.kron(np.eye(2)[::-1], a + a.T)
        as_q = partial(dq.asqarray, dims=problem.dims, layout=dq.dia)
        lower = as_q(np.kron(engine.LOWER, np.eye(levels)))
        raising = as_q(np.kron(engine.LOWER.T, np.eye(levels)))
        first, second = as_q(free - heated.PARAMETERS["coupling"] * push), as_q(push)
        gamma = heated.PARAMETERS["gamma"]

        def solve(coupling: Array, n_bar: Array) -> Array:
            jumps = [jnp.sqrt(gamma * (n_bar + 1)) * lower, jnp.sqrt(gamma * n_bar) * raising]
            return _dynamiqs(first + coupling * second, jumps, problem, ts)

        return solve

    start = jnp.asarray(heated.PARAMETERS["coupling"]), jnp.asarray(heated.PARAMETERS["n_bar"])
    # 94 steps in 42 parts, once forwards; back in six blocks of 16, the first time through all that is in front.
    turns = {0: 42, 1: 2.24}
    back = {0: (42, 6), 1: (2.24, 28, 15.7)}
    size = {"levels": levels, "times": times}
    return Program(one, start, size, peer, turns, turns_back=back, peer_turns={0: 93})


def trajectories(count: int, levels: int = 2, times: int = 101) -> Program:
    """Quantum jumps of a driven qubit, or of a Kerr oscillator."""
    problem = engine.qubit() if levels == 2 else engine.kerr(levels, drive=1.0)
    ts, psi0 = np.linspace(0.0, 10.0, times), np.sqrt(np.diagonal(problem.rho0))
    [observed] = problem.observed.values()

    def averages(key: Array) -> Array:
        found = jt.trajectories(problem.hamiltonian, problem.jumps, psi0, ts, count, key, [observed])
        return found.mean[0].real

    def peer() -> Callable[..., PyTree]:
        import dynamiqs as dq
        import optimistix

        dq.set_precision("double")
        h, *jumps = (dq.asqarray(op, problem.dims) for op in (problem.hamiltonian, *problem.jumps))
        state, op = dq.asqarray(psi0[:, None], problem.dims), dq.asqarray(observed, problem.dims)
        method = dq.method.Event(root_finder=optimistix.Newton(rtol=1e-6, atol=1e-6))

        def solve(key: Array) -> Array:
            keys = jax.random.split(key, count)
            found = dq.jssesolve(h, jumps, state, ts, keys, exp_ops=[op], method=method, save_states=False)
            return jnp.mean(found.expects.real, 0)

        return solve

    size = {"trajectories": count, "dimension": problem.size, "times": times}
    # Eight between two looks, 112 of a qubit and 612 of an oscillator.
    groups, peer_turns = (14, 124) if levels == 2 else (77, 612)
    return Program(averages, (jax.random.key(1),), size, peer, {0: groups}, peer_turns={0: peer_turns})


def glass(n: int, times: int = 60, occupation: float = 0.3) -> Program:
    """Mean concurrence of all pairs of one open glass from its frequencies, couplings and rates."""
    drawn = jt.TLSGlass.sample(jax.random.key(0), n, occupation=occupation)
    bloch, ts = jt.random_bloch_vectors(jax.random.key(1), n), jnp.geomspace(1e-5, 1.0, times)

    def one(frequencies: Array, couplings: Array, rates: Array) -> Array:
        return jt.TLSGlass(frequencies, couplings, rates, occupation, 1.0).concurrence(bloch, ts)

    size = {"N": n, "pairs": n * (n - 1) // 2, "times": times}
    # All that may be entangled are one chunk.
    return Program(one, (drawn.frequencies, drawn.couplings, drawn.rates), size, turns={0: 1})


def steady_kerr(count: int, levels: int) -> Program:
    """Photon numbers of driven Kerr oscillators at rest, other detunings each."""
    terms, problem = engine.kerr_terms(levels), engine.kerr(levels)
    local = [jt.local((levels,), {0: term}) for term in terms]

    def one(x: Array) -> Array:
        h = x * local[0] + engine.KERR * local[1] + engine.DRIVE * local[2]
        return jt.expect(jnp.asarray(terms[0]), jt.steady_state(jt.Lindbladian(h, problem.jumps))).real

    detunings = jnp.asarray(engine.DELTA * np.linspace(0.9, 1.1, count))
    # Steps of the refinement.
    return Program(jax.vmap(one), (detunings,), {"oscillators": count, "levels": levels}, turns={0: 2})


def steady_chain(spins: int) -> Program:
    """The first spin of a dissipative Ising chain at rest, from its bonds."""
    problem, factors = engine.ising(spins), engine.ising_terms(spins)
    jumps = [jt.local(problem.dims, {k: engine.LOWER}) for k in range(spins)]
    [sz] = problem.observed.values()

    def one(bond: Array) -> Array:
        parts = zip((engine.FIELD, bond), factors)
        h = sum(x * jt.local(problem.dims, term) for x, part in parts for term in part)
        return jt.expect(jnp.asarray(sz), jt.steady_state(jt.Lindbladian(h, jumps))).real

    size, bond = {"spins": spins, "dimension": 2**spins}, jnp.asarray(engine.BOND)
    # Steps of the refinement, and of that of the transposed equation.
    return Program(one, (bond,), size, turns={0: 2}, turns_back={0: (2, 2)})


# name: the program, small (for tests and quick runs) or as a GPU is asked for it; whether its gradient counts, too.
Table = dict[str, tuple[Callable[[bool], Program], bool]]

MOTION: Table = {
    "two TLSs": (lambda small: pairs(3, 5) if small else pairs(100_000), False),
    "springs": (lambda small: springs(2, 12, 2, 5) if small else springs(1000), True),
    "trajectories of a qubit": (lambda small: trajectories(4, 2, 5) if small else trajectories(1000), False),
    "trajectories of 20 levels": (lambda small: trajectories(4, 6, 5) if small else trajectories(1000, 20), False),
    "glass": (lambda small: glass(5, 6) if small else glass(60), True),
    "heated oscillator": (lambda small: heated_oscillator(12, 5) if small else heated_oscillator(100), True),
    "Kerr oscillator": (lambda small: kerr(12, 5) if small else kerr(50), True),
}

STEADY: Table = {
    "steady states, Kerr": (lambda small: steady_kerr(2, 12) if small else steady_kerr(64, 30), True),
    "steady state, Ising chain": (lambda small: steady_chain(2) if small else steady_chain(5), True),
    **programs_open.STEADY,
}

PARTS: dict[str, Table] = {
    "motion": MOTION,
    "open": programs_open.MOTION,
    "steady": STEADY,
    "baths": programs_baths.MAIN,
}

MAIN: Table = {name: row for part in PARTS.values() for name, row in part.items()}
