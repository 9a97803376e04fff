"""Artiaco, Balducci & Scardicchio, Fig. 11: mean concurrence of two sites of a random state.

The paper: 1e7 states, each pair; here as many in full size, one pair of each. Agrees. In full size
<C> = 0.58910(7), 0.36811(6), 0.12556(4), 0.014448(12), 2.110(11)e-4 at N = 2 to 6; at N = 2 it is 3 pi/16 = 0.58905. A
line of equal weights through log2(-ln <C>) has a = 0.127(5) and b = 1.008(12); the paper has 0.127(3) and 1.009(6).
The law is not exact: the points leave the line by up to 0.05, which is 230 of their errors at N = 3.
The quick size has 1e6 states: 0.58906(23), 0.36818(18), 0.12566(12), 0.01451(4), 2.08(3)e-4. The full size takes four
minutes on one core of a CPU.
"""

from __future__ import annotations

import os
import pathlib
from functools import partial
from typing import TYPE_CHECKING

import jax
import numpy as np

from .. import ensemble, fit_random_states, plot, random_state_concurrence
from .._progress import each
from ._artiaco import dress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"n_tls": ""}
SIZES = (2, 3, 4, 5, 6)
STATES = 10_000  # in one block
QUICK, FULL = 100, 1000  # blocks


def data(quick: bool = True, progress: bool = False, store: str | os.PathLike | None = None) -> dict[str, np.ndarray]:
    """Computes <C> of random states of N TLSs, and its fit.

    Arguments:
        quick: 1e6 states for each N; False: 1e7.
        progress: show bars on stderr.
        store: folder for the means of blocks of 1e4 states, from which a later call goes on.

    Returns:
        n_tls, concurrence, concurrence_sem (K,); a, a_sem, b, b_sem (1,) of <C> = exp(-a 2^(bN)).
    """
    found = []
    for n in each(SIZES, "N", progress):
        path = None if store is None else pathlib.Path(store) / f"random_states-N{n}"
        one = partial(random_state_concurrence, n_tls=n, n_states=STATES)
        r = ensemble(one, jax.random.key(2022), QUICK if quick else FULL, batch_size=1, store=path, progress=progress)
        found.append((float(r.mean), float(r.sem)))
    mean, sem = np.array(found).T
    # As in the paper: equal weights, since the law is not exact.
    law = fit_random_states(SIZES, mean)
    numbers = {"a": law.a, "a_sem": law.a_error, "b": law.b, "b_sem": law.b_error}
    return {
        "n_tls": np.array(SIZES, float),
        "concurrence": mean,
        "concurrence_sem": sem,
        **{name: np.atleast_1d(np.asarray(value)) for name, value in numbers.items()},
    }


def draw(data: dict[str, np.ndarray]) -> Figure:
    """Draws log2(-ln <C>) against N."""
    fig = plot.figure(5.6, 4.2)
    ax = fig.subplots()
    n, c = data["n_tls"], data["concurrence"]
    a, b = data["a"][0], data["b"][0]
    line = np.linspace(n[0] - 0.3, n[-1] + 0.3, 50)
    label = rf"fit: $a = {a:.3f}({1e3 * data['a_sem'][0]:.0f})$, $b = {b:.3f}({1e3 * data['b_sem'][0]:.0f})$"
    ax.plot(line, np.log2(a) + b * line, color=plot.VERMILION, lw=1.4, label=label)
    error = data["concurrence_sem"] / (c * -np.log(c) * np.log(2))
    ax.errorbar(n, np.log2(-np.log(c)), error, fmt="o", ms=5, lw=1, color=plot.BLUE, label="random states")
    dress(ax, "number of TLSs $N$", r"$\log_2(-\ln \langle C \rangle)$")
    ax.set_xticks(n)
    ax.legend(frameon=False, loc="upper left")
    return fig
