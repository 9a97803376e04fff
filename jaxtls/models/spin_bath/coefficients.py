"""Computes the four coefficients of Eq. 23: in the Markov limit for any J, and at finite times for single TLSs."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import concrete, real, require, warn
from ..._types import SpectralDensity
from .._thermal import lost_polarization, polarization, thermal_quanta
from .density import DiscreteSpectralDensity, OhmicSpectralDensity

# The half-shifted grid in u = ln(w/W) reaches this far; what lies beyond is e^-40 of a J that falls as 1/w.
_REACH = {4: 18.0, 8: 40.0}
# Largest share of an integral that may lie in the last e-fold of w at either end.
_TAIL = {4: 1e-5, 8: 3e-7}
# What principal values may err by, of their own size or (where they pass through zero) of a hundredth of their terms'.
_ACCURACY = 1e-6


class Coefficients(eqx.Module):
    """Holds the coefficients of Eq. 23 with hbar = 1.

    Attributes:
        frequency_shift: tilde Omega_0^2 [frequency^2], added to Omega_0^2.
        damping: gamma [frequency]; momentum is damped at 2 gamma.
        diffusion: D [energy mass frequency], of -D [X, [X, rho]].
        anomalous: f [frequency], of -f [X, [P, rho]].
    """

    frequency_shift: Array
    damping: Array
    diffusion: Array
    anomalous: Array


def principal_value(weight: Callable[[Array], Array], omega: Array, step: float) -> Array:
    r"""Computes P int_0^inf weight(w) / (w^2 - omega^2) dw by the trapezoidal rule in ln w, half a step off the pole.

        = sum_j h weight(w_j) w_j / (w_j^2 - omega^2),   w_j = omega e^((j + 1/2) h)

    Its nodes lie evenly about the pole, so the principal value is taken exactly, and the error falls as e^(-2 pi a/h)
    for a weight that is analytic within |Im ln w| < a (pi/2 for a Lorentz-Drude J at any temperature).

    Arguments:
        weight: function of an array of frequencies; must vanish at 0 and fall below w at large w.
        omega: pole [frequency], a scalar; differentiable.
        step: h, a Python float.

    Returns:
        The principal value, a scalar.

    Raises:
        ValueError: if the weight is not defined elementwise, or the integral does not converge.

    Example:
        >>> value = principal_value(lambda w: w / (4 + w**2), jnp.array(1.0), 0.1)
        >>> round(float(value), 10) == round(float(jnp.log(2.0) / 5), 10)
        True

    Source: F. Stenger, Numerical Methods Based on Sinc and Analytic Functions, Springer (1993).
    """
    u, w = _grid(omega, step)
    values = real("spectral_density", weight(w))
    require(
        values.shape == w.shape,
        "spectral_density",
        f"map frequencies (N,) to (N,), here {w.shape}",
        f"shape {values.shape}",
        "Write it with jnp functions, elementwise.",
    )
    return _rule(values, u, omega, step)


def _grid(omega: Array, step: float) -> tuple[np.ndarray, Array]:
    half = int(_REACH[omega.dtype.itemsize] / step)
    u = (np.arange(-half, half) + 0.5) * step
    return u, omega * jnp.exp(jnp.asarray(u, omega.dtype))


def _rule(values: Array, u: np.ndarray, omega: Array, step: float) -> Array:
    # w/(w^2 - W^2) = 1/(2 W sinh u): exact next to the pole.
    kernel = jnp.asarray(step / (2 * np.sinh(u)), omega.dtype)
    terms = kernel * values / omega
    known = concrete(terms)
    if known is not None and np.all(np.isfinite(known)):
        _look(known, step)
    return jnp.sum(terms)


def _look(known: np.ndarray, step: float) -> None:
    """Refuse an integral that does not converge, warn of one that the nodes may not resolve.

    Every third node makes the rule of three times the step. Where even that one is as good as asked, this one is.
    """
    terms = known.astype(np.float64)
    size = np.sum(np.abs(terms)) + 1e-300
    ends = np.array([np.sum(np.abs(terms[: int(1 / step)])), np.sum(np.abs(terms[-int(1 / step) :]))])
    require(
        bool(np.all(ends <= _TAIL[known.dtype.itemsize] * size)),
        "spectral_density",
        "fall towards w = 0 and above a cut-off, so that its integrals converge",
        f"a share of {ends[0] / size:.1e} below and {ends[1] / size:.1e} above all nodes",
        "Give it a high-frequency cut-off, such as OhmicSpectralDensity's.",
    )
    # Nodes j = 1 mod 3 about the centre are half-shifted too.
    centre = len(terms) // 2
    value, coarse = np.sum(terms), 3 * np.sum(terms[(np.arange(len(terms)) - centre) % 3 == 1])
    rounding = 4 * float(np.finfo(known.dtype).eps) * size
    if abs(coarse - value) > _ACCURACY * max(abs(value), 0.01 * size) + rounding:
        warn(
            "spectral_density has features too narrow for the quadrature nodes: its principal values may err by "
            f"more than 1e-6. Lower quadrature_step (now {step:g}) until this message goes; jumps and kinks (a hard "
            "cut-off, a table) need a very small one, or smoothing.",
        )


def markov(
    density: SpectralDensity | DiscreteSpectralDensity,
    omega: Array,
    mass: Array,
    temperature: Array,
    bath: str,
    static_diffusion: Array,
    step: float,
) -> Coefficients:
    """Gives the coefficients for t -> infinity; see `SpinBathOscillator.coefficients`."""
    if isinstance(density, DiscreteSpectralDensity):
        return _discrete_markov(density, omega, mass, temperature, bath, static_diffusion)
    spin = bath == "spin"
    at_omega = real("spectral_density", density(omega))
    require(at_omega.shape == (), "spectral_density", "map a scalar to a scalar", f"shape {at_omega.shape}")
    seen = polarization(omega, temperature)
    damping = np.pi / 2 * at_omega / (mass * omega) * (seen if spin else 1.0)
    diffusion = static_diffusion + np.pi / 2 * at_omega * (1.0 if spin else 1 / seen)
    if isinstance(density, OhmicSpectralDensity):
        # T = 0 in closed form; what temperature adds is a convergent integral, with no tail to cut as a Matsubara sum
        # has.
        share = density.mass / mass * density.gamma_0 / (1 + (omega / density.cutoff) ** 2)
        shift = -2 * share * density.cutoff
        anomalous = 2 * share / np.pi * jnp.log(density.cutoff / omega)
        if spin:
            lost = principal_value(lambda w: density(w) * w * lost_polarization(w, temperature), omega, step)
            shift += 2 / mass * lost
        else:
            anomalous += principal_value(lambda w: density(w) * thermal_quanta(w, temperature), omega, step) / mass
        return Coefficients(shift, damping, diffusion, anomalous)
    eta = (lambda w: density(w) * w * polarization(w, temperature)) if spin else (lambda w: density(w) * w)
    nu = density if spin else (lambda w: density(w) / polarization(w, temperature))
    shift = -2 / mass * principal_value(eta, omega, step)
    anomalous = principal_value(nu, omega, step) / mass
    return Coefficients(shift, damping, diffusion, anomalous)


def _lines(density: DiscreteSpectralDensity, temperature: Array, bath: str) -> tuple[Array, Array, Array, Array]:
    """Give frequencies, weights of the dissipation and of the noise kernel, and C_0 (which oscillators' baths lack)."""
    w, weight = density.splittings, density.weights
    seen = polarization(w, temperature)
    if bath == "spin":
        return w, weight * seen, weight, density.static_correlation(temperature)
    return w, weight, weight / seen, jnp.zeros_like(seen[0])


def _discrete_markov(
    density: DiscreteSpectralDensity, omega: Array, mass: Array, temperature: Array, bath: str, extra: Array
) -> Coefficients:
    """Take time averages: lines off resonance neither damp nor heat, they shift."""
    w, eta, nu, static = _lines(density, temperature, bath)
    pole = w**2 - omega**2
    known = concrete(pole)
    if known is not None:
        require(
            bool(np.all(known != 0)), "spectral_density", "have no TLS exactly at omega_0", np.asarray(w),
            "On resonance there is no Markov limit: use time_dependent=True.",
        )  # fmt: skip
    shift = -2 / mass * jnp.sum(eta * w / pole)
    anomalous = jnp.sum(nu / pole) / mass - static / (mass * omega**2)
    return Coefficients(shift, jnp.zeros_like(shift), jnp.zeros_like(shift) + extra, anomalous)


def finite_time(
    density: DiscreteSpectralDensity,
    t: Array,
    omega: Array,
    mass: Array,
    temperature: Array,
    bath: str,
    static_diffusion: Array,
) -> Coefficients:
    """Gives the coefficients after a time t since bath and oscillator met, in closed form; see
    `SpinBathOscillator.coefficients_at`."""
    w, eta, nu, static = _lines(density, temperature, bath)
    t = jnp.asarray(t, w.dtype)
    # int_0^t of cos and sin of (w -+ W) tau
    even_minus, even_plus = t * _sinc((w - omega) * t), t * _sinc((w + omega) * t)
    odd_minus, odd_plus = t * _cosc((w - omega) * t), t * _cosc((w + omega) * t)
    shift = -jnp.sum(eta * (odd_plus + odd_minus)) / mass
    damping = jnp.sum(eta * (even_minus - even_plus)) / (2 * mass * omega)
    diffusion = static_diffusion + static * t * _sinc(omega * t) + jnp.sum(nu * (even_minus + even_plus)) / 2
    anomalous = -(static * t * _cosc(omega * t) + jnp.sum(nu * (odd_plus - odd_minus)) / 2) / (mass * omega)
    return Coefficients(shift, damping, diffusion, anomalous)


def _sinc(x: Array) -> Array:
    return jnp.sinc(x / np.pi)


def _cosc(x: Array) -> Array:
    """Give the function (1 - cos x)/x = sin(x/2) sinc(x/2)."""
    return jnp.sin(x / 2) * _sinc(x / 2)
