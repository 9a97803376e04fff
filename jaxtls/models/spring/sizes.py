"""Says how many oscillator levels and excitation levels a run needs: a guess from theory, then a look at the result.

The fluctuating spring heats the oscillator parametrically, E -> E exp(kappa t) with kappa = 4 D Gamma/(Gamma^2 + 4
omega_eff^2) and D = sum p q omega_c^4/(4 N_c omega_eff^2), and spreads log E as fast: tails are log-normal, so levels
are needed exponentially in kappa t. The hierarchy falls off by eta = sqrt(p q/N) (omega^2/2) <x^2> / |Gamma + 2 i
omega_eff| a level, and enters c_0 as its square.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..._checks import concrete, is_traced, require
from .._thermal import coth_half
from . import grouping
from .hierarchy import count_indices
from .parameters import AbstractSpring, Spring

GRID = (24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384)
# Where nothing is known because parameters or times are traced.
TRACED_LEVELS = 96
TRACED_MODES = 4
MAX_MODES = 16
MAX_COEFFICIENTS = 400
ACCURACY = 1e-6
# From here on a step costs so much that fewer levels are worth a program of their own.
MANY_LEVELS = 40


def levels_for_amplitude(alpha: ArrayLike) -> int:
    """Counts Fock levels that hold |alpha> to double precision, or the traced default."""
    known = concrete(alpha)
    if known is None:
        return TRACED_LEVELS
    amplitude = float(np.abs(known))
    return _round_up(amplitude**2 + 7 * amplitude + 12)


def _round_up(n: float) -> int:
    return next((size for size in GRID if size >= n), GRID[-1] if n <= GRID[-1] else math.ceil(n / 64) * 64)


def relaxation(spring: AbstractSpring) -> tuple[np.ndarray, ...]:
    """Gives numbers behind the guesses: Gamma_c, p_c q_c, omega_c, N_c, omega_eff."""
    # Known numbers stay known inside a user's jit.
    with jax.ensure_compile_time_eval():
        p = np.asarray(spring.class_polarizations)
        rates = np.asarray(spring.spin_rates(jnp.zeros(1)))[:, 0]
        gammas = rates * np.asarray(coth_half(spring.beta * spring.class_splittings))
        counts = np.array([float(n) for n in spring.spin_counts])
        return gammas, p * (1 - p), np.asarray(spring.class_omegas), counts, np.asarray(spring.effective_frequency)


def first_levels(levels: int) -> int | None:
    """Counts the levels that may do while the oscillator is cold: two thirds of many, in fours; None where all are
    few."""
    return levels // 6 * 4 if levels >= MANY_LEVELS else None


def heating_exponent(spring: AbstractSpring) -> float:
    """Gives kappa, the rate at which <n> + 1/2 grows to order 1/N."""
    gammas, pq, omegas, counts, eff = relaxation(spring)
    diffusion = pq * omegas**4 / (4 * counts * eff**2)
    return float(np.sum(4 * diffusion * gammas / (gammas**2 + 4 * eff**2)))


def starting_modes(spring: AbstractSpring) -> int:
    """Guesses n_modes for "auto": from eta where numbers are known, else a safe static choice; no more than exact."""
    static = spring.known_spins
    exact = sum(static) if static is not None else MAX_MODES
    if is_traced(spring):
        return _affordable(spring, min(exact, TRACED_MODES))
    gammas, pq, omegas, counts, eff = relaxation(spring)
    x2 = 4.0 / (float(spring.mass) * eff)  # twice that of |alpha| = 1; the run's own diagnostics correct it
    per_class = np.sqrt(pq / counts) * float(spring.mass) * omegas**2 / 2 * x2 / np.hypot(gammas, 2 * eff)
    eta = min(float(np.linalg.norm(per_class)), 0.9)
    wanted = math.ceil(math.log(ACCURACY / 30) / (2 * math.log(max(eta, 1e-12))))
    return _affordable(spring, min(exact, MAX_MODES, max(1, wanted)))


def _affordable(spring: AbstractSpring, n_modes: int) -> int:
    """Lower n_modes until the multi-index fits; refuse where even one excitation does not."""
    while n_modes > 1 and count_indices(n_modes, spring.caps(n_modes)) > MAX_COEFFICIENTS:
        n_modes -= 1
    count = count_indices(n_modes, spring.caps(n_modes))
    require(
        count <= MAX_COEFFICIENTS,
        "n_spins",
        f"give at most {MAX_COEFFICIENTS} hierarchy coefficients to evolve",
        f"{spring.n_classes} classes, {count} coefficients at n_modes = {n_modes}",
        "Merge TLSs of like omega, splitting and gamma into classes (spring.grouped()).",
    )
    return n_modes


def starting_levels(spring: AbstractSpring, y0: Array, ts: Array) -> int:
    """Guesses n_levels for None: the initial state's, widened by the log-normal tail that heating makes in the run."""
    n0 = y0.shape[-1]
    if is_traced(spring, y0, ts):
        return max(n0, TRACED_LEVELS)
    population = np.real(np.diagonal(np.asarray(y0[0])))
    occupied = int(np.max(np.nonzero(population > 1e-9)[0], initial=8)) + 8
    kappa = heating_exponent(spring) * float(ts[-1] - ts[0])
    return max(n0, min(_round_up(occupied * math.exp(min(5.3 * kappa, 5.0))), 192))


