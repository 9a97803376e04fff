"""What runs inside jit, vmap and grad: the same equations by jaxtls and by dynamiqs, in both of its layouts.

Fits, ensembles and accelerators run no eager call. Each part is a row of that kind of work; times of jaxtls and its
peer take turns in one run, with first calls, memory and errors against a converged answer beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import transformed_models
from .engine import CONVERGED, DELTA, DRIVE, KERR, LOWER, SX, SZ, Pairs, ising, ising_terms, kerr, kerr_terms
from .harness import Row, compare, measure
from .peers_engine import embed
from .peers_transformed import LAYOUTS, Answer, Tuned, of_dynamiqs, of_jaxtls, of_plain_arrays, planned
from .settings import Settings
from .steady_rows import steady_rows

NOTE = "rtol=1e-6 atol=1e-8"
FIELD, BOND, LOSS = 5.0, 1.0, 0.2


# --- the problems ----------------------------------------------------------------------------------------------------


def _times(settings: Settings, end: float = 10.0) -> np.ndarray:
    return np.linspace(0.0, 0.3, 4) if settings.quick else np.linspace(0.0, end, 101)


def chain(n: int, ts: np.ndarray, envelope: Callable | None = None) -> Tuned:
    """n spins: a field along z, bonds sx sx times x (or half, and x f(t) on sum sx), loss; <sz> of the first."""
    dims = (2,) * n
    zeeman, bonds = (sum(embed(dims, factors) for factors in part) for part in ising_terms(n))
    jumps = [np.sqrt(LOSS) * embed(dims, {k: LOWER}) for k in range(n)]
    sums = sum(embed(dims, {k: SX}) for k in range(n))
    fixed = FIELD / 2 * zeeman if envelope is None else FIELD / 2 * zeeman + BOND / 2 * bonds
    slope = bonds if envelope is None else sums
    return Tuned(fixed, slope, jumps, np.eye(2**n)[0], embed(dims, {0: SZ}), ts, dims, envelope)


def kerr_tuned(n: int, ts: np.ndarray, envelope: Callable | None = None) -> Tuned:
    """The engine's Kerr oscillator, its drive multiplied by x (or by x f(t))."""
    problem, terms = kerr(n), kerr_terms(n)
    fixed = DELTA * terms[0] + KERR * terms[1]
    return Tuned(fixed, DRIVE * terms[2], problem.jumps, np.eye(n)[0], terms[0], ts, (n,), envelope)


def rotated(problem: Tuned, seed: int = 0) -> Tuned:
    """The same in a basis in which no operator has zeros."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(problem.size,) * 2))[0]
    turn = lambda a: q @ a @ q.T
    jumps = [turn(jump) for jump in problem.jumps]
    return Tuned(turn(problem.fixed), turn(problem.slope), jumps, q @ problem.psi0, turn(problem.observed),
                 problem.ts, problem.dims, problem.envelope)  # fmt: skip


# --- rows ------------------------------------------------------------------------------------------------------------


def answers(problem: Tuned, settings: Settings, plan_at: float | None = None, **options: Any) -> dict[str, Answer]:
    """Each solver's function of x, jaxtls first."""
    found: dict[str, Answer] = {"jaxtls": of_jaxtls(problem, **options)}
    if plan_at is not None:
        found["jaxtls, plan"] = of_jaxtls(problem, plan=planned(problem, plan_at, **options))
    if "dynamiqs" in settings.found():
        found |= {f"dynamiqs {layout}": of_dynamiqs(problem, layout) for layout in LAYOUTS}
    return found


def last(answer: Answer) -> Answer:
    """Its value at the last time, for gradients."""
    return lambda x: answer(x)[-1]


def slope_of(problem: Tuned, x: float, step: float = 1e-2) -> float:
    """d(last value)/dx by four values of converged runs."""
    value = lambda x: float(of_jaxtls(problem, **CONVERGED)(x)[-1])
    near, far = (value(x + k * step) - value(x - k * step) for k in (1, 2))
    return (8 * near - far) / (12 * step)


def rows(
    case: str, calls: Mapping[str, Callable[[], Any]], reference: Any, settings: Settings, size: Mapping[str, Any]
) -> Iterator[Row]:
    """Every call's time and its error in one answer."""
    named = {name: lambda call=call: {"value": call()} for name, call in calls.items()}
    yield from compare(case, named, {"value": reference}, size=size, repeats=settings.repeats, note=NOTE)


