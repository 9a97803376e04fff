"""Gives the exact answer that Eq. 23 approximates: an oscillator and a few hundred bath oscillators, all Gaussian."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, real, refused, require, times
from ..._types import Numbers
from ...numerics import lapack
from ...numerics.products import matmul
from .coefficients import _lines
from .density import DiscreteSpectralDensity, discretize
from .model import SpinBathOscillator
from .parameters import UNSTABLE


def exact_bath_moments(model: SpinBathOscillator, y0: Numbers, ts: Numbers, n_modes: int = 400) -> Array:
    r"""Computes moments of the oscillator with the whole bath kept, by normal modes: no Born or Markov approximation.

    The bath is oscillators of spectral density J tanh(w/2T) (J itself for `bath="oscillator"`) in the product state
    rho_S (x) thermal: to the order in the coupling at which TLSs are a Gaussian bath, they cannot be told apart
    (the Feynman-Vernon map). The difference from `model.propagate` is the error of the Born-Markov equation.

    Arguments:
        model: a `SpinBathOscillator`; its `static_diffusion` is not part of the bath and must be 0.
        y0: (5,), moments at ts[0].
        ts: (T,) ascending times; the last must come before the bath's finite number of modes shows.
        n_modes: bath modes that stand for a continuous J; a `DiscreteSpectralDensity` has its own.

    Returns:
        (T, 5): x, p, x2, p2, xp.

    Raises:
        ValueError: if the times are too long for n_modes, or the oscillator with its bath is unstable.

    Example:
        >>> J = OhmicSpectralDensity(gamma_0=1e-3, cutoff=5.0)
        >>> b = SpinBathOscillator(1.0, J, temperature=0.5)
        >>> y0, ts = b.moments_state(x=1.0), jnp.linspace(0.0, 10.0, 5)
        >>> bool(jnp.max(jnp.abs(exact_bath_moments(b, y0, ts) - b.propagate(y0, ts))) < 0.01)
        True

    Source: R. P. Feynman & F. L. Vernon, Ann. Phys. 24, 118 (1963); Schlosshauer, Hines & Milburn, Eqs. 20-22.
    """
    y0, ts = real("y0", y0), times("ts", ts)
    require(y0.shape == (5,), "y0", "have shape (5,)", y0.shape, "Build it with moments_state.")
    extra = concrete(model.static_diffusion)
    require(extra is None or bool(extra == 0), "static_diffusion", "be 0: no bath carries it", extra)
    listed = isinstance(model.spectral_density, DiscreteSpectralDensity)
    if not listed:
        span, scale = concrete(ts[-1] - ts[0]), concrete(model.omega_0)
        if span is not None and scale is not None:
            spacing = np.sqrt(2) * float(scale) * np.arcsinh(1e5) / n_modes
            longest = np.pi / spacing
            require(
                bool(span <= longest), "ts", f"span at most {longest:.3g} for n_modes = {n_modes}", float(span),
                f"Raise n_modes to {int(np.ceil(n_modes * span / longest))}.",
            )  # fmt: skip
    moments, stable = _exact(model, y0, ts, n_modes)
    known = concrete(stable)
    require(known is None or bool(known), "model", "be stable with its bath", "a runaway mode", UNSTABLE)
    return refused(moments, ~stable, UNSTABLE)


@eqx.filter_jit
def _exact(model: SpinBathOscillator, y0: Array, ts: Array, n_modes: int) -> tuple[Array, Array]:
    density = model.spectral_density
    if not isinstance(density, DiscreteSpectralDensity):
        density = discretize(density, n_modes, model.omega_0)
    w, eta, nu, static = _lines(density, model.temperature, model.bath)
    mass = model.mass
    # Unit masses: Q = sqrt(M) X, and c_k^2/(2 w_k) is the weight of a line in the dissipation kernel.
    c = jnp.sqrt(2 * w * eta)
    bare = model.omega_0**2 - (model.coefficients.frequency_shift if model.counter_term else 0.0)
    n = w.shape[0]
    k = jnp.zeros((n + 1, n + 1), w.dtype).at[jnp.arange(1, n + 1), jnp.arange(1, n + 1)].set(w**2)
    k = k.at[0, 0].set(bare).at[0, 1:].set(c / jnp.sqrt(mass)).at[1:, 0].set(c / jnp.sqrt(mass))
    squares, u = lapack.eigh(k)
    stable = squares[0] > 0
    # Of a runaway mode only the refusal above is seen; keep the roots real.
    f = jnp.sqrt(jnp.abs(squares))
    t = (ts - ts[0])[:, None]
    first = u[0]
    cos, sin = jnp.cos(f * t), jnp.sin(f * t)
    # Row 0 of cos(Omega t), sin(Omega t)/Omega, and their time derivatives, on all coordinates.
    rows = [matmul(first * part, u.T) for part in (cos, sin / f, -f * sin, cos)]
    (a, b, da, db), root = rows, jnp.sqrt(mass)
    x, p = y0[0], y0[1]
    mean_x, mean_p = a[:, 0] * x + b[:, 0] * p / mass, mass * da[:, 0] * x + db[:, 0] * p
    var_x, var_p, cov = y0[2] - x**2, y0[3] - p**2, y0[4] / 2 - x * p
    # Bath: <q^2> = (nu/eta)/(2 w), <p^2> = w (nu/eta)/2, of which nu alone is smooth where eta vanishes.
    quanta = nu / jnp.where(eta > 0, eta, 1.0)
    q2, p2 = quanta / (2 * w), quanta * w / 2

    def second(f1: Array, f2: Array, g1: Array, g2: Array, i: Array, j: Array) -> Array:
        own = f1[:, 0] * g1[:, 0] * i + f2[:, 0] * g2[:, 0] * j
        return own + jnp.sum(f1[:, 1:] * g1[:, 1:] * q2 + f2[:, 1:] * g2[:, 1:] * p2, 1)

    # own coordinates: Q = sqrt(M) X, P_Q = P/sqrt(M)
    vq, vp = mass * var_x, var_p / mass
    xx = second(a, b, a, b, vq, vp) / mass + 2 * a[:, 0] * b[:, 0] * cov / mass
    pp = second(da, db, da, db, vq, vp) * mass + 2 * da[:, 0] * db[:, 0] * cov * mass
    xp = second(a, b, da, db, vq, vp) + (a[:, 0] * db[:, 0] + b[:, 0] * da[:, 0]) * cov
    # A static part of the force (C_0) acts like a random constant push: <x> moves by the response to a unit force.
    push = matmul(first * (1 - cos) / f**2, first) / root
    speed = matmul(first * sin / f, first) * root
    xx, pp, xp = xx + static * push**2 / mass, pp + static * speed**2 / mass, xp + static * push * speed / mass
    moments = [mean_x, mean_p, xx + mean_x**2, pp + mean_p**2, 2 * (xp + mean_x * mean_p)]
    return jnp.stack(moments, 1), stable
