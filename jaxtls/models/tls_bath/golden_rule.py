"""Computes golden-rule relaxation into a bath: averaged over its fluctuators, in their states, and in time."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array

from ..._checks import concrete, finite, random_key, require
from . import checks, rates, saturation, traces
from .checks import Numbers
from .defects import AbstractDefects


class AbstractGoldenRule(AbstractDefects):
    """Gives rates of a qubit or resonator that loses its energy to TLSs of given states or on average."""

    def relaxation_rate(
        self, frequency: Numbers, states: Numbers | None = None, *, excited: Numbers | None = None
    ) -> Array:
        r"""Gives Gamma_1(w) = sum_j 2 g_j² G_j/(G_j² + (w - w_j)²), G_j = gamma_j/2 + gphi_j.

        Averaged over the stationary states of the fluctuators, or in given ones (valid while they switch slowly against
        G_j). The qubit's own width is not in it. A flat bath of density rho gives 2 pi rho g². Infinite or NaN at the
        frequency of a TLS without any width.

        Arguments:
            frequency: w, () or (W,) [angular frequency].
            states: (..., J, M) of ±1, or None for the mean.
            excited: p_j, a number or (J,) in [0, 1/2]: a TLS takes up energy at 1 - 2 p_j of its rate. None for 0.

        Returns:
            () or (W,), or (...,) or (..., W) with states [1/time].

        Raises:
            ValueError: if a shape does not fit.

        Example:
            >>> bath = TLSBath([5.0], [0.1], 0.2, shifts=[[1.0]], rates_up=1.0, rates_down=3.0)
            >>> far, near = bath.relaxation_rate(4.0, states=[[[1]], [[-1]]])
            >>> bool(jnp.isclose(bath.relaxation_rate(4.0), far / 4 + near * 3 / 4))
            True

        Source: R. Barends et al., Phys. Rev. Lett. 111, 080502 (2013).
        """
        w, couplings = checks.qubit_frequencies("frequency", frequency), self.couplings
        if excited is not None:
            p = checks.probability("excited", excited, self.frequencies.shape)
            known = concrete(p)
            good = known is None or bool((known <= 0.5).all())
            require(good, "excited", "be 1/2 at most", excited, "An inverted TLS gives energy: use populations.")
            # No root of 0, whose derivative is infinite.
            couplings = couplings * jnp.where(p < 0.5, jnp.sqrt(jnp.where(p < 0.5, 1 - 2 * p, 1.0)), 0.0)
        tls = self.frequencies, couplings, self._widths
        if states is not None:
            require(self.shifts is not None, "states", "be None for a bath without fluctuators", states)
            shifts, _, _ = self._fluctuators
            given = checks.spin_states(states, shifts.shape)
            flat = given.reshape(-1, *shifts.shape).astype(shifts.dtype)
            return rates.in_states(*tls, shifts, flat, jnp.atleast_1d(w)).reshape(*given.shape[:-2], *w.shape)
        if self.shifts is None:
            return rates.at_rest(*tls, jnp.atleast_1d(w)).reshape(w.shape)
        self._require_few("relaxation_rate needs the mean over 2^M states of each TLS; sample them by rate_trace.")
        return rates.averaged(*tls, *self._fluctuators, jnp.atleast_1d(w)).reshape(w.shape)

    def saturation(self, pump: Numbers, photons: Numbers, *, thermal: Numbers = 0.0) -> Array:
        r"""Gives the excited populations of TLSs that a field in the mode drives, Omega_j = 2 g_j sqrt(photons).

            p_j = pth + (1/2 - pth) S_j/(1 + S_j),   S_j = Omega_j² G_j/(gamma_j (G_j² + (pump - w_j)²))

        `relaxation_rate(w, excited=p)` then has a hole at the pump, 1 - 1/sqrt(1 + S) deep in a flat bath of like TLSs,
        of half width G (1 + sqrt(1 + S)): what a weak field sees that does not beat with the pump. Fluctuators are
        taken at their centre.

        Arguments:
            pump: frequency of the field, () [angular frequency].
            photons: mean number of photons in the mode, () >= 0.
            thermal: pth without the field, in [0, 1].

        Returns:
            (J,).

        Raises:
            ValueError: if an argument is out of range.

        Example:
            >>> bath = TLSBath([5.0, 6.0], [0.01, 0.01], 0.02)
            >>> [round(float(p), 4) for p in bath.saturation(5.0, photons=1.0)]
            [0.3333, 0.0001]

        Source: F. Bloch, Phys. Rev. 70, 460 (1946).
        """
        w = checks.qubit_frequencies("pump", pump)
        require(w.ndim == 0, "pump", "be a number", f"shape {w.shape}", "Use jax.vmap for several.")
        driven = 4 * self.couplings**2 * checks.number("photons", photons)
        tls = w - self.frequencies, driven, jnp.broadcast_to(self.relaxation, driven.shape), self._widths
        return saturation.populations(*tls, checks.probability("thermal", thermal))

    def rate_autocovariance(self, frequency: Numbers, taus: Numbers) -> Array:
        r"""Gives <Gamma_1(t) Gamma_1(t + tau)> - <Gamma_1>² of stationary fluctuators: a sum of positive exponentials.

            sum_j sum_A c_jA² e^{-Gamma_A |tau|},   A: non-empty sets of a TLS's fluctuators, Gamma_A = sum_A (u + d)

        Arguments:
            frequency: w, () or (W,) [angular frequency].
            taus: any shape [time].

        Returns:
            frequency's shape followed by that of taus [1/time²]; 0 without fluctuators.

        Raises:
            ValueError: if a shape does not fit.

        Example:
            >>> bath = TLSBath([5.0], [0.1], 0.2, shifts=[[0.3]], rates_up=1.0, rates_down=1.0)
            >>> c = bath.rate_autocovariance(5.3, jnp.array([0.0, 1.0]))
            >>> bool(jnp.isclose(c[1] / c[0], jnp.exp(-2.0)))
            True

        Source: C. Mueller, J. Lisenfeld, A. Shnirman & S. Poletto, Phys. Rev. B 92, 035442 (2015).
        """
        w, tau = checks.qubit_frequencies("frequency", frequency), finite("taus", taus)
        if self.shifts is None:
            return jnp.zeros(w.shape + tau.shape, self.frequencies.dtype)
        self._require_few("The autocovariance runs over 2^M sets of fluctuators of each TLS.")
        tls = self.frequencies, self.couplings, self._widths
        found = rates.autocovariance(*tls, *self._fluctuators, jnp.atleast_1d(w), tau.ravel())
        return found.reshape(w.shape + tau.shape)

    def rate_trace(self, key: Array, ts: Numbers, frequency: Numbers) -> Array:
        """Gives Gamma_1 at each time while the fluctuators switch, started in stationary states; exact at any times.

        Arguments:
            key: a JAX random key.
            ts: (T,) ascending, equal ones included [time].
            frequency: w, () or (W,) [angular frequency].

        Returns:
            (T,) or (T, W) [1/time]; constant in time without fluctuators.

        Raises:
            ValueError: if the times descend.

        Example:
            >>> bath = TLSBath([5.0], [0.1], 0.2, shifts=[[0.3]], rates_up=1.0, rates_down=1.0)
            >>> bath.rate_trace(jax.random.key(0), jnp.linspace(0.0, 10.0, 101), jnp.array([5.0, 5.3])).shape
            (101, 2)

        Source: S. Machlup, J. Appl. Phys. 25, 341 (1954) (the process).
        """
        w, times = checks.qubit_frequencies("frequency", frequency), checks.ascending("ts", ts)
        if self.shifts is None:
            return jnp.broadcast_to(self.relaxation_rate(w), times.shape + w.shape)
        key = random_key("key", key)
        tls = self.frequencies, self.couplings, self._widths
        return traces.trace(key, times, *tls, *self._fluctuators, jnp.atleast_1d(w)).reshape(times.shape + w.shape)
