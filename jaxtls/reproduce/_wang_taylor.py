"""Holds what Figs. 1 and 2 of Wang & Taylor share: their spring, in units hbar = M = omega_eff = 1."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import EntropicSpring
from .._checks import require

BETA, SPLITTING, GAMMA, ALPHA = 0.01, 100.0, 10.0, 1.0
POLARIZATION = 1 / (1 + np.exp(BETA * SPLITTING))
PERIOD = 2 * np.pi


def spring(n_spins: float | int, n_levels: int, n_modes: int, **changes: Any) -> EntropicSpring:
    """Makes the spring of Fig. 1 (omega_0 = 0, omega_eff = 1). N is data: one compiled program serves every N."""
    require(
        bool(jax.config.jax_enable_x64),  # type: ignore[attr-defined]
        "jax_enable_x64",
        "be True: at N = 10^4 the damping is 1e-7 a unit time",
        False,
        'Call jax.config.update("jax_enable_x64", True) first.',
    )
    parameters = {"omega": POLARIZATION**-0.5, "splitting": SPLITTING, "gamma": GAMMA, "beta": BETA, **changes}
    return EntropicSpring(n_spins=jnp.asarray(float(n_spins)), n_levels=n_levels, n_modes=n_modes, **parameters)


@contextmanager
def measured_truncation() -> Iterator[None]:
    """Below N = 10 the heated tail leaves any basis: stated in the figure's docstring, not warned of at each N."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="truncation")
        yield
