"""The engine on Lindblad equations of the user's own: solving, gradients, batches, steady states, trajectories.

Every time stands beside its error against a converged answer: jaxtls at rtol = 1e-10, checked here at small sizes
against SciPy's exponential of the sparse superoperator (the `check` rows), or SciPy itself. Warm repeats of jaxtls and
its peers take turns in one run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt

from . import peers_engine, work
from .harness import RTOLS, Row, compare, errors, measure
from .peers_engine import Answer, Problem, embed
from .settings import Settings

RTOL, ATOL = 1e-6, 1e-8
CONVERGED: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}
PEERS = ("dynamiqs dia", "dynamiqs dense", "qutip adams", "qutip vern7", "qutip tsit5 matrix form")
LONGEST = 60.0  # seconds of one call beyond which a peer is left out
NOTE = f"rtol={RTOL:g} atol={ATOL:g}"


# --- the problems, as plain matrices for all and as jaxtls' users write them -----------------------------------------

SX, SZ, LOWER = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]])
FIELD, BOND = 50.0, 25.0
DELTA, KERR, DRIVE, N_TH, GAMMA = 0.1, -0.05, 2.0, 0.2, 1.0


def ising_terms(n: int) -> list[list[dict[int, np.ndarray]]]:
    """The factors of sum_j sz_j and of sum_j sx_j sx_j+1."""
    return [[{k: SZ} for k in range(n)], [{k: SX, k + 1: SX} for k in range(n - 1)]]


def ising(n: int) -> Problem:
    """H = hz sum_j sz_j + Jx sum_j sx_j sx_j+1, loss at rate 1 on each site, all up; <sz> of the first."""
    dims = (2,) * n
    zeeman, bonds = (sum(embed(dims, factors) for factors in part) for part in ising_terms(n))
    jumps = [embed(dims, {k: LOWER}) for k in range(n)]
    rho0 = np.diag(np.eye(2**n)[0]).astype(complex)
    return Problem(FIELD * zeeman + BOND * bonds, jumps, rho0, {"sz": embed(dims, {0: SZ})}, dims)


def kerr_terms(n: int) -> list[np.ndarray]:
    """a†a, a†a†aa and a + a†."""
    a = np.diag(np.sqrt(np.arange(1.0, n)), 1)
    return [a.T @ a, a.T @ a.T @ a @ a, a + a.T]


def kerr(n: int, drive: float = DRIVE) -> Problem:
    """H = Delta a†a + U a†a†aa + F (a + a†) from the vacuum, in a bath; <a†a>."""
    terms, a = kerr_terms(n), np.diag(np.sqrt(np.arange(1.0, n)), 1)
    h = DELTA * terms[0] + KERR * terms[1] + drive * terms[2]
    jumps = [np.sqrt(GAMMA * (1 + N_TH)) * a, np.sqrt(GAMMA * N_TH) * a.T]
    return Problem(h, jumps, np.diag(np.eye(n)[0]).astype(complex), {"n": terms[0]}, (n,))


def _structured(dims: tuple[int, ...], terms: list[list[dict]], numbers: Any) -> Any:
    return sum(number * jt.local(dims, factors) for number, part in zip(numbers, terms) for factors in part)


def _jaxtls(problem: Problem, ts: Any, hamiltonian: Any, jumps: Any, **options: Any) -> Callable[[], Answer]:
    """`mesolve` as a user calls it."""
    observed = list(problem.observed.values())

    def solve() -> Answer:
        found = jt.mesolve(hamiltonian, jumps, problem.rho0, ts, observed, save_states=False, **options)
        return {name: found.expects[k].real for k, name in enumerate(problem.observed)}

    return solve


def _work(problem: Problem, ts: Any, operators: tuple, **options: Any) -> dict[str, float]:
    observed = list(problem.observed.values())
    found = jt.mesolve(*operators, problem.rho0, ts, observed, save_states=False, **options)
    return work.constant(problem, found.stats)


def _both_forms(problem: Problem, terms: list[list[dict]], numbers: Any) -> dict[str, tuple]:
    """(H, jumps) from products of small operators, and as dense arrays."""
    jumps: list = [jnp.asarray(jump) for jump in problem.jumps]
    if len(problem.dims) > 1:
        jumps = [jt.local(problem.dims, {k: LOWER}) for k in range(len(problem.dims))]
    structured = _structured(problem.dims, terms, numbers)
    dense = jnp.asarray(problem.hamiltonian), [jnp.asarray(jump) for jump in problem.jumps]
    return {"jaxtls": (structured, jumps), "jaxtls, dense operators": dense}


def _check(case: str, problem: Problem, ts: np.ndarray, operators: tuple) -> Row:
    timing, expected = measure(lambda: peers_engine.exact(problem, ts), repeats=1)
    found = measure(_jaxtls(problem, ts, *operators, **CONVERGED), repeats=1)[1]
    error = errors(found, expected, list(expected))
    size = {"dimension": problem.size, "times": len(ts)}
    return Row.timed(case, "SciPy exp(t L)", timing, size=size, error=error, note="error of jaxtls, rtol=1e-10")


# --- master equations against dynamiqs and QuTiP ---------------------------------------------------------------------


def _solving(
    settings: Settings, case: str, make: Callable[[int], tuple[Problem, dict[str, tuple]]], sizes: Mapping[str, Any]
) -> Iterator[Row]:
    """`make(k)` at each size against the peers; one that would take longer than `LONGEST` is left out, and said so."""
    [(name, ks)] = sizes.items()
    found = settings.found()
    ts = np.linspace(0.0, 0.2 if settings.quick else 10.0, 11 if settings.quick else 101)
    small = ks[0] if name == "N" else 12
    problem, forms = make(small)
    yield _check(f"{case}: check", problem, np.linspace(0.0, 0.2, 6), forms["jaxtls"])
    seconds: dict[str, list[tuple[int, float]]] = {}
    for k in ks:
        problem, forms = make(k)
        size = {name: k, "dimension": problem.size, "times": len(ts)}
        tight = {"rtol": RTOL, "atol": ATOL}
        calls = {form: _jaxtls(problem, ts, *operators, **tight) for form, operators in forms.items()}
        left_out = {}
        for peer in PEERS:
            if peer.split()[0] not in found:
                continue
            expected = _extrapolated(seconds.get(peer, []), problem.size)
            if expected > LONGEST:
                left_out[peer] = expected
            else:
                calls[peer] = peers_engine.solver(peer, problem, ts, RTOL, ATOL)
        reference = measure(_jaxtls(problem, ts, *forms["jaxtls"], **CONVERGED), repeats=1)[1]
        title = f"{case}, {name} = {k}"
        todo = {form: _work(problem, ts, operators, **tight) for form, operators in forms.items()}
        for row in compare(title, calls, reference, size=size, repeats=settings.repeats, note=NOTE, work=todo):
            assert row.warm is not None
            seconds.setdefault(row.name, []).append((problem.size, row.warm))
            yield row
        for peer, expected in left_out.items():
            yield Row(title, peer, size, note=f"left out: some {expected:.0f} s expected for one call")


def _extrapolated(seconds: list[tuple[int, float]], size: int) -> float:
    """Seconds at a larger dimension from the last two, growing at least as its square, the number of elements."""
    if not seconds:
        return 0.0
    last, warm = seconds[-1]
    power = 2.0
    if len(seconds) > 1:
        before, earlier = seconds[-2]
        power = max(power, float(np.log(warm / earlier) / np.log(last / before)))
    return warm * (size / last) ** power


def ising_chain(settings: Settings) -> Iterator[Row]:
    """A dissipative Ising chain, the published benchmark of QuantumToolbox.jl."""

    def make(n: int) -> tuple[Problem, dict[str, tuple]]:
        problem = ising(n)
        return problem, _both_forms(problem, ising_terms(n), (FIELD, BOND))

    yield from _solving(settings, "Ising chain", make, {"N": (2, 3) if settings.quick else tuple(range(2, 9))})


def kerr_oscillator(settings: Settings) -> Iterator[Row]:
    """A driven Kerr oscillator in a bath."""

    def make(n: int) -> tuple[Problem, dict[str, tuple]]:
        problem = kerr(n)
        return problem, _both_forms(problem, [[{0: term}] for term in kerr_terms(n)], (DELTA, KERR, DRIVE))

    yield from _solving(settings, "Kerr oscillator", make, {"levels": (20,) if settings.quick else (50, 100)})


def precision(settings: Settings) -> Iterator[Row]:
    """Work against precision: the Kerr oscillator."""
    found = settings.found()
    n, ts = (12, np.linspace(0.0, 0.2, 3)) if settings.quick else (50, np.linspace(0.0, 10.0, 101))
    problem, h = kerr(n), _structured((n,), [[{0: term}] for term in kerr_terms(n)], (DELTA, KERR, DRIVE))
    reference = _jaxtls(problem, ts, h, problem.jumps, rtol=1e-12, atol=1e-14)()
    for rtol in RTOLS[: 1 if settings.quick else None]:
        tight = {"rtol": rtol, "atol": 1e-2 * rtol}
        calls = {"jaxtls": _jaxtls(problem, ts, h, problem.jumps, **tight)}
        todo = {"jaxtls": _work(problem, ts, (h, problem.jumps), **tight)}
        for peer in ("dynamiqs dia", "qutip vern7", "qutip tsit5 matrix form"):
            if peer.split()[0] in found:
                calls[peer] = peers_engine.solver(peer, problem, ts, **tight)
        case, size = "work against precision: Kerr oscillator", {"levels": n, "times": len(ts), "rtol": rtol}
        yield from compare(case, calls, reference, size=size, repeats=settings.repeats, work=todo)


# --- gradients -------------------------------------------------------------------------------------------------------


def kerr_gradient(settings: Settings) -> Iterator[Row]:
    """d<n>(t)/d(Delta, U, F) in reverse mode; errors against SciPy's exponential of [[L, dL], [0, L]]."""
    found = settings.found()
    t = 0.2 if settings.quick else 10.0
    ts, p = np.array([0.0, t]), jnp.array([DELTA, KERR, DRIVE])
    for n in (12,) if settings.quick else (50, 100):
        problem, terms = kerr(n), kerr_terms(n)
        reference = peers_engine.exact_gradient(problem, terms, t)["n"]
        calls: dict[str, Callable] = {"jaxtls": partial(_kerr_slope(problem, terms, ts), p)}
        operators = _structured(problem.dims, [[{0: term}] for term in terms], np.asarray(p)), problem.jumps
        for peer in PEERS:
            if peer == "dynamiqs dia" and "dynamiqs" in found:
                slope = peers_engine.dynamiqs_gradient(terms, problem, ts, "dia", RTOL, ATOL)
                calls[peer] = partial(slope, p)
        named = {name: lambda call=call: dict(zip(("Delta", "U", "F"), call())) for name, call in calls.items()}
        yield from compare(
            f"Kerr oscillator, {n} levels: d<n>/d(Delta, U, F)",
            named,
            dict(zip(("Delta", "U", "F"), reference)),
            size={"levels": n, "t": t},
            repeats=settings.repeats,
            note=NOTE,
            work={"jaxtls": work.reverse(_work(problem, ts, operators, rtol=RTOL, atol=ATOL))},
        )


