"""Blacker & Tilbrook, Fig. 3: a damped oscillator that starts in level 2, and the revival that the paper missed.

Parameters of Fig. 2. P_(2->2k) = b_k T^(k-1) (2k - s^2)^2/(2 (1+s^2)^(5/2)), for k = 0 s^2/(2 (1+s^2)^(3/2)). Measured
here, against what the paper says:
- (b) "the initially occupied mode n = 2 decreases monotonically" at critical damping: false. P_22 = (2 - s^2)^2/(4
  (1+s^2)^(5/2)) vanishes at omega t = sqrt(2) and revives to 0.0413 at omega t = sqrt(14), before it fades. So it does
  in (c), to the same height, as s passes the same values. "n = 0 increases before decreasing": true, to 0.192.
- (a) "beating, not present before": there is no second period. Every curve is a function of sin^2(Omega t) and repeats
  after pi/Omega = 7.21. What looks like a beat is the zero of P_(2->2k) at s^2 = 2k, passed on the way up and down:
  for k = 1 where alpha > sqrt(2/3) omega. The ground state as a start has no such zero, as the paper says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import plot
from . import _blacker_tilbrook

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = _blacker_tilbrook.AXES
INITIAL = 2


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes probabilities of the levels 0, 2, 4, 6 after a start in level 2.

    Arguments:
        quick: 301 times a panel; False: 1501.
        progress: nothing takes long enough to show.

    Returns:
        t_CASE (T,), P20_CASE .. P26_CASE (T,); CASE is underdamped, critical, overdamped.
    """
    return _blacker_tilbrook.probabilities(INITIAL, quick)


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the three panels (a) to (c), the revival of P_22 marked in (b)."""
    fig = _blacker_tilbrook.draw(data, INITIAL)
    fig.axes[1].annotate(
        r"$P_{2 \to 2}$ revives" + "\n" + r"to 0.041 at $\sqrt{14}$",
        (np.sqrt(14), 0.0413),
        (4.2, 0.42),
        fontsize=9,
        color=plot.VERMILION,
        arrowprops={"arrowstyle": "->", "color": plot.VERMILION},
    )
    return fig
