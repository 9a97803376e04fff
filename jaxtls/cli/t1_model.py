"""Holds what `--model t1` fits: columns of the table, and rates of TLSs that wander."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from ..models.tls_bath import TLSBath
from .tables import Table

TIME, FREQUENCY, T1, ERROR = "time_h", "frequency_MHz", "T1_us", "T1_error_us"


class WanderingTLSs(eqx.Module):
    """Holds what is fitted: K TLSs, each at another frequency at each time, on a constant background."""

    centres: Array
    couplings: Array
    widths: Array
    background: Array

    def rates(self, frequencies: Array, which: Array) -> Array:
        """Gives Gamma_1 [1/us] at frequencies [MHz] (R,) and the numbers of their times (R,)."""

        def one(frequency: Array, centres: Array) -> Array:
            g, widths = 2 * math.pi * self.couplings, 2 * math.pi * self.widths
            return TLSBath(2 * math.pi * (centres - frequency), g, 2 * widths).relaxation_rate(0.0)

        return self.background + jax.vmap(one)(frequencies, self.centres[:, which].T)


class ConstantRate(eqx.Module):
    """Holds what is fitted where no TLS is seen."""

    background: Array


def reach(table: Table) -> tuple[float, float]:
    """Says where a TLS may be [MHz]: half the range beyond both of its ends, where its flank alone is seen."""
    span = float(np.ptp(table[FREQUENCY]))
    return float(table[FREQUENCY].min() - 0.5 * span), float(table[FREQUENCY].max() + 0.5 * span)
