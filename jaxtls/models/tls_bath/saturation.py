r"""Treats TLSs that a strong field drives: their populations at rest, which burn a hole into what the bath takes up.

    p = pth + (1/2 - pth) S/(1 + S),   S = Omega² G/(gamma (G² + (w - w_j)²)),   G = gamma/2 + gphi

the steady state of the Bloch equations of a TLS with Rabi frequency Omega, relaxation gamma and coherence decay G.

Source: F. Bloch, Phys. Rev. 70, 460 (1946); W. Arnold, S. Hunklinger et al., J. Phys. Colloques 39, C6-961 (1978)
(holes in glasses).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array


@jax.jit
def populations(detunings: Array, squared: Array, relaxation: Array, widths: Array, thermal: Array) -> Array:
    """Gives p_j, (J,), from w - w_j, Omega_j², gamma_j and G_j, (J,) each."""
    # S/(1 + S) without a division by gamma, which may be 0.
    driven = squared * widths
    still = relaxation * (widths**2 + detunings**2)
    total = driven + still
    share = jnp.where(total > 0, driven / jnp.where(total > 0, total, 1.0), 0.0)
    return thermal + (0.5 - thermal) * share
