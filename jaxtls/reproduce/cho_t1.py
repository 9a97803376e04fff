"""Cho et al., arXiv:2211.08535: T1 of a qubit against the number of its TLSs that are kept, of 10^6.

The paper draws a million TLSs on the surface of a transmon and keeps the 200 that are coupled most strongly in a
Lindblad simulation; its abstract, all of it that was read, says that these 200 "can accurately describe" T1. Here all
are kept: golden rule and Solomon equations, and the exact amplitude for 200. The field map is not the paper's:
F ~ 1/sqrt(r) at the edge of a film, 3 nm < r < 30 um, in a layer of 3 nm. P_bar is that of silica, p is 1 Debye, a band
of 1 GHz about 5 GHz holds the 10^6 TLSs, each of T1 = 1 us; the participation of the layer is 0.2 %.
Measured in 20 realizations of the disorder (full size; in brackets the four of the quick size):
- The 200 largest couplings alone make T1 1.1 to 550 times too long, 63 times in the middle (8 to 200), and 20 000 of
  them still 1.05 to 2.8 times (1.3 to 1.9): they lie 5 MHz apart, where a line is 0.16 MHz wide, so few are near the
  qubit. Not reproduced with this map.
- The 200 TLSs with the largest share of the rate, strong and near, give T1 to 1 to 17 % (5 to 14 %), 2000 to 0.2 to
  2 % (1 %): T1 saturates near 200 if "most strongly coupled" counts the detuning, which the abstract does not say.
- With all, Solomon equations and golden rule agree to 0.2 % of the population: no TLS keeps its energy for long.
- The exact amplitude of the 200 leaves their Solomon equations by 1.4 % of the population at most, at 6 us.
- T1 is 12 to 148 us from one qubit to the next (48 to 124 us), the mean rate 1/52 us, with an error of a quarter;
  omega F tan delta of the same map gives 1/59 us.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from .. import TLSBath, TunnellingSolid, plot
from ..models.tls_bath import expected_tls, filling_factor, loss_tangent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"kept": "", "t": "us"}
COUNT = 1_000_000
QUICK, FULL = 4, 20
DEBYE, PERMITTIVITY, OXIDE = 3.33564e-30, 3.9, 3e-9
W, HALF_BAND, LIFETIME = 2 * math.pi * 5e9, math.pi * 1e9, 1e-6
PARTICIPATION = 2e-3
KEPT = 200


def field_map(solid: TunnellingSolid) -> tuple[np.ndarray, np.ndarray]:
    """Gives fields [V/m] and volumes [m^3] of the layer at an edge: F ~ r^(-1/2); COUNT TLSs in the band."""
    edges = np.geomspace(3e-9, 30e-6, 81)
    r = np.sqrt(edges[1:] * edges[:-1])
    one = float(expected_tls(solid, volumes=[1.0], band=(W - HALF_BAND, W + HALF_BAND)))
    volumes = np.diff(edges) / np.ptp(edges) * COUNT / one
    fields = r**-0.5
    share = float(filling_factor(fields, volumes, PERMITTIVITY, W))
    return fields * math.sqrt(PARTICIPATION / share), volumes


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes T1 against TLSs kept, by two rankings, and the decay with all and with few.

    Arguments:
        quick: 4 realizations; False: 20.
        progress: not used: seconds a realization.

    Returns:
        kept (K,); by_coupling_r0, by_rate_r0, ... (K,): T1 of those kept over T1 of all, a column a realization; t (T,)
        [us]; solomon_all, solomon_200, golden_all, exact_200 (T,) of the first; rate (R,) and expected_rate [1/us].
    """
    solid = TunnellingSolid.preset("silica")
    fields, volumes = field_map(solid)
    kept = np.unique(np.round(np.geomspace(1, COUNT, 61)).astype(int))
    band = (W - HALF_BAND, W + HALF_BAND)
    found: dict[str, np.ndarray] = {"kept": kept.astype(float)}
    rates = []
    for r in range(QUICK if quick else FULL):
        bath = TLSBath.from_solid(
            jax.random.key(r), COUNT, solid, dipole=DEBYE, fields=fields, volumes=volumes, band=band,
            relaxation=1 / LIFETIME,
        )  # fmt: skip
        parts, g = _contributions(bath), np.asarray(bath.couplings)
        total = parts.sum()
        rates.append(total * 1e-6)
        for name, order in (("by_coupling", np.argsort(-g)), ("by_rate", np.argsort(-parts))):
            found[f"{name}_r{r}"] = total / np.cumsum(parts[order])[kept - 1]
        if r == 0:
            found |= _decays(bath, total, np.argsort(-parts)[:KEPT])
    share = filling_factor(fields, volumes, PERMITTIVITY, W)
    expected = W * share * loss_tangent(solid, DEBYE, PERMITTIVITY, 1e-2)
    return {**found, "rate": np.array(rates), "expected_rate": np.atleast_1d(float(expected) * 1e-6)}


