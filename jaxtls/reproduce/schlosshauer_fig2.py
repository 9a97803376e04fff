"""Schlosshauer, Hines & Milburn, Fig. 2: damping and diffusion of an oscillator against the temperature of its bath.

A bath of TLSs (solid) and one of oscillators (circles) of the same Ohmic density, in units of Omega_0; a vmap over T of
each. The normalised curves depend on neither gamma_0 nor the cut-off, for which the paper gives no numbers; (c) and (d)
are not in the paper and have cutoff = 5 Omega_0. Measured, against what the paper says:
- (a) "the spin-bath dissipation rate decreases with temperature": true, as tanh(Omega_0/2T); it is largest at T = 0,
  where the abstract has it "go to zero".
- (b) "the absence of any temperature dependence" of D: true. Drawn with the paper's D_0 = D_QBM(T = 0), which puts
  the spin bath at 2; that D_0 is no part of the bath in the Markov limit (see `SpinBathOscillator`), and without it the
  line is at 1.
- (c) the shift of Omega_0^2 fades with temperature for TLSs (0.55 is left at T = 5 Omega_0), and stays for oscillators.
- (d) the anomalous diffusion is constant for TLSs; for oscillators it falls, and changes sign at T = 1.2 Omega_0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .. import OhmicSpectralDensity, SpinBathOscillator, plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"temperature": "hbar Omega_0/k_B"}
GAMMA_0, CUTOFF = 0.01, 5.0
NAMES = ("damping", "diffusion", "frequency_shift", "anomalous")
LABELS = (
    r"$\gamma(T)\,/\,\gamma(0)$",
    r"$D(T)\,/\,D_\mathrm{QBM}(0)$",
    r"$\tilde\Omega_0^2(T)\,/\,|\tilde\Omega_0^2(0)|$",
    r"$f(T)\,/\,f(0)$",
)


def coefficients(bath: str, temperatures: Array, static_diffusion: float = 0.0) -> dict[str, np.ndarray]:
    """Gives the four coefficients of Eq. 23 at each temperature."""
    density = OhmicSpectralDensity(gamma_0=GAMMA_0, cutoff=CUTOFF)

    def at(temperature: Array) -> dict[str, Array]:
        model = SpinBathOscillator(1.0, density, temperature, bath=bath, static_diffusion=static_diffusion)
        found = model.coefficients
        return {name: getattr(found, name) for name in NAMES}

    return {name: np.asarray(values) for name, values in jax.jit(jax.vmap(at))(temperatures).items()}


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes both baths from T = 0 to 5 Omega_0.

    Arguments:
        quick: 101 temperatures; False: 501.
        progress: not used: it takes a second.

    Returns:
        temperature (T,) [Omega_0]; spin_ and oscillator_ damping, diffusion, frequency_shift, anomalous (T,), each over
        the size of its value in the oscillator bath at T = 0; the spin's diffusion with D_0 = D_QBM(T = 0).
    """
    temperatures = jnp.linspace(0.0, 5.0, 101 if quick else 501)
    brownian = coefficients("oscillator", temperatures)
    spin = coefficients("spin", temperatures, float(brownian["diffusion"][0]))
    found = {"temperature": np.asarray(temperatures)}
    for name in NAMES:
        unit = abs(brownian[name][0])
        found |= {f"spin_{name}": spin[name] / unit, f"oscillator_{name}": brownian[name] / unit}
    return found


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the panels (a) and (b) of the paper, and (c), (d) for the coefficients that it does not draw."""
    fig = plot.figure(8.6, 6.2)
    axes = fig.subplots(2, 2, sharex=True).ravel()
    t = data["temperature"]
    few = np.linspace(0, len(t) - 1, 21).astype(int)
    for ax, letter, name, label in zip(axes, "abcd", NAMES, LABELS, strict=True):
        ax.plot(t, data[f"spin_{name}"], color=plot.BLUE, lw=1.8, label="TLS bath")
        brownian = data[f"oscillator_{name}"]
        ax.plot(
            t[few], brownian[few], "o", mfc="white", mec=plot.VERMILION, ms=5, clip_on=False, label="oscillator bath"
        )
        ax.set_ylabel(label)
        ax.set_title(f"({letter})", loc="left", fontsize=10)
        plot.tidy(ax)
    axes[0].set_ylim(0, 1.1)
    axes[1].set_ylim(0, None)
    axes[2].set_ylim(-1.1, 0.05)
    for ax in axes[2:]:
        ax.set_xlabel(r"temperature $T$  [$\Omega_0 / k_B$]")
        ax.set_xlim(0, t[-1])
    axes[0].legend(frameon=False, loc="center right")
    return fig