def _kerr_slope(problem: Problem, terms: list[np.ndarray], ts: np.ndarray) -> Callable:
    def loss(p: Any) -> Any:
        h = _structured(problem.dims, [[{0: term}] for term in terms], p)
        return _jaxtls(problem, ts, h, problem.jumps, rtol=RTOL, atol=ATOL)()["n"][-1]

    # Not inside jit: with known numbers the library chooses the window of levels and the number of terms.
    return jax.grad(loss)


# --- a batch of small problems ---------------------------------------------------------------------------------------

ONE_BY_ONE = 20
EXCITED = LOWER.T @ LOWER
PAIR = (2, 2)
PAIR_JUMPS = [embed(PAIR, {k: op}) for op in (LOWER, LOWER.T) for k in (0, 1)]


@dataclass(frozen=True)
class Pairs:
    """Two TLSs each: splittings (B, 2), exchange (B,), rates down and up of both baths (B, 4)."""

    splittings: np.ndarray
    exchange: np.ndarray
    rates: np.ndarray

    @classmethod
    def draw(cls, count: int, seed: int = 0) -> Pairs:
        rng = np.random.default_rng(seed)
        down, n_bar = rng.uniform(0.05, 0.3, (count, 2)), rng.uniform(0.0, 0.5, (count, 2))
        rates = np.concatenate([down * (1 + n_bar), down * n_bar], axis=1)
        return cls(rng.uniform(1.0, 3.0, (count, 2)), rng.uniform(0.1, 1.0, count), rates)

    def problem(self) -> Problem:
        """All of them as stacked matrices, the first TLS excited."""
        fields = np.einsum("bk,kij->bij", self.splittings, np.stack([embed(PAIR, {k: SZ / 2}) for k in (0, 1)]))
        jumps = [np.sqrt(rate)[:, None, None] * op for rate, op in zip(self.rates.T, PAIR_JUMPS)]
        rho0 = embed(PAIR, {0: EXCITED, 1: np.eye(2) - EXCITED}).astype(complex)
        flip = embed(PAIR, {0: LOWER.T, 1: LOWER}) + embed(PAIR, {0: LOWER, 1: LOWER.T})
        h = fields + self.exchange[:, None, None] * flip
        return Problem(h, jumps, rho0, {"p1": embed(PAIR, {0: EXCITED})}, PAIR)

    @staticmethod
    def operators(first: Any, second: Any, exchange: Any) -> tuple[Any, list[np.ndarray]]:
        """H and the jumps of one pair for jaxtls, from numbers that may be traced."""
        h = first * jt.local(PAIR, {0: SZ / 2}) + second * jt.local(PAIR, {1: SZ / 2})
        h = h + exchange * (jt.local(PAIR, {0: LOWER.T, 1: LOWER}) + jt.local(PAIR, {0: LOWER, 1: LOWER.T}))
        return h, PAIR_JUMPS