def _contributions(bath: TLSBath) -> np.ndarray:
    """Give each TLS's share of the golden-rule rate [1/s]."""
    width, detuning = 0.5 / LIFETIME, W - np.asarray(bath.frequencies)
    return 2 * np.asarray(bath.couplings) ** 2 * width / (width**2 + detuning**2)


def _decays(bath: TLSBath, total: float, few: np.ndarray) -> dict[str, np.ndarray]:
    t = np.linspace(0.0, 3.0 / total, 121)
    ts, place = jnp.asarray(t), jnp.asarray(few)
    # in us, about the qubit's frequency: numbers of order one
    small = TLSBath((bath.frequencies[place] - W) * 1e-6, bath.couplings[place] * 1e-6, 1e-6 / LIFETIME)
    exact = jnp.abs(small.amplitude(0.0, ts * 1e6)) ** 2
    return {
        "t": t * 1e6,
        "golden_all": np.exp(-total * t),
        "solomon_all": np.asarray(bath.populations(W, ts)),
        "solomon_200": np.asarray(small.populations(0.0, ts * 1e6)),
        "exact_200": np.asarray(exact),
    }


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws (a) T1 with some TLSs over T1 with all, realizations and their median; (b) how decays of the first one
    differ.
    """
    fig = plot.figure(10.0, 4.2)
    left, right = fig.subplots(1, 2)
    styles = (
        ("by_coupling", plot.VERMILION, "largest coupling first"),
        ("by_rate", plot.BLUE, "largest share of the rate first"),
    )
    for name, colour, label in styles:
        curves = np.array([values for key, values in data.items() if key.startswith(f"{name}_r")])
        left.loglog(data["kept"], curves.T, color=colour, lw=0.5, alpha=0.5)
        left.loglog(data["kept"], np.median(curves, axis=0), color=colour, lw=2, label=label)
    left.axvline(KEPT, color="0.5", ls=":", lw=1.2)
    left.text(KEPT * 1.15, 0.93, "200", color="0.4", fontsize=9, transform=left.get_xaxis_transform(), va="top")
    left.set_ylim(0.9, 1e3)
    left.set_xlabel(r"TLSs kept, of $10^6$")
    left.set_ylabel(r"$T_1$ with these / $T_1$ with all")
    left.set_title("(a)", loc="left", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    t, golden = data["t"], data["golden_all"]
    right.axhline(0.0, color="0.5", ls="--", label=r"golden rule, all $10^6$")
    right.plot(t, data["solomon_all"] - golden, color=plot.BLUE, lw=2, label=r"Solomon, all $10^6$")
    right.plot(t, data["solomon_200"] - golden, color=plot.ORANGE, lw=1.8, label="Solomon, 200")
    right.plot(t, data["exact_200"] - golden, color=plot.VERMILION, lw=1.8, label="exact amplitude, 200")
    right.set_xlabel("time  [us]")
    right.set_ylabel("excited population less that of the golden rule")
    right.set_xlim(0, t[-1])
    right.set_title("(b)", loc="left", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    for ax in (left, right):
        plot.tidy(ax)
    return fig
