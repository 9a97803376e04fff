"""Blacker & Tilbrook, Fig. 2: a damped oscillator leaves its ground state for the even levels.

omega = 1, alpha = 0.9 (a), 1 (b), 1.5 (c): our numbers. With s^2 = (alpha/Omega)^2 sin^2(Omega t), Omega^2 = omega^2 -
alpha^2, and its continuations (omega t)^2 and sinh: P_(0->2k) = b_k T^k/sqrt(1+s^2), T = s^2/(1+s^2), b_k =
(2k)!/(4^k k!^2). Measured here, against what the paper says:
- (a) "oscillate": true, with the period pi/Omega = 7.21: twice the frequency of the classical motion.
- (b) "decreases monotonically for the ground state, while for n = 2 it increases to a local maximum": true. P_00 =
  1/sqrt(1 + omega^2 t^2); P_02 is highest, 0.192, at omega t = sqrt(2).
- (c) "the expected faster rate of decay": true. P_00 falls as e^(-kappa t), kappa^2 = alpha^2 - omega^2.
"Critical damping at alpha = omega, as classically": s^2 turns from bounded to growing there, and nothing else happens:
probabilities are analytic in alpha through it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import _blacker_tilbrook

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = _blacker_tilbrook.AXES
INITIAL = 0


def data(quick: bool = True, progress: bool = False) -> dict[str, np.ndarray]:
    """Computes probabilities of the levels 0, 2, 4, 6 after a start in level 0.

    Arguments:
        quick: 301 times a panel; False: 1501.
        progress: nothing takes long enough to show.

    Returns:
        t_CASE (T,), P00_CASE .. P06_CASE (T,); CASE is underdamped, critical, overdamped.
    """
    return _blacker_tilbrook.probabilities(INITIAL, quick)


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws the three panels (a) to (c)."""
    return _blacker_tilbrook.draw(data, INITIAL)
