"""The excitation hierarchy: N spins as polynomials in a thermal spin s and an imbalance w, at a cost that ignores N.

    rho_spins (x) osc = sum_m c_m s^(N-m) w^m,   s = q D + p U,  w = U - D,
one exponent m_c per class of TLSs, sum_c m_c <= n_modes. For each pair (x, x') of oscillator positions every spin evolves alone
under a 2x2 generator on (s, w); its exponential is a closed form, and the flow of the whole hierarchy is its symmetric power.

Source: Wang & Taylor, "A quantum model for entropic springs", Eq. 21 and 23, rewritten in the basis (s, w).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .pairs import Pair, where


class IndexSet(NamedTuple):
    """The kept exponents (m_1 .. m_C), by rising total; `chains` lists them as runs along one class at a time.

    `chains[c]` is (R, L): row r holds the positions of (rest_r, m_c = 0, 1, ..), or M (an empty slot) past its end;
    `inverse[c]` is (M,): where each position stands in the flattened chains of class c.
    """

    exponents: np.ndarray
    chains: np.ndarray
    inverse: np.ndarray

    @property
    def size(self) -> int:
        return len(self.exponents)


@lru_cache(maxsize=64)
def index_set(n_modes: int, caps: tuple[int, ...]) -> IndexSet:
    """All exponents with m_c <= caps[c] and sum_c m_c <= n_modes, by rising total so that a larger set extends a smaller one.

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


def count_indices(n_modes: int, caps: tuple[int, ...]) -> int:
    """How many exponents `index_set` would hold, without building it."""
    ways = np.zeros(n_modes + 1, dtype=object)
    ways[0] = 1
    for cap in caps:
        ways = np.array([sum(ways[k - m] for m in range(min(k, cap) + 1)) for k in range(n_modes + 1)], dtype=object)
    return int(sum(ways))


class SpinGenerator(NamedTuple):
    """The 2x2 generator on (s, w) for each pair (x, x'), less the phase -i p D that all spins share (the harmonic part)."""

    ss: Pair
    sw: Pair
    ws: Pair
    ww: Pair


def spin_generator(
    x2: Array, delta: Array, p: Array, q: Array, splitting: Array, beta: Array, rate: Array, lindblad: bool
) -> SpinGenerator:
    """Generator of one class on the nodes: d/dt (s, w) coefficients, physics of Eq. 21 or its Lindblad form.

    Arguments:
        x2: squares of the nodes, (n,).
        delta: M omega^2 / (2 N), the energy shift per x^2.
        p, q: thermal populations of up and down.
        splitting, beta: B and the inverse temperature.
        rate: gamma(x) on the nodes, (n,).
        lindblad: jumps sqrt(A) s-, sqrt(G) s+ instead of the means {A, .}/2, {G, .}/2.
    """
    shift = beta * delta * x2
    occupation = 1 / jnp.expm1(beta * splitting + shift)
    down, up = rate * (occupation + 1), rate * occupation
    # q G - p A without cancellation: it is O(1/N), and N multiplies it.
    imbalance = -rate * q * jnp.expm1(shift) * occupation
    splits = delta * (x2[:, None] - x2[None, :])
    a, g, source = _mean(down), _mean(up), _mean(imbalance)
    if lindblad:
        # sqrt(A A') - (A + A')/2 = -(sqrt A - sqrt A')^2 / 2
        da = -((jnp.sqrt(down)[:, None] - jnp.sqrt(down)[None, :]) ** 2) / 2
        dg = -((jnp.sqrt(up)[:, None] - jnp.sqrt(up)[None, :]) ** 2) / 2
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