def value_and_gradient(case: str, problem: Tuned, solvers: Mapping[str, Answer], x: float, settings: Settings) -> Any:
    """Rows of jit and of jit(grad) of each solver."""
    size = {"dimension": problem.size, "times": len(problem.ts)}
    at = jnp.asarray(x)
    exact = of_jaxtls(problem, **CONVERGED)(x)
    yield from rows(f"{case}: jit", {k: partial(jax.jit(f), at) for k, f in solvers.items()}, exact, settings, size)
    slopes = {k: partial(jax.jit(jax.grad(last(f))), at) for k, f in solvers.items()}
    yield from rows(f"{case}: jit(grad)", slopes, slope_of(problem, x), settings, size)


def at_once(case: str, problem: Tuned, solvers: Mapping[str, Answer], xs: np.ndarray, settings: Settings) -> Any:
    """Rows of jit(vmap); errors of the last lane."""
    size = {"dimension": problem.size, "times": len(problem.ts), "batch": len(xs)}
    exact = of_jaxtls(problem, **CONVERGED)(float(xs[-1]))
    many = {k: jax.jit(jax.vmap(f)) for k, f in solvers.items()}
    lanes = {k: lambda f=f: f(jnp.asarray(xs))[-1] for k, f in many.items()}
    yield from rows(f"{case}: jit(vmap), {len(xs)} at once", lanes, exact, settings, size)


# --- parts -----------------------------------------------------------------------------------------------------------


def chains(settings: Settings) -> Iterator[Row]:
    """Chains of spins, 64 (32) at once, the bonds traced."""
    for n, lanes in ((2, 3),) if settings.quick else ((3, 64), (4, 64), (5, 32)):
        problem, xs = chain(n, _times(settings)), BOND * np.linspace(0.8, 1.2, lanes)
        solvers = answers(problem, settings, BOND)
        solvers["jaxtls, plain array"] = of_plain_arrays(problem)
        yield from at_once(f"chain of {2**n} levels", problem, solvers, xs, settings)


def oscillators(settings: Settings) -> Iterator[Row]:
    """Kerr oscillators: eager, jit, jit(grad), and 16 at once, the drive traced."""
    for n, lanes in ((12, 3),) if settings.quick else ((30, 16), (50, 16)):
        problem, case = kerr_tuned(n, _times(settings)), f"Kerr, {n} levels"
        solvers = answers(problem, settings, 1.2)
        exact, size = of_jaxtls(problem, **CONVERGED)(1.0), {"dimension": n, "times": len(problem.ts)}
        one = jnp.asarray(1.0)
        calls = {"jaxtls, eager": partial(solvers["jaxtls"], 1.0)}
        calls |= {f"{k}, jit": partial(jax.jit(solvers[k]), one) for k in ("jaxtls", "jaxtls, plan")}
        yield from rows(f"{case}: jit against eager", calls, exact, settings, size)
        yield from value_and_gradient(case, problem, solvers, 1.0, settings)
        yield from at_once(case, problem, solvers, np.linspace(0.8, 1.2, lanes), settings)


def driven(settings: Settings) -> Iterator[Row]:
    """Functions of time: a qubit, chains and Kerr oscillators under an oscillating drive, a qubit under a pulse."""
    cosine = lambda t, x: x * jnp.cos(FIELD * t)
    gauss = lambda t, x: x * jnp.exp(-((t - 5.0) ** 2))
    slow = lambda t, x: x * jnp.cos(1.3 * t)
    ts = _times(settings)
    problems = {"driven qubit": chain(1, ts, cosine), "pulsed qubit": chain(1, ts, gauss)}
    problems |= {f"driven chain of {2**n} levels": chain(n, ts, cosine) for n in ((2,) if settings.quick else (3, 5))}
    problems |= {f"driven Kerr, {n} levels": kerr_tuned(n, ts, slow) for n in ((6,) if settings.quick else (20, 50))}
    for case, problem in problems.items():
        yield from value_and_gradient(case, problem, answers(problem, settings), 1.0, settings)