def batch(settings: Settings) -> Iterator[Row]:
    """Random pairs of TLSs: vmap of `mesolve` against dynamiqs' own batches; QuTiP takes them one by one."""
    found = settings.found()
    count = 10 if settings.quick else 1000
    pairs, ts = Pairs.draw(count), np.linspace(0.0, 1.0 if settings.quick else 10.0, 11 if settings.quick else 101)
    problem = pairs.problem()
    case, size = f"{count} pairs of TLSs in a batch", {"problems": count, "times": len(ts)}
    # From SciPy for every pair: the route that jaxtls takes here may be the same at every rtol.
    reference = {"p1": np.stack([peers_engine.exact(problem.member(k), ts)["p1"] for k in range(count)])}
    calls = {"jaxtls": _batched(pairs, problem, ts, rtol=RTOL, atol=ATOL)}
    for peer in PEERS if "dynamiqs" in found else ():
        if peer.startswith("dynamiqs"):
            calls[peer] = peers_engine.solver(peer, problem, ts, RTOL, ATOL)
    singles = min(ONE_BY_ONE, count)
    one_by_one = "qutip adams"
    if "qutip" in found:
        solvers = [peers_engine.solver(one_by_one, problem.member(k), ts, RTOL, ATOL) for k in range(singles)]
        padding = reference["p1"][singles:]
        calls[one_by_one] = lambda: {"p1": np.concatenate([np.stack([solve()["p1"] for solve in solvers]), padding])}
    todo = {"jaxtls": work.exponentials(problem.size, count, len(ts) - 1)}
    for row in compare(case, calls, reference, size=size, repeats=settings.repeats, note=NOTE, work=todo):
        if row.name == one_by_one:
            scale = count / singles
            row.first, row.warm, row.spread, row.ratio = (
                None if x is None else scale * x for x in (row.first, row.warm, row.spread, row.ratio)
            )
            row.note += f"; one by one, {singles} of them run and times multiplied by {scale:g}"
        yield row


