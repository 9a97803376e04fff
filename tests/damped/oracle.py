"""The damped oscillator by brute force in NumPy and SciPy, knowing nothing of squeezing or of jaxtls."""

import numpy as np
from scipy.fft import fft, ifft
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.special import eval_hermite, gammaln


def pair_creation(omega, alpha, t, n_levels):
    """exp(-i H t), H = omega (n + 1/2) + i (alpha/2)(a^dagger^2 - a^2), dense."""
    a = np.diag(np.sqrt(np.arange(1, n_levels)), 1)
    h = omega * np.diag(np.arange(n_levels) + 0.5) + 0.5j * alpha * (a.T @ a.T - a @ a)
    return expm(-1j * h * t)


def level(n, x, width):
    """Real oscillator function of the given width."""
    xi = x / width
    log_norm = -0.5 * (n * np.log(2) + gammaln(n + 1) + 0.5 * np.log(np.pi) + np.log(width))
    return np.exp(log_norm - xi**2 / 2) * eval_hermite(n, xi)


def caldirola_kanai(psi, x, t, omega, alpha, force=lambda t: 0.0, steps=4000):
    """Split-step Schroedinger equation, e^(-2 l) p^2/2 + e^(2 l)(omega^2 x^2/2 - F x), l = int alpha; m = hbar = 1."""
    k = 2 * np.pi * np.fft.fftfreq(len(x), x[1] - x[0])
    h = t / steps
    contraction = solve_ivp(lambda t, y: [alpha(t)], (0, t), [0.0], rtol=1e-11, atol=1e-12, dense_output=True).sol
    for i in range(steps):
        middle = (i + 0.5) * h
        grow = np.exp(2 * contraction(middle)[0])
        half = np.exp(-0.5j * h * grow * (omega**2 * x**2 / 2 - force(middle) * x))
        psi = half * ifft(np.exp(-0.5j * h * k**2 / grow) * fft(half * psi))
    return psi


def classical(ts, x, v, omega, alpha, force=lambda t: 0.0):
    """(x(t), v(t)) of x'' + 2 alpha(t) x' + omega^2 x = F(t)."""
    sol = solve_ivp(
        lambda t, y: [y[1], force(t) - 2 * alpha(t) * y[1] - omega**2 * y[0]],
        (0, ts[-1]), [x, v], t_eval=ts, rtol=1e-11, atol=1e-13, method="DOP853",
    )  # fmt: skip
    return sol.y