def dense(settings: Settings) -> Iterator[Row]:
    """Operators without zeros: a Kerr oscillator in a dressed basis, by jit and eagerly with its plan."""
    for n in (8,) if settings.quick else (80, 100):
        problem = rotated(kerr_tuned(n, _times(settings, 2.0)))
        solvers = answers(problem, settings)
        solvers.pop("dynamiqs dia", None)
        calls = {k: partial(jax.jit(f), jnp.asarray(1.0)) for k, f in solvers.items()}
        calls["jaxtls, eager"] = partial(solvers["jaxtls"], 1.0)
        exact = of_jaxtls(problem, **CONVERGED)(1.0)
        yield from rows(f"dressed basis, {n} levels", calls, exact, settings, {"dimension": n})
        timing, _ = measure(partial(planned, problem, 1.0), repeats=1)
        yield Row.timed(f"dressed basis, {n} levels", "jt.plan", timing, size={"dimension": n})


def chains_of_ising(settings: Settings) -> Iterator[Row]:
    """The dissipative Ising chain of 7 and 8 spins beside dynamiqs."""
    for n in (2,) if settings.quick else (7, 8):
        problem = ising(n)
        ts = np.linspace(0.0, 0.2, 3) if settings.quick else np.linspace(0.0, 1.0, 11)
        tuned = Tuned(0.0 * problem.hamiltonian, problem.hamiltonian, problem.jumps, np.eye(2**n)[0],
                      problem.observed["sz"], ts, problem.dims)  # fmt: skip
        solvers, case, size = (
            answers(tuned, settings),
            f"Ising chain of {n} spins, a tenth of the span",
            {"dimension": 2**n},
        )
        if n > 7 and solvers.pop("dynamiqs dense", None) is not None:
            yield Row(case, "dynamiqs dense", size, note="left out: minutes a call")
        calls = {k: lambda f=f: f(1.0) for k, f in solvers.items()}
        yield from rows(case, calls, of_jaxtls(tuned, **CONVERGED)(1.0), settings, size)


def times_inside(settings: Settings) -> Iterator[Row]:
    """1000 pairs of TLSs whose times are made inside the compiled function, and by NumPy outside."""
    count = 5 if settings.quick else 1000
    pairs, ts = Pairs.draw(count), _times(settings)
    problem = pairs.problem()

    def one(splittings: Any, exchange: Any, rates: Any, ts: Any) -> Any:
        h, jumps = pairs.operators(*splittings, exchange)
        found = jt.mesolve(h, jumps, problem.rho0, ts, [problem.observed["p1"]], rates=rates, save_states=False)
        return found.expects[0].real

    numbers = [jnp.asarray(x) for x in (pairs.splittings, pairs.exchange, pairs.rates)]
    many = jax.vmap(one, in_axes=(0, 0, 0, None))
    outside = jax.jit(lambda *a: many(*a, ts))
    inside = jax.jit(lambda *a: many(*a, jnp.linspace(0.0, float(ts[-1]), len(ts))))
    exact = outside(*numbers)
    calls = {"NumPy's times": lambda: outside(*numbers), "made inside jit": lambda: inside(*numbers)}
    yield from rows(f"{count} pairs of TLSs", calls, exact, settings, {"batch": count, "times": len(ts)})


def memory(settings: Settings) -> Iterator[Row]:
    """Temporary memory of a vmap that returns its states, against what it returns."""
    n, lanes = (8, 3) if settings.quick else (60, 32)
    problem = kerr_tuned(n, np.array([0.0, 1.0]))

    def states(x: Any) -> Any:
        terms = [problem.fixed, (problem.slope, x)]
        return jt.mesolve(terms, problem.jumps, problem.psi0, problem.ts).states

    together, xs = jax.jit(jax.vmap(states)), jnp.linspace(0.8, 1.2, lanes)
    facts = together.lower(xs).compile().memory_analysis()
    timing, found = measure(lambda: together(xs), repeats=settings.repeats)
    returned = found.nbytes / 2**20
    extra = {} if facts is None else {"temporary_mib": facts.temp_size_in_bytes / 2**20, "returned_mib": returned}
    note = "" if facts is None else f"temporary {extra['temporary_mib']:.3g} MiB, returned {returned:.3g} MiB"
    size = {"dimension": n, "batch": lanes}
    yield Row.timed("memory of saved states", "jaxtls", timing, size=size, note=note, extra=extra)


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "chains": chains,
    "kerr": oscillators,
    "driven": driven,
    "steady": steady_rows,
    "times": times_inside,
    "dense": dense,
    "ising": chains_of_ising,
    "memory": memory,
    "heated": transformed_models.heated,
    "spring": transformed_models.spring,
}