def _batched(pairs: Pairs, problem: Problem, ts: np.ndarray, **options: Any) -> Callable[[], Answer]:
    def one(splittings: Any, exchange: Any, rates: Any) -> Any:
        h, jumps = pairs.operators(*splittings, exchange)
        return _jaxtls(problem, ts, h, jumps, rates=rates, **options)()["p1"]

    run = jax.jit(jax.vmap(one))
    parameters = [jnp.asarray(x) for x in (pairs.splittings, pairs.exchange, pairs.rates)]
    return lambda: {"p1": run(*parameters)}


# --- steady states ---------------------------------------------------------------------------------------------------


def steady(settings: Settings) -> Iterator[Row]:
    """Steady states and their gradient in one parameter, against a sparse factorisation in SciPy and QuTiP's direct."""
    found = settings.found()
    if "dynamiqs" in found:
        print("dynamiqs 0.3 has no steady states, its rows are left out")
    for n in (2,) if settings.quick else (5, 6):
        factors, problem = ising_terms(n), ising(n)
        jumps = [jt.local(problem.dims, {k: LOWER}) for k in range(n)]
        slope = sum(embed(problem.dims, factor) for factor in factors[1])
        make = lambda x, factors=factors, dims=problem.dims: _structured(dims, factors, (FIELD, x))
        yield from _steady(settings, found, f"Ising chain, N = {n}", problem, slope, make, jumps, BOND, "Jx")
    for n in (12,) if settings.quick else (50, 100):
        terms, problem = kerr_terms(n), kerr(n)
        make = lambda x, terms=terms: _structured((len(terms[0]),), [[{0: term}] for term in terms], (x, KERR, DRIVE))
        yield from _steady(settings, found, f"Kerr, {n} levels", problem, terms[0], make, problem.jumps, DELTA, "Delta")


