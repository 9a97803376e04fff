"""Draws up the ledger of a steady state: heat, work, entropy, and whether the second law holds."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..._checks import SINGLE, is_traced, precision_of


class NetworkBalance(eqx.Module):
    """Holds energies and entropy of a network's state, made by `ThermalNetwork.balance`; print it.

    Attributes:
        populations: <n_i>, (N,).
        heat_currents: from each bath into the system, (N,) [energy/time].
        work_power: delivered by the coupling noise [energy/time].
        entropy_production: -sum_n beta_n J_n [1/time].
        first_law_residual: sum of heat currents + work_power: 0 in a steady state, else dE/dt.
        violates_second_law: True where the entropy production is negative beyond rounding.
        detuning: largest |w_i - w_k| over the coherent couplings of a network with local thermalizers, else 0.

    Example:
        >>> kw = dict(frequencies=[2.0, 1.0], betas=[1.0, 1.25], rates=[0.1, 0.1], coherent=[[0.0, 0.05], [0.05, 0.0]])
        >>> net = ThermalNetwork(**kw, thermalizer="local")
        >>> balance = net.balance(net.steady_state())
        >>> bool(balance.violates_second_law), f"{balance.entropy_production:.3e}"
        (True, '-2.341e-05')
        >>> "detuned" in balance.reason
        True

    Source: Diosi; Levy & Kosloff, arXiv:1402.3825.
    """

    populations: Array
    heat_currents: Array
    work_power: Array
    entropy_production: Array
    first_law_residual: Array
    violates_second_law: Array
    detuning: Array

    @property
    def reason(self) -> str:
        """Says why the second law fails, and what to do; empty where it holds."""
        if not bool(np.any(np.asarray(self.violates_second_law))):
            return ""
        detuning = float(np.max(np.asarray(self.detuning)))
        if detuning > 0:
            cause = f"the coherent couplings join sites detuned by up to {detuning:g}"
        else:
            cause = "the coherent couplings are not weak beside the frequencies"
        return (
            "Local thermalizers drive each site to the Gibbs state of its own energy, which is no equilibrium of H: "
            f'{cause}. Use thermalizer="global", an incoherent coupling, or bring the sites into resonance.'
        )

    @property
    def precision(self) -> str:
        """Says "single" or "double": of the numbers that were computed with."""
        return precision_of(self.heat_currents)

    def __repr__(self) -> str:
        if is_traced(*(leaf for leaf in (self.heat_currents, self.entropy_production, self.violates_second_law))):
            return "NetworkBalance(traced)"
        lines = [
            f"NetworkBalance: {self.populations.shape[-1]} TLSs",
            f"  heat currents       {_short(self.heat_currents)}",
            f"  work power          {_short(self.work_power)}",
            f"  entropy production  {_short(self.entropy_production)}",
            f"  first-law residual  {_short(self.first_law_residual)}",
        ]
        if self.precision == "single":
            lines.append(f"  {SINGLE}")
        if self.reason:
            lines.append(f"  SECOND LAW VIOLATED {self.reason}")
        return "\n".join(lines)


@jax.jit
def entropy_production(betas: Array, heat: Array) -> Array:
    """Gives -sum beta J; a bath at zero temperature counts where heat flows, and then without bound."""
    cold = jnp.isinf(betas)
    unbounded = jnp.where(cold & (heat != 0), -jnp.sign(heat) * jnp.inf, 0.0)
    return jnp.sum(jnp.where(cold, unbounded, -jnp.where(cold, 0.0, betas) * heat))


def _short(value: Array) -> str:
    return np.array2string(np.asarray(value), precision=6, threshold=12, edgeitems=3)
