"""Faber expansion gives exp(h L) y for a linear autonomous model, by one product with L a term.

Let the spectrum of L lie in an ellipse, the image of the unit circle under psi(w) = c + s w + t/w. Then
    exp(h L) = sum_k a_k(h) F_k(L),   a_k = (1/2 pi i) oint exp(h psi(w)) w^(-k-1) dw,
where the Faber polynomials obey F_{k+1} = ((L - c) F_k - t F_{k-1})/s, stay bounded by 2 on the ellipse and are those
of Chebyshev on a segment. Some 2 h s terms and a dozen more reach any precision, with fewer products than an explicit
Runge-Kutta method needs for six digits. The ellipse changes the cost, not the answer, and the size of the last terms
tells whether it was too small.

Source: M. Eiermann, Numer. Math. 57, 435 (1990); H. Tal-Ezer, R. Kosloff, J. Chem. Phys. 81, 3967 (1984) (Chebyshev).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, DTypeLike, PyTree

from ..numerics import sums
from ..numerics.decays import decay
from ..numerics.frames import AbstractFramed
from ..numerics.namespace import namespace
from ..numerics.series import series
from .stepper import AbstractStepper

# Most terms of one macro step, and of one whose ellipse is not known when it is compiled.
MAX_TERMS = 160
TRACED_TERMS = 64
# Terms in a group that is skipped once the coefficients are negligible.
GROUP = 8
# Truncation error of a macro step as a share of rtol: a digit costs one or two terms.
SHARE = 1e-3


class Ellipse(eqx.Module):
    """Encloses eigenvalues with real part in [-damping, 0] and imaginary part in [-width, width] [1/time]."""

    damping: Any
    width: Any

    @property
    def centre(self) -> Any:
        return -self.damping / 2

    @property
    def capacity(self) -> Any:
        return (self.width + self.damping / 2) / 2

    @property
    def skew(self) -> Any:
        return (self.damping / 2 - self.width) / 2

    def widened(self, factor: ArrayLike) -> Ellipse:
        return jax.tree.map(lambda size: factor * size, self)


def coefficients(ellipse: Ellipse, h: ArrayLike, count: int, samples: int | None = None) -> Any:
    """Gives a_k(h), k < count, along a new last axis, by the trapezoidal rule on the unit circle, half of which mirrors
    the other (exact but for aliases of order `samples`).
    """
    xp = namespace(h)
    samples = samples or 2 * max(count, 32)
    angle = 2 * np.pi * np.arange(samples // 2 + 1) / samples
    # The real part is at most 0, and the ellipse upright or not.
    falls = ellipse.damping / 2 * (1 - np.cos(angle))
    turns = ellipse.width * np.sin(angle)
    times = xp.asarray(h)[..., None]
    fallen, turned = times * falls, times * turns
    values = np.exp(1j * turned - fallen) if xp is np else decay(jax.lax.complex(fallen, -turned))
    return xp.fft.hfft(values, samples)[..., :count] / samples


def weighed(ellipse: Ellipse, a: Array, used: Array | None = None) -> Array:
    """Gives what the recurrence multiplies its vectors by, of coefficients (..., K), or of the first so many."""
    count = a.shape[-1]
    if used is not None:
        a = jnp.where(jnp.arange(count) < used, a, 0.0)
    # F_k = 1 + (t/s)^k at the eigenvalue 0: what is conserved stays so to rounding.
    ratio = ellipse.skew / ellipse.capacity
    order = np.arange(count)
    at_rest = jnp.where(order == 0, 1.0, 1 + ratio**order)
    a = a / sums.weighted(a, at_rest)[..., None]
    # In U_k with F_k = U_k - (t/s) U_{k-2}, which obey the recurrence from the start.
    return a - ratio * jnp.concatenate([a[..., 2:], jnp.zeros((*a.shape[:-1], 2), a.dtype)], -1)


def enough(a: Array, tolerance: float) -> Array:
    """Says how many coefficients (K,) of a step leave out less than the tolerance, the same in all lanes of a vmap."""
    left = 2 * sums.tails(jnp.abs(jax.lax.stop_gradient(a)))
    return eqxi.unvmap_max(jnp.maximum(2, sums.count(left > tolerance)))


def terms(ellipse: Ellipse, h: float, tolerance: float) -> int:
    """Says how many terms leave out less than `tolerance`; NumPy numbers only."""
    size = 2 ** int(np.ceil(np.log2(6 * ellipse.capacity * h + 64)))
    tails = np.cumsum(np.abs(coefficients(ellipse, float(h), size // 2, size))[::-1])[::-1]
    return max(2, int(np.argmax(np.append(2 * tails, 0.0) <= tolerance)))


def plan(ellipse: Ellipse, durations: np.ndarray, rtol: float, unshared: int = 2**20) -> tuple[int, np.ndarray]:
    """Finds the terms, and the macro steps in each interval, with the fewest products of all; NumPy numbers only.

    Beyond `unshared` intervals the tolerance is shared among them, so that errors do not add up.
    """
    longest, tolerance = float(np.max(durations)), SHARE * rtol / max(1.0, len(durations) / unshared)
    count = max(1, int(np.ceil(longest * ellipse.capacity * 2 / MAX_TERMS)))
    while terms(ellipse, longest / count, tolerance) > MAX_TERMS:
        count += max(1, count // 8)
    return terms(ellipse, longest / count, tolerance), np.ceil(durations * count / longest - 1e-9).astype(int)


@functools.cache
def reach(count: int, tolerance: float) -> float:
    """Returns the largest h s for which `count` terms are enough, whatever the ellipse."""
    # A segment on the imaginary axis is the ellipse that needs most terms at equal capacity.
    reaches = np.linspace(count / 2, 1.0, 200)
    fits = [terms(Ellipse(0.0, 2.0), x, tolerance) <= count for x in reaches]
    return float(reaches[int(np.argmax(fits))])


def traced_counts(ellipse: Ellipse, durations: Array, rtol: float) -> Array:
    """Counts macro steps in each interval with `TRACED_TERMS` terms, where numbers are traced."""
    return _counts(ellipse, durations, reach(TRACED_TERMS, SHARE * rtol))


def counts_of(expansion: FaberExpansion, durations: Array) -> Array:
    """Counts macro steps in each interval with the terms of an expansion."""
    return _counts(expansion.ellipse, durations, reach(expansion.count, expansion.tolerance))


def _counts(ellipse: Ellipse, durations: Array, longest: float) -> Array:
    return jnp.maximum(1, jnp.ceil(durations * ellipse.capacity / longest - 1e-9)).astype(int)


class FaberExpansion(AbstractStepper):
    """Applies exp(h L) to an array by `count` terms; `propagators(h)` are the coefficients.

    `reduced` is z -> (L - c) z / s; `tidy` is applied before each macro step (it removes what rounding left) and
    `leak` measures what arrived where the basis ends. Within a macro step z is `split`, into real and imaginary part
    say, and `joined` after it: arrays put together at every term would cost more than the products. With `grouped`,
    terms that the coefficients make negligible are skipped in groups. The error is (size of the last terms, leak).
    """

    reduced: Callable[[Array], Array]
    tidy: Callable[[Array], Array]
    leak: Callable[[Array], Array]
    ellipse: Ellipse
    count: int = eqx.field(static=True)
    grouped: bool = eqx.field(static=True)
    tolerance: float = eqx.field(static=True)
    split: Callable[[Array], PyTree] = lambda z: z
    joined: Callable[[PyTree], Array] = lambda z: z
    # `reduced` in a form that suits reverse mode better, if there is one.
    wide: Callable[[PyTree], PyTree] | None = None
    # `reduced` on states in frames, if there is one, where they are not split.
    framed: AbstractFramed | None = None

    def pack(self, y: Array) -> Array:
        return y

    def unpack(self, z: Array) -> Array:
        return z

    def no_error(self, dtype: DTypeLike) -> Array:
        return jnp.zeros(2, dtype)

    def propagators(self, h: Array) -> Array:
        """Gives the coefficients of steps h, along a new last axis."""
        return weighed(self.ellipse, coefficients(self.ellipse, h, self.count))

    def ratio(self, dtype: DTypeLike) -> Array:
        """Gives the ratio of the recurrence."""
        return jnp.asarray(self.ellipse.skew / self.ellipse.capacity, dtype)

    def step(self, z: Array, propagators: Array) -> tuple[Array, Array]:
        weights, following, carry = self._first(z, propagators)

        def term(carry: tuple, weight: Array) -> tuple[tuple, None]:
            before, now, total = carry
            after = following(before, now)
            return (now, after, _plus(total, weight, after)), None

        if not self.grouped:
            (_, last, total), _ = jax.lax.scan(term, carry, weights[1:])
            return self._with_error(total, size_of(weights[-1], last))
        groups = jnp.pad(weights[1:], (0, (1 - self.count) % GROUP)).reshape(-1, GROUP)
        left = jax.lax.stop_gradient(jnp.cumsum(jnp.sum(jnp.abs(groups), 1)[::-1])[::-1])

        def group(carry: tuple, inputs: tuple) -> tuple[tuple, None]:
            weights, left = inputs
            needed = eqxi.unvmap_any(left > self.tolerance)

            def run(carry: tuple) -> tuple:
                moved, _ = jax.lax.scan(term, carry[:3], weights)
                return *moved, size_of(weights[-1], moved[1])

            return jax.lax.cond(needed, run, lambda carry: carry, carry), None

        start = (*carry, jnp.zeros((), z.real.dtype))
        (_, _, total, last), _ = jax.lax.scan(group, start, (groups, left))
        return self._with_error(total, last)

    def reversible_step(self, z: Array, propagators: Array) -> Array:
        """Gives the moved state alone, with a reverse of its own."""
        start = self.split(self.tidy(z))
        dtype = jax.tree.leaves(start)[0].dtype
        weights = propagators.astype(dtype)
        ratio = self.ratio(dtype)
        varied, rest = eqx.partition(eqx.filter_closure_convert(self.wide or self.reduced, start), eqx.is_inexact_array)
        others, static = eqx.partition(rest, eqx.is_array)
        apply = lambda varied, others, y: eqx.combine(varied, others, static)(y)
        unseen = lambda varied, others, y: ()
        used = jnp.asarray(self.count)
        if self.grouped:
            # Up to the last term that matters in any lane.
            still = jax.lax.stop_gradient(jnp.abs(weights))
            left = jnp.cumsum(still[::-1])[::-1]
            used = eqxi.unvmap_max(jnp.maximum(2, jnp.sum(left > self.tolerance)))
        return self.joined(series((apply, unseen), varied, others, ratio, weights, start, used)[0])

    def _first(self, z: Array, propagators: Array) -> tuple[Array, Callable, tuple]:
        """Give the weights, the recurrence, and (U_{-1}, U_0, the sum so far)."""
        start = self.split(self.tidy(z))
        dtype = jax.tree.leaves(start)[0].dtype
        weights = propagators.astype(dtype)
        ratio = self.ratio(dtype)

        # The backward pass keeps U_k alone.
        @functools.partial(jax.checkpoint, prevent_cse=False)
        def following(before: PyTree, now: PyTree) -> PyTree:
            return _plus(self.reduced(now), -ratio, before)

        zero = jax.tree.map(jnp.zeros_like, start)
        return weights, following, (zero, start, _plus(zero, weights[0], start))

    def _with_error(self, total: PyTree, last: Array) -> tuple[Array, Array]:
        z = self.joined(total)
        return z, jnp.stack([last, jax.lax.stop_gradient(self.leak(z))])


def _plus(total: PyTree, weight: Array, term: PyTree) -> PyTree:
    """Give total + weight * term."""
    return jax.tree.map(lambda a, b: a + weight * b, total, term)


def size_of(weight: Array, term: PyTree) -> Array:
    """Gives the largest number in a term of a sum."""
    sizes = (jnp.abs(jax.lax.stop_gradient(part)) for part in jax.tree.leaves(term))
    return jnp.abs(jax.lax.stop_gradient(weight)) * jnp.max(functools.reduce(jnp.maximum, sizes))