def _steady(
    settings: Settings,
    found: list[str],
    case: str,
    problem: Problem,
    slope: np.ndarray,
    make: Callable[[Any], Any],
    jumps: Any,
    at: float,
    name: str,
) -> Iterator[Row]:
    [(answer, observed)] = problem.observed.items()
    op, turn = jnp.asarray(observed), itertools.count()
    derivative = f"d{answer}/d{name}"

    def value(x: Any) -> Any:
        return jt.expect(op, jt.steady_state(jt.Lindbladian(make(x), jumps))).real

    def where() -> Any:
        # New numbers at each call: the factors of the last ones are kept.
        return jnp.asarray(at * (1 + 1e-13 * next(turn)))

    functions = jax.jit(value), jax.jit(jax.value_and_grad(value))
    timing, exact = measure(lambda: peers_engine.exact_steady(problem, slope), repeats=1)
    reference = {**exact.values, derivative: exact.slopes[answer]}
    calls: dict[str, Callable] = {
        "jaxtls": lambda: {answer: functions[0](where())},
        "jaxtls with gradient": lambda: dict(zip((answer, derivative), functions[1](where()))),
    }
    if "qutip" in found:
        calls["qutip direct"] = peers_engine.qutip_steady(problem)
    case, size = f"steady state: {case}", {"dimension": problem.size}
    yield Row.timed(case, "SciPy sparse LU with gradient", timing, size=size, note="the reference")
    todo = {"jaxtls": work.factorisation(exact.filled), "jaxtls with gradient": work.factorisation(exact.filled, 2)}
    yield from compare(case, calls, reference, size=size, repeats=settings.repeats, work=todo)


# --- trajectories ----------------------------------------------------------------------------------------------------


def qubit() -> Problem:
    """A driven qubit that decays: H = sz/4 + sx, rate 1; its excited population, from the lower state."""
    lower = np.eye(2) - EXCITED
    return Problem(0.25 * SZ + SX, [LOWER], lower.astype(complex), {"up": EXCITED}, (2,))


def trajectories(settings: Settings) -> Iterator[Row]:
    """Averages of quantum-jump trajectories; errors against the master equation, to be held against `sem`."""
    found = settings.found()
    count = 20 if settings.quick else 1000
    ts = np.linspace(0.0, 1.0 if settings.quick else 10.0, 6 if settings.quick else 101)
    problems = {"driven qubit": qubit(), "Kerr, 20 levels, F = 1": kerr(6 if settings.quick else 20, drive=1.0)}
    for case, problem in problems.items():
        [name] = problem.observed
        psi0 = np.sqrt(np.diagonal(problem.rho0))
        ours = _jumps(problem, ts, psi0, count)
        calls: dict[str, Callable] = {"jaxtls": partial(_averages, name, ours)}
        calls |= {peer: peers_engine.jumps(peer, problem, ts, psi0, count) for peer in found}
        reference = {**peers_engine.exact(problem, ts), "sem": np.zeros(len(ts))}
        size = {"trajectories": count, "dimension": problem.size, "times": len(ts)}
        todo = {"jaxtls": work.trajectories(problem, float(jnp.sum(ours().steps)))}
        found_rows = compare(f"trajectories: {case}", calls, reference, size=size, repeats=settings.repeats, work=todo)
        for row in found_rows:
            assert row.error is not None
            row.note = f"sem: largest standard error; {name} off by {row.error[name] / row.error['sem']:.2g} of it"
            if row.name == "qutip":
                row.note += "; one process"
            yield row


def _jumps(problem: Problem, ts: np.ndarray, psi0: np.ndarray, count: int) -> Callable[[], Any]:
    """Our trajectories of a problem."""
    h, jumps, psi = jnp.asarray(problem.hamiltonian), list(problem.jumps), jnp.asarray(psi0)
    times, key, observed = jnp.asarray(ts), jax.random.key(0), [jnp.asarray(op) for op in problem.observed.values()]
    return lambda: jt.trajectories(h, jumps, psi, times, count, key, observed)


def _averages(name: str, run: Callable[[], Any]) -> Answer:
    found = run()
    return {name: found.mean[0].real, "sem": found.sem[0].real}


PARTS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "ising": ising_chain,
    "kerr": kerr_oscillator,
    "kerr-gradient": kerr_gradient,
    "batch": batch,
    "steady": steady,
    "trajectories": trajectories,
    "precision": precision,
}
