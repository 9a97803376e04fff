"""Gives two limits of the entropic spring in closed form, to check `evolve` against and to read its numbers by.

Both see the TLSs as a noise on the stiffness: k of them are up, N p on average, with variance N p q and memory
e^(-Gamma t), Gamma = A + G = gamma coth(beta B/2).
- `constant_rate_moments`: the rates do not depend on x (beta -> 0 at fixed beta B). Moments close: exact in N.
- `weak_coupling_rates`: first order in 1/N, slow beside Gamma and Omega = omega_eff, and first order in beta Omega.

Source: both are this library's, for Eq. 21 of C.-H. Wang and J. M. Taylor, "A quantum model for entropic springs".
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..._checks import amplitude, finite, require, size
from ..._types import Numbers
from ...numerics.exponential import expm1
from ...numerics.products import matmul
from .._thermal import bose
from .parameters import AbstractSpring

# Levels kept where N is larger or unknown; level m relaxes at m Gamma.
DEFAULT_MODES = 24


class Moments(NamedTuple):
    """Holds first and second moments of the oscillator, each with the shape of the times.

    Attributes:
        x, p: <x>, <p>.
        x2, p2: <x^2>, <p^2>.
        xp: <xp + px>/2.
    """

    x: Array
    p: Array
    x2: Array
    p2: Array
    xp: Array


class WeakCouplingRates(NamedTuple):
    """Holds the first order in 1/N; rates [frequency] hold at the start, from a coherent state, averaged over a period.

    Attributes:
        diffusion: D = p q omega^4/(4 N Omega^2), variance of the stiffness noise [frequency^2].
        relaxation: Gamma = gamma coth(beta B/2), the rate at which that noise forgets.
        energy_growth: d/dt log(<n> + 1/2).
        position_damping: decay rate of the amplitude of <x>.
        second_moment_damping: decay rate of |<a^2>|, the 2 Omega part of <x^2>; negative where it grows.
        impurity_slope: d/dt (1 - Tr rho_osc^2).
        frequency_shift: change of the frequency of <x> from Omega.
    """

    diffusion: Array
    relaxation: Array
    energy_growth: Array
    position_damping: Array
    second_moment_damping: Array
    impurity_slope: Array
    frequency_shift: Array


def constant_rate_moments(
    spring: AbstractSpring, alpha: Numbers, ts: Numbers, *, n_modes: int | None = None
) -> Moments:
    """Gives the oscillator's moments where TLSs flip at rates that do not depend on x: exact at any N and amplitude.

    With the rates of x = 0 every coupling of the hierarchy c_m is a commutator with x^2; moments of one degree close:
        d X_m = P_m/M,   d P_m = -2 (K X)_m,   with X_m = Tr x c_m, P_m = Tr p c_m,
        d XX_m = 2 XP_m/M,   d XP_m = PP_m/M - 2 (K XX)_m,   d PP_m = -4 (K XP)_m,   and -m Gamma of itself for each,
        (K X)_m = (M Omega^2/2 + d (q-p) m) X_m + d p q (N-m+1) X_(m-1) + d (m+1) X_(m+1),   d = M omega^2/2N.

    Arguments:
        spring: any spring with one class of TLSs; its rates are taken at x = 0.
        alpha: amplitude of the coherent start, real or complex.
        ts: times of any shape, 0 at the start [1/frequency].
        n_modes: largest m; None keeps N, or 24 where N is larger or traced.

    Returns:
        Moments, each with the shape of `ts`.

    Raises:
        ValueError: for a spring of several classes.

    Example:
        >>> from jaxtls import EntropicSpring
        >>> spring = EntropicSpring(omega=2.0, splitting=1e6, gamma=10.0, beta=1e-6, n_spins=10)
        >>> moments = constant_rate_moments(spring, 1.0, jnp.linspace(0.0, 6.0, 4))
        >>> moments.x2.shape, bool(moments.x2[0] > moments.x[0] ** 2)
        ((4,), True)

    Source: Eq. 21 at constant rates (this library's); compared with `evolve` in tests/spring/test_limits.py.
    """
    noise, ts, alpha = _noise(spring), finite("ts", ts), amplitude("alpha", alpha)
    n_modes = size("n_modes", n_modes or DEFAULT_MODES)
    if isinstance(spring.n_spins, int):
        n_modes = min(n_modes, int(spring.n_spins))
    return _moments(noise, spring.mass, spring.effective_frequency, alpha, ts, n_modes)


@partial(jax.jit, static_argnums=5)
def _moments(noise: _Noise, mass: Array, frequency: Array, alpha: Array, ts: Array, n_modes: int) -> Moments:
    # c_m in units of sqrt((N p q)^m / m!), so that both neighbours couple alike. None below reaches a row past N.
    m = jnp.arange(n_modes + 1.0)
    steps = jnp.sqrt(noise.pq * (m[:-1] + 1))
    stiffness = noise.shift * (
        jnp.diag(noise.asymmetry * m)
        + jnp.diag(steps * (noise.n - m[:-1]) / jnp.sqrt(noise.n), -1)
        + jnp.diag(steps * jnp.sqrt(noise.n), 1)
    ) + mass * frequency**2 / 2 * jnp.eye(n_modes + 1)
    one, zero, decay = jnp.eye(n_modes + 1), jnp.zeros((n_modes + 1,) * 2), -noise.relaxation * jnp.diag(m)

    first = jnp.block([[decay, one / mass], [-2 * stiffness, decay]])
    second = jnp.block(
        [
            [decay, 2 * one / mass, zero],
            [-2 * stiffness, decay, one / mass],
            [zero, -4 * stiffness, decay],
        ]
    )
    x, p = jnp.sqrt(2 / (mass * frequency)) * alpha.real, jnp.sqrt(2 * mass * frequency) * alpha.imag
    start_1 = jnp.stack([x, p])
    start_2 = jnp.stack([x**2 + 1 / (2 * mass * frequency), x * p, p**2 + mass * frequency / 2])

    def at(t: Array) -> Array:
        # c_0 alone is wanted, and alone is not zero at the start.
        less_one = (expm1(t * generator)[:: n_modes + 1, :: n_modes + 1] for generator in (first, second))
        return jnp.concatenate([start + matmul(e, start) for e, start in zip(less_one, (start_1, start_2))])

    x, p, x2, xp, p2 = (values.reshape(ts.shape) for values in jax.lax.map(at, ts.reshape(-1)).T)
    return Moments(x=x, p=p, x2=x2, p2=p2, xp=xp)


def weak_coupling_rates(spring: AbstractSpring, alpha: Numbers) -> WeakCouplingRates:
    """Says what N TLSs do to a coherent oscillation, to first order in 1/N: noise and delay of the stiffness.

    With X^2 = M Omega x^2 and Q = int_0^inf e^(-Gamma tau) X^2(-tau) dtau, turning at Omega, averaged over a period:
        d rho = -D [X^2, [Q, rho]] + (i/2) beta Gamma D [X^2, {Q, rho}] - W [X^2, [X^2, rho]].
    With n = |alpha|^2, L = D/(Gamma^2 + 4 Omega^2), S_0 = D/Gamma + W, S_2 = Gamma L + W, R_2 = beta Omega Gamma L:
        energy growth           4 S_2 - 4 R_2 (n+1)^2/(2n+1)
        <x> damping             S_0 - S_2 + R_2 (n+1)
        <x^2>, 2 Omega part     4 S_0 - 2 S_2 + R_2 (2n+3)
        impurity slope          4 n S_0 + (4n+2) (S_2 - R_2)
        frequency shift         -2 Omega L - beta (n+1) (D + Gamma^2 L/2)
    W = 0 for form="wang-taylor"; W = N (q G'^2/G + p A'^2/A)/(8 M^2 Omega^2) with ' = d/dx^2 for form="lindblad".
    R_2 is detailed balance between taking and giving 2 Omega, to first order: beta Omega (n+1) must be small.

    Arguments:
        spring: any spring with one class of TLSs; `n_spins` may be traced.
        alpha: amplitude of the coherent start, a number or an array.

    Returns:
        WeakCouplingRates, each with the shape of `alpha`.

    Raises:
        ValueError: for a spring of several classes.

    Example:
        >>> from jaxtls import EntropicSpring
        >>> spring = EntropicSpring(omega=1.9283, splitting=100.0, gamma=10.0, beta=0.01, n_spins=1000)
        >>> rates = weak_coupling_rates(spring, 1.0)
        >>> f"{rates.impurity_slope:.3e} {rates.position_damping:.2e}"
        '3.106e-04 8.89e-07'

    Source: second order in the coupling of Eq. 21 (this library's); what is left falls as 1/N in
    tests/spring/test_limits.py, at most 1.5 % of each rate at N = 500.
    """
    noise = _noise(spring)
    frequency, beta = spring.effective_frequency, spring.beta
    number = jnp.abs(amplitude("alpha", alpha)) ** 2
    diffusion = noise.pq * spring.class_omegas[0] ** 4 / (4 * noise.n * frequency**2)
    lorentzian = diffusion / (noise.relaxation**2 + 4 * frequency**2)
    white = _white_noise(spring, noise) if spring.form == "lindblad" else 0.0
    s0 = diffusion / noise.relaxation + white
    s2 = noise.relaxation * lorentzian + white
    r2 = beta * frequency * noise.relaxation * lorentzian
    shift = -2 * frequency * lorentzian - beta * (number + 1) * (diffusion + noise.relaxation**2 * lorentzian / 2)
    like = jnp.ones_like(number)
    return WeakCouplingRates(
        diffusion=diffusion * like,
        relaxation=noise.relaxation * like,
        energy_growth=4 * s2 - 4 * r2 * (number + 1) ** 2 / (2 * number + 1),
        position_damping=s0 - s2 + r2 * (number + 1),
        second_moment_damping=4 * s0 - 2 * s2 + r2 * (2 * number + 3),
        impurity_slope=4 * number * s0 + (4 * number + 2) * (s2 - r2),
        frequency_shift=shift,
    )


class _Noise(NamedTuple):
    """Describes the TLSs at x = 0: their number, p q, q - p, energy shift per x^2 and relaxation rate."""

    n: Array
    pq: Array
    asymmetry: Array
    shift: Array
    relaxation: Array


def _noise(spring: AbstractSpring) -> _Noise:
    require(
        spring.n_classes == 1,
        "spring",
        "have one class of TLSs",
        f"{spring.n_classes} classes",
        "Evolve a spring of several classes with jaxtls.evolve.",
    )
    p = spring.class_polarizations[0]
    n = jnp.asarray(spring.spin_counts[0], spring.omega.dtype)
    shift = spring.mass * spring.class_omegas[0] ** 2 / (2 * n)
    return _Noise(n, p * (1 - p), 1 - 2 * p, shift, spring.relaxation_rate())


def _white_noise(spring: AbstractSpring, noise: _Noise) -> Array:
    """Give W: the part of the Lindblad form's sandwich terms that acts on the oscillator without memory."""

    def rates(x2: Array) -> tuple[Array, Array]:
        gamma = spring.spin_rates(x2[None])[0, 0]
        occupation = bose(spring.beta * (spring.class_splittings[0] + noise.shift * x2))
        return gamma * (occupation + 1), gamma * occupation

    (down, up), (down_slope, up_slope) = jax.jvp(rates, (jnp.zeros(()),), (jnp.ones(()),))
    p = spring.class_polarizations[0]
    slopes = (1 - p) * up_slope**2 / up + p * down_slope**2 / down
    return noise.n * slopes / (8 * (spring.mass * spring.effective_frequency) ** 2)