def last_level_weight(spring: AbstractSpring, y: Array) -> Array:
    """Gives the square of the norm of the coefficients at the last kept level, in units of their Krawtchouk norms; 0
    where exact."""
    exponents = spring.exponents(y.shape[0])
    static = spring.known_spins
    top = int(exponents.sum(1).max())
    if static is not None and top >= sum(static):
        return jnp.zeros(())
    last = np.nonzero(exponents.sum(1) == top)[0]
    norms = jnp.ones(len(last))
    pq = spring.class_polarizations * (1 - spring.class_polarizations)
    for c, count in enumerate(spring.spin_counts):
        for i in range(int(exponents[:, c].max())):
            factor = (jnp.asarray(count, pq.dtype) - i) / (i + 1) * pq[c]
            norms = norms * jnp.where(
                exponents[last, c] > i, jnp.maximum(factor, 1e-300 if pq.dtype == jnp.float64 else 1e-37), 1.0
            )
    return jnp.sum(jnp.sum(jnp.abs(y[last]) ** 2, (1, 2)) / norms)


def resolve(
    spring: Spring, y0: Array, ts: Array, attempt: int, diagnostics: Mapping[str, Array] | None
) -> tuple[Spring, Array] | None:
    """Gives the model and state for the next attempt, or None when the last one was good enough (or nothing may be
    changed)."""
    if not is_traced(spring) and attempt == 0:
        bare = float(spring.omega_0) ** 2 - float(spring.softening)
        require(
            bare >= -1e-9,
            "omega_0",
            "leave omega_0^2 - softening >= 0, or the oscillator is unbound when all TLSs are down",
            bare,
            "Lower the couplings or raise omega_p.",
        )
    free_levels, free_modes = spring.n_levels is None, spring.n_modes == "auto"
    modes = int(spring.exponents(y0.shape[0]).sum(1).max())
    if attempt == 0:
        spring, y0 = grouping.gathered(spring, y0)
        modes = int(spring.exponents(y0.shape[0]).sum(1).max())
        if free_modes and not is_traced(spring):
            modes = max(modes, starting_modes(spring))
        levels = starting_levels(spring, y0, ts) if free_levels else y0.shape[-1]
        return _resized(spring, y0, levels, modes)
    if diagnostics is None or is_traced(spring, y0, ts, diagnostics):
        return None
    levels = y0.shape[-1]
    worst = {k: float(np.max(np.asarray(v))) for k, v in diagnostics.items()}
    # x^2 counts the lost population once for each level.
    if free_levels and worst["truncation"] * levels > ACCURACY and levels < GRID[-1]:
        levels = _round_up(levels * (1.3 if worst["truncation"] * levels < 100 * ACCURACY else 1.9))
    if free_modes and worst["hierarchy"] > ACCURACY / 10 and modes < MAX_MODES:
        static = spring.known_spins
        exact = sum(static) if static is not None else MAX_MODES
        modes = max(modes, _affordable(spring, min(modes + 2, exact, MAX_MODES)))
    found = _resized(spring, y0, levels, modes)
    return None if found[1].shape == y0.shape else found


def _resized(spring: Spring, y0: Array, levels: int, modes: int) -> tuple[Spring, Array]:
    """Put zeros where the larger basis has room: Fock levels above and exponents of higher total."""
    count = spring.indices(modes).size
    grow = levels - y0.shape[-1]
    if not grow and count == y0.shape[0]:
        return spring, y0
    y0 = jnp.pad(y0, ((0, count - y0.shape[0]), (0, grow), (0, grow)))
    return spring, y0


def resized(spring: Spring, y0: Array, n_coefficients: int, n_levels: int) -> tuple[Spring, Array]:
    """Gives spring and state of the sizes of a plan, with like classes gathered where that is known: zeros or less."""
    spring, y0 = grouping.gathered(spring, y0)
    count, levels = y0.shape[0], y0.shape[-1]
    if (count, levels) == (n_coefficients, n_levels):
        return spring, y0
    y0 = y0[:n_coefficients, :n_levels, :n_levels]
    grow, more = max(n_levels - levels, 0), max(n_coefficients - count, 0)
    return spring, jnp.pad(y0, ((0, more), (0, grow), (0, grow)))
