"""Builds the excitation hierarchy: N spins as polynomials in thermal spin s and imbalance w, at a cost that ignores N.

    rho_spins (x) osc = sum_m c_m s^(N-m) w^m,   s = q D + p U,  w = U - D,
one exponent m_c per class of TLSs, sum_c m_c <= n_modes. For each pair (x, x') of oscillator positions every spin
evolves alone under a 2x2 generator on (s, w); its exponential is a closed form, and the flow of the whole hierarchy is
its symmetric power.

Source: Wang & Taylor, "A quantum model for entropic springs", Eq. 21 and 23, rewritten in the basis (s, w).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._platform import platform
from .._thermal import bose
from .pairs import Pair

# exp of generators with |h M| up to some thousands: |h M| / 2^12 < 1, and 1/15! is round-off.
SQUARINGS = 12
TAYLOR = 14
# Entries of a column that a GPU makes in one kernel.
TOGETHER = 4


class IndexSet(NamedTuple):
    """Holds the kept exponents (m_1 .. m_C), by rising total; `chains` lists them as runs along one class at a time.

    `chains[c]` is (R, L): row r holds the positions of (rest_r, m_c = 0, 1, ..), or M (an empty slot) past its end;
    `inverse[c]` is (M,): where each position stands in the flattened chains of class c.
    """

    exponents: np.ndarray
    chains: np.ndarray
    inverse: np.ndarray

    @property
    def size(self) -> int:
        """Says how many exponents there are."""
        return len(self.exponents)


@lru_cache(maxsize=64)
def index_set(n_modes: int, caps: tuple[int, ...]) -> IndexSet:
    """Lists all exponents with m_c <= caps[c] and sum_c m_c <= n_modes, by rising total so that a larger set extends a
    smaller one.

    Example:
        >>> index_set(2, (2, 1)).exponents.tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]]
    """
    n_classes = len(caps)
    rows: list[tuple[int, ...]] = []

    def grow(prefix: tuple[int, ...], left: int) -> None:
        if len(prefix) == n_classes:
            rows.append(prefix)
            return
        for m in range(min(left, caps[len(prefix)]) + 1):
            grow((*prefix, m), left - m)

    grow((), n_modes)
    rows.sort(key=lambda row: (sum(row), row))
    position = {row: i for i, row in enumerate(rows)}
    length = n_modes + 1
    tables = []
    for c in range(n_classes):
        starts = [row for row in rows if row[c] == 0]
        table = np.full((len(starts), length), len(rows))
        for r, start in enumerate(starts):
            for m in range(length):
                table[r, m] = position.get((*start[:c], m, *start[c + 1 :]), len(rows))
        tables.append(table)
    n_rows = max(len(table) for table in tables)
    chains = np.stack([np.pad(t, ((0, n_rows - len(t)), (0, 0)), constant_values=len(rows)) for t in tables])
    flat = chains.reshape(n_classes, -1)
    inverse = np.stack([[int(np.argmax(flat[c] == i)) for i in range(len(rows))] for c in range(n_classes)])
    return IndexSet(np.array(rows).reshape(len(rows), n_classes), chains, inverse)


def caps(n_modes: int, counts: tuple[int | None, ...]) -> tuple[int, ...]:
    """Gives the largest exponent of each class: N_c where it is known (None: a traced number, taken as large)."""
    return tuple(n_modes if n is None else min(n, n_modes) for n in counts)


@lru_cache(maxsize=64)
def index_set_of_size(size: int, counts: tuple[int | None, ...]) -> IndexSet | None:
    """Gives the set with that many exponents, if any n_modes gives one."""
    sets = (index_set(n_modes, caps(n_modes, counts)) for n_modes in range(size))
    return next((found for found in sets if found.size == size), None)


def count_indices(n_modes: int, caps: tuple[int, ...]) -> int:
    """Counts the exponents that `index_set` would hold, without building it."""
    ways = np.zeros(n_modes + 1, dtype=object)
    ways[0] = 1
    for cap in caps:
        ways = np.array([sum(ways[k - m] for m in range(min(k, cap) + 1)) for k in range(n_modes + 1)], dtype=object)
    return int(sum(ways))


class SpinGenerator(NamedTuple):
    """Holds the 2x2 generator on (s, w) for each pair (x, x'), less the phase -i p D that all spins share (the harmonic
    part)."""

    ss: Pair
    sw: Pair
    ws: Pair
    ww: Pair


def spin_generator(
    x2: Array, delta: Array, p: Array, q: Array, splitting: Array, beta: Array, rate: Array, lindblad: bool
) -> SpinGenerator:
    """Makes the generator of one class on the nodes: d/dt (s, w) coefficients, physics of Eq. 21 or its Lindblad form.

    Arguments:
        x2: squares of the nodes, (n,).
        delta: M omega^2 / (2 N), the energy shift per x^2.
        p, q: thermal populations of up and down.
        splitting, beta: B and the inverse temperature.
        rate: gamma(x) on the nodes, (n,).
        lindblad: jumps sqrt(A) s-, sqrt(G) s+ instead of the means {A, .}/2, {G, .}/2.

    Returns:
        The four coefficients, (n, n) each.
    """
    shift = beta * delta * x2
    occupation = bose(beta * splitting + shift)
    down, up = rate * (occupation + 1), rate * occupation
    # q G - p A without cancellation: it is O(1/N), and N multiplies it.
    imbalance = -rate * q * jnp.expm1(shift) * occupation
    splits = delta * (x2[:, None] - x2[None, :])
    a, g, source = _mean(down), _mean(up), _mean(imbalance)
    if lindblad:
        n = bose(beta * splitting)
        da = _dephasing(rate, n + 1, -n * jnp.expm1(-shift))
        dg = _dephasing(rate, n, (n + 1) * jnp.expm1(shift))
    else:
        da = dg = jnp.zeros_like(a)
    return SpinGenerator(
        ss=Pair(q * dg + p * da, jnp.zeros_like(splits)),
        sw=Pair(da - dg, -splits),
        ws=Pair(source + q * q * dg - p * p * da, -p * q * splits),
        ww=Pair(-(a + g + p * da + q * dg), -(q - p) * splits),
    )


def _mean(f: Array) -> Array:
    return (f[:, None] + f[None, :]) / 2


def _difference(f: Array) -> Array:
    return f[:, None] - f[None, :]


def _dephasing(rate: Array, occupation: Array, excess: Array) -> Array:
    """Give sqrt(A A') - (A + A')/2 = -(sqrt A - sqrt A')^2 / 2 of A = rate occupation / (1 + excess).

    A differs by O(1/N) from node to node: of its rounded values the last digits would be left, and their squares always
    add up. So the excess over the value at x = 0 keeps its own digits.
    """
    root = jnp.sqrt(1 + excess)
    lack = -excess / (1 + excess + root)  # 1/root - 1
    amplitude = jnp.sqrt(rate)
    apart = _difference(amplitude) * (1 + _mean(lack)) + _mean(amplitude) * _difference(lack)
    return -occupation * apart**2 / 2


@partial(jax.jit, static_argnames="length")
def symmetric_power_flow(generator: SpinGenerator, n_spins: Array, h: Array, length: int) -> Pair:
    """Gives exp(h generator) - 1 on N spins: E[k, m] (L, L, n, n), what c_m adds to c_k.

    s^(N-m) w^m goes to (e_ss s + e_ws w)^(N-m) (e_sw s + e_ww w)^m: column m holds the first L coefficients of this
    polynomial in w, and follows from column m - 1 by one product with (e_sw s + e_ww w) and one division by (e_ss s +
    e_ws w). N enters through e_ss^N and the binomials of column 0 alone, so it may be a traced real number; log e_ss
    keeps its relative accuracy, as N multiplies it, and E[0, 0], by which the oscillator alone dephases, keeps that.
    """
    less_ss, sw, ws, less_ww = _expm1(generator, h)
    log_ss = less_ss.log1p()
    one = Pair(jnp.ones_like(ws.re), jnp.zeros_like(ws.re))
    ww = one.plus(less_ww)
    inverse = one.over(one.plus(less_ss))
    raising = ws.times(inverse)

    # Scans, not unrolled sums: XLA would evaluate the chain above anew in every entry, at seconds of compile time. A
    # GPU makes a few entries in one kernel.
    together = 1 if platform() == "cpu" else TOGETHER

    def binomial(last: Pair, k: Array) -> tuple[Pair, Pair]:
        return last.times(raising).scaled((n_spins - k) / (k + 1)), last

    orders = jnp.arange(length, dtype=ws.re.dtype)
    power = log_ss.scaled(n_spins)
    _, first = jax.lax.scan(binomial, power.exp(), orders)

    def column(current: Pair, _: None) -> tuple[Pair, Pair]:
        def entry(last: tuple[Pair, Pair], here: Pair) -> tuple[tuple[Pair, Pair], Pair]:
            below, out = last
            out = sw.times(here).plus(ww.times(below)).minus(ws.times(out)).times(inverse)
            return (here, out), out

        zero = one.scaled(0.0)
        return jax.lax.scan(entry, (zero, zero), current, unroll=together)[1], current

    _, columns = jax.lax.scan(column, first, None, length=length)
    # N may be data and less than the number of levels kept: there are no terms beyond s^0 w^N, but round-off would find
    # some.
    exists = orders <= n_spins + 1e-6
    mask = (exists[:, None] & exists[None, :])[:, :, None, None]
    alone = power.expm1()
    identity = jnp.eye(length, dtype=ws.re.dtype)[:, :, None, None]
    real = (columns.re.swapaxes(0, 1) - identity).at[0, 0].set(alone.re)
    return Pair(
        jnp.where(mask, real, -identity),
        jnp.where(mask, columns.im.swapaxes(0, 1), 0.0),
    )


def _expm1(generator: SpinGenerator, h: Array) -> SpinGenerator:
    """Give U = exp(h generator) - 1 of each 2x2 generator, with relative accuracy in each entry.

    Taylor series of the 2^SQUARINGS-th part, then U -> 2 U + U^2: no difference of close numbers is taken, so U_ss,
    which is O(1/N) and is multiplied by N later, keeps its digits; and no root or branch is met, so derivatives are
    smooth everywhere.
    """
    small = SpinGenerator(*(part.scaled(h / 2**SQUARINGS) for part in generator))

    def taylor(u: SpinGenerator, order: Array) -> tuple[SpinGenerator, None]:
        # Horner: u <- (small + small u) / order
        return _map(lambda a, b: a.plus(b).scaled(1 / order), small, _product(small, u)), None

    def square(u: SpinGenerator, _: None) -> tuple[SpinGenerator, None]:
        return _map(lambda a, b: a.scaled(2.0).plus(b), u, _product(u, u)), None

    zero = _map(lambda a: a.scaled(0.0), small)
    u, _ = jax.lax.scan(taylor, zero, jnp.arange(TAYLOR, 0, -1, dtype=small.ss.re.dtype))
    return jax.lax.scan(square, u, None, length=SQUARINGS)[0]


def _map(f: Callable[..., Pair], *generators: SpinGenerator) -> SpinGenerator:
    return SpinGenerator(*(f(*parts) for parts in zip(*generators)))


def _product(a: SpinGenerator, b: SpinGenerator) -> SpinGenerator:
    """Multiply matrices; "ws" is the coefficient of w in the image of s, so the matrix is [[ss, sw], [ws, ww]]."""
    return SpinGenerator(
        ss=a.ss.times(b.ss).plus(a.sw.times(b.ws)),
        sw=a.ss.times(b.sw).plus(a.sw.times(b.ww)),
        ws=a.ws.times(b.ss).plus(a.ww.times(b.ws)),
        ww=a.ws.times(b.sw).plus(a.ww.times(b.ww)),
    )
