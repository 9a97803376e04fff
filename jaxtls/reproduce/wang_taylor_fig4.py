"""Wang & Taylor, Fig. 4: the entropic share R_S of a phonon's stiffness in silica, against frequency and temperature.

Longitudinal phonons, the `TunnellingSolid` preset of vitreous silica (Berret & Meissner). The line is where the fastest
thermal TLS is as slow as the phonon, Gamma_max(k_B T) = omega_p. Measured, against what the paper says:
- "no entropic contribution for Gamma_max(k_B T) < omega_p": so by construction of the sum.
- "2.86e8 T^3 < omega_p" for that line: not found. The cited parameters give 1.05e8 T^3, and no reading of them gives
  the paper's number (dashed); both gamma scaled by 1.65 would. The prefactor's v^2 in the text must be v^5.
- "the maximum value of R_S is about 0.1 %": not found. It is 0.37 % here, reached far above the line, where R_S depends
  on neither axis any more; 0.1 % is met close to the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from .. import TunnellingSolid, plot
from ..models._constants import BOLTZMANN

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"omega": "rad/s", "temperature": "K"}
OMEGAS, TEMPERATURES = (1e5, 1e10), (0.03, 10.0)  # rad/s, K
PAPER_LINE = 2.86e8  # 1/(K^3 s)


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes R_S on a logarithmic grid.

    Arguments:
        quick: 161 x 161 points; False: 401 x 401.
        progress: not used: it takes a second.

    Returns:
        omega (W,) [rad/s], temperature (T,) [K]; entropic_ratio (W T,), omega slowest; line_omega (T,) [rad/s],
        where Gamma_max(kT) = omega.
    """
    counts = (161, 161) if quick else (401, 401)
    omega, temperature = (np.geomspace(*ends, n) for ends, n in zip((OMEGAS, TEMPERATURES), counts, strict=True))
    silica = TunnellingSolid.preset("silica")
    ratio = silica.entropic_ratio(jnp.asarray(omega)[:, None], jnp.asarray(temperature))
    line = silica.max_relaxation_rate(BOLTZMANN * temperature, temperature)
    return {
        "omega": omega,
        "temperature": temperature,
        "entropic_ratio": np.asarray(ratio).ravel(),
        "line_omega": np.asarray(line),
    }


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the map, with the line of the fastest thermal TLSs."""
    fig = plot.figure(6.6, 4.8)
    omega, temperature = data["omega"], data["temperature"]
    ratio = 100 * data["entropic_ratio"].reshape(len(omega), len(temperature))
    ax = plot.sweep(
        omega,
        temperature,
        np.where(ratio > 0, ratio, np.nan),
        labels=(r"phonon frequency $\omega_p$  [rad/s]", r"temperature $T$  [K]"),
        value_label=r"entropic spring parameter $R_S$  [%]",
        scale="loglog",
        levels=(0.1, 0.2, 0.3, 0.35),
        level_format="{:g} %",
        ax=fig.subplots(),
    )
    ax.collections[0].set_clim(0, None)
    ax.plot(
        data["line_omega"], temperature, color=plot.VERMILION, lw=1.8, label=r"$\Gamma_\mathrm{max}(k_B T) = \omega_p$"
    )
    ax.plot(
        PAPER_LINE * temperature**3,
        temperature,
        color=plot.BLACK,
        lw=1.2,
        ls="--",
        label=r"$2.86\times10^8\,T^3$ (paper)",
    )
    ax.text(0.97, 0.06, "no TLS follows", transform=ax.transAxes, ha="right", color="0.35", fontsize=9)
    ax.legend(loc="upper left", fontsize=8, framealpha=0.9)
    return fig