def symmetric_power_flow(generator: SpinGenerator, n_spins: Array, h: Array, length: int) -> Pair:
    """exp(h generator) on N spins: E[k, m] (L, L, n, n), taking c_m to c_k.

    s^(N-m) w^m goes to (e_ss s + e_ws w)^(N-m) (e_sw s + e_ww w)^m, so
      E[k, m] = e_ss^(N-m) sum_j C(m, j) e_sw^(m-j) e_ww^j C(N-m, k-j) (e_ws/e_ss)^(k-j).
    N enters through binomials and e_ss^N alone, so it may be a traced real number; log e_ss keeps its relative accuracy, as N
    multiplies it.
    """
    log_ss, ws, sw, ww = _exponential(generator, h)
    shrink = log_ss.scaled(-1.0).exp()
    raising = ws.times(shrink)
    one = Pair(jnp.ones_like(ws.re), jnp.zeros_like(ws.re))

    # Scans, not unrolled sums: their boundaries keep XLA from evaluating the chain above anew in every entry, which costs seconds
    # of compile time.
    def power(last: Pair, _: None) -> tuple[Pair, Pair]:
        return last.times(raising), last

    _, raises = jax.lax.scan(power, one, None, length=length)

    def column(carry: tuple[Pair, Pair], m: Array) -> tuple[tuple[Pair, Pair], Pair]:
        base, flips = carry  # e_ss^(N-m) and the coefficients of (e_sw s + e_ww w)^m
        chosen = jnp.stack([_binomial(n_spins - m, i) for i in range(length)])
        ups = Pair(raises.re * chosen[:, None, None], raises.im * chosen[:, None, None])
        total = _shifted(ups, 0).times(Pair(flips.re[0], flips.im[0]))
        for j in range(1, length):
            total = total.plus(_shifted(ups, j).times(Pair(flips.re[j], flips.im[j])))
        raised = sw.times(flips).plus(ww.times(_shifted(flips, 1)))
        return (base.times(shrink), raised), total.times(base)

    zeros = jnp.zeros((length - 1, *ws.re.shape), ws.re.dtype)
    start = Pair(jnp.concatenate([one.re[None], zeros]), jnp.concatenate([one.im[None], zeros]))
    first = (log_ss.scaled(n_spins).exp(), start)
    _, columns = jax.lax.scan(column, first, jnp.arange(length, dtype=ws.re.dtype))
    return Pair(columns.re.swapaxes(0, 1), columns.im.swapaxes(0, 1))


def _shifted(z: Pair, by: int) -> Pair:
    """Entries moved `by` places up along the first axis, zeros moved in."""

    def move(a: Array) -> Array:
        return jnp.pad(a, ((by, 0), (0, 0), (0, 0)))[: a.shape[0]] if by else a

    return Pair(move(z.re), move(z.im))


def _binomial(n: Array, k: int) -> Array:
    """n (n-1) .. (n-k+1) / k!, for real n."""
    out = jnp.ones_like(n)
    for i in range(k):
        out = out * (n - i) / (i + 1)
    return out


def _exponential(generator: SpinGenerator, h: Array) -> tuple[Pair, Pair, Pair, Pair]:
    """log e_ss, e_ws, e_sw, e_ww of exp(h generator), with relative accuracy in each.

    With d = (ww - ss)/2 and the root r = -d sqrt(1 + sw ws / d^2), the eigenvalues are lambda = ss + sw ws/(r - d), close to 0,
    and lambda - 2 r. No difference of close numbers is taken.
    """
    ss, sw, ws, ww = generator
    d = ww.minus(ss).scaled(0.5)
    still = (d.re == 0) & (d.im == 0)
    d = where(still, Pair(-jnp.ones_like(d.re), jnp.zeros_like(d.re)), d)
    product = sw.times(ws)
    ratio = product.over(d.times(d))
    root = d.times(Pair(1 + ratio.re, ratio.im).sqrt()).scaled(-1.0)
    coupling = product.over(root.minus(d))
    slow = ss.plus(coupling)
    z = root.scaled(2 * h)
    # phi = (1 - e^-z)/(2 r), with its series where z is small
    small = z.re**2 + z.im**2 < 1e-8
    one = Pair(jnp.ones_like(z.re), jnp.zeros_like(z.re))
    z_safe = where(small, one, z)
    series = one.minus(z.scaled(0.5)).plus(z.times(z).scaled(1 / 6))
    phi = where(small, series, z_safe.scaled(-1.0).expm1().scaled(-1.0).over(z_safe)).scaled(h)
    mixing = coupling.times(phi)
    log_ss = slow.scaled(h).plus(mixing.scaled(-1.0).log1p())
    scale = slow.scaled(h).exp()
    scaled_phi = scale.times(phi)
    entries = (
        log_ss,
        scaled_phi.times(ws),
        scaled_phi.times(sw),
        scale.times(z.scaled(-1.0).exp().plus(mixing)),
    )
    # A spin that neither relaxes nor feels x stays as it is.
    zero = one.scaled(0.0)
    return tuple(where(still, i, e) for i, e in zip((zero, zero, zero, one), entries))  # type: ignore[return-value]
