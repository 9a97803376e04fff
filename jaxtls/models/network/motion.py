"""Makes the right-hand side of a network's master equation, for each kind of state."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import refused
from ...dynamics.model import VectorField
from ...numerics.products import matmul
from . import covariance, populations, sectors
from .parameters import AbstractNetwork
from .states import CovarianceState, DensityState, NetworkState, PopulationState


def generator(model: AbstractNetwork, y0: NetworkState) -> VectorField:
    """Gives vector_field(t, y, args) for states of y0's kind and reference."""
    change: Callable[[Array], Array]
    if isinstance(y0, PopulationState):
        matrix = populations.relaxation(model.relaxation_rates, model.noise)
        away = model.relaxation_rates * (model.thermal_populations - y0.reference)
        pull = away + populations.mixing(model.noise, y0.reference)
        change = lambda excess: pull - matmul(matrix, excess)
    elif isinstance(y0, CovarianceState):
        fermions = model.fermions(y0.reference)
        field, drive = covariance.linear_field(fermions), covariance.drive(fermions, y0.reference)
        degrees = jnp.sum((model.symmetric(model.coherent) != 0) | (model.noise != 0), axis=1)
        open_chain = jnp.all(degrees <= jnp.where(model.bath_rates > 0, 1, 2))
        drive = refused(drive, ~open_chain, "A CovarianceState moves on chains with baths at their ends alone.")
        change = lambda excess: field(excess) + drive
    else:
        entries, extra = sectors.table(model.n_tls, y0.kept), model.bath_generator()
        numbers, start = sectors.values(entries, model.sector_parameters()), model.packed(y0) - y0.excess
        local = lambda m: sectors.apply(entries, numbers, m)
        change = lambda excess: local(start + excess) + (0.0 if extra is None else matmul(extra, start + excess))

    def vector_field(
        t: ArrayLike, y: PopulationState | CovarianceState | DensityState, args: PyTree = None
    ) -> NetworkState:
        return dataclasses.replace(y, reference=jnp.zeros_like(y.reference), excess=change(y.excess))

    return vector_field
