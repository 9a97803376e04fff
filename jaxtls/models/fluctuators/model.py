"""Models K independent random telegraph processes: what a qubit, resonator or charge detector feels of its defects."""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ... import _checks
from . import statistics
from .coherence import coherence
from .likelihood import MOST_JOINT, log_likelihood, posterior
from .sampling import bath_rates, trajectory

Numbers = ArrayLike | Sequence[float]


class Fluctuators(eqx.Module):
    r"""Models independent two-state fluctuators s_k(t) = ±1 and their sum xi = sum_k a_k s_k.

    u_k takes s_k from -1 to +1, d_k back; Gamma = u + d, m = <s> = (u - d)/Gamma, p(+) = u/Gamma. In equilibrium, with
    the state +1 an energy E above -1, u/d = e^(-E/T).

    Arguments:
        amplitudes: a (K,), of either sign, in the unit of xi. For `coherence` that is an angular frequency: half the
            angular frequency by which a qubit jumps (a = pi times a jump in Hz).
        rates_up: u (K,), >= 0, per unit of time (switchings a second, not an angular frequency and not a half width).
        rates_down: d (K,), >= 0, same unit; u + d > 0.

    Raises:
        ValueError: an argument is not finite, is negative where it may not be, or has another shape.

    Example:
        >>> f = jt.Fluctuators(jnp.array([1.0, 0.2]), jnp.array([0.5, 3.0]), jnp.array([0.5, 1.0]))
        >>> bool(jnp.allclose(f.mean, 0.1)), f.autocovariance(jnp.zeros(1)).round(4).tolist()
        (True, [1.03])

    Source: S. Machlup, J. Appl. Phys. 25, 341 (1954); E. Paladino et al., Rev. Mod. Phys. 86, 361 (2014).
    """

    amplitudes: Float[Array, " K"]
    rates_up: Float[Array, " K"]
    rates_down: Float[Array, " K"]

    def __init__(self, amplitudes: Numbers, rates_up: Numbers, rates_down: Numbers):
        self.amplitudes = _checks.finite("amplitudes", amplitudes)
        shape = self.amplitudes.shape
        one = len(shape) == 1 and shape[0] >= 1
        _checks.require(one, "amplitudes", "have shape (K,), one for each fluctuator", f"shape {shape}")
        self.rates_up = _rates("rates_up", rates_up, shape)
        self.rates_down = _rates("rates_down", rates_down, shape)
        up, down = _checks.concrete(self.rates_up), _checks.concrete(self.rates_down)
        if up is not None and down is not None:
            good = bool(np.all(up + down > 0))
            remedy = "A fluctuator without rates has no stationary state: add its level to the offset."
            _checks.require(good, "rates_down", "be > 0 where rates_up is 0", rates_down, remedy)

    @classmethod
    def sample_bath(
        cls,
        key: Array,
        n: int,
        *,
        slowest: ArrayLike,
        fastest: ArrayLike,
        amplitude: Numbers,
        temperature: ArrayLike | None = None,
        max_energy: ArrayLike | None = None,
    ) -> Fluctuators:
        r"""Draws a bath with 1/f noise: Gamma log-uniform, S(w) = n a² <1 - m²> pi / (w ln(fastest/slowest)) between.

        With a temperature E is uniform in (0, max_energy), and <1 - m²> = (2T/E_max) tanh(E_max/2T); without one u = d.

        Arguments:
            key: a JAX random key.
            n: number of fluctuators.
            slowest: least total rate Gamma [1/time], > 0.
            fastest: largest total rate [1/time], > slowest.
            amplitude: a of all, or (n,) [unit of xi].
            temperature: T > 0 [energy]; None for equal rates.
            max_energy: largest energy of +1 above -1, > 0 [same unit]; with `temperature` alone.

        Returns:
            `Fluctuators`, differentiable by slowest, fastest, amplitude, temperature and max_energy.

        Raises:
            ValueError: an argument is out of range, or one of temperature and max_energy is missing.

        Example:
            >>> f = jt.Fluctuators.sample_bath(jax.random.key(0), 1000, slowest=1e-3, fastest=1e3, amplitude=0.01)
            >>> bool(jnp.all(f.rates_up == f.rates_down))
            True

        Source: P. Dutta, P. M. Horn, Rev. Mod. Phys. 53, 497 (1981).
        """
        n = _checks.size("n", n)
        low = _scalar("slowest", _checks.positive("slowest", slowest))
        high = _scalar("fastest", _checks.positive("fastest", fastest))
        ends = _checks.concrete(low), _checks.concrete(high)
        if ends[0] is not None and ends[1] is not None:
            _checks.require(bool(ends[1] > ends[0]), "fastest", f"be above slowest = {slowest}", fastest)
        given = temperature is not None, max_energy is not None
        _checks.require(given != (True, False), "max_energy", "be given with a temperature", None)
        _checks.require(given != (False, True), "temperature", "be given with max_energy", None)
        x = jnp.zeros(())
        if temperature is not None and max_energy is not None:
            heat = _scalar("temperature", _checks.positive("temperature", temperature))
            x = _scalar("max_energy", _checks.positive("max_energy", max_energy)) / heat
        a = _checks.finite("amplitude", amplitude)
        _checks.require(a.shape in ((), (n,)), "amplitude", f"be a number or have shape ({n},)", f"shape {a.shape}")
        up, down = bath_rates(_checks.random_key("key", key), n, low, high, x)
        return cls(jnp.broadcast_to(a, (n,)), up, down)

    @property
    def mean(self) -> Float[Array, ""]:
        """Gives <xi> = sum a m, in the unit of the amplitudes."""
        return jnp.sum(self.amplitudes * (self.rates_up - self.rates_down) / self.total_rates)

    @property
    def total_rates(self) -> Float[Array, " K"]:
        """Gives Gamma = u + d of each fluctuator [1/time]: correlations fall as e^(-Gamma t)."""
        return self.rates_up + self.rates_down

    @property
    def variances(self) -> Float[Array, " K"]:
        """Gives a² (1 - m²) of each fluctuator [unit of xi squared]."""
        return statistics.variances(self.amplitudes, self.rates_up, self.rates_down)

    def autocovariance(self, taus: Numbers) -> Array:
        """Gives <xi(t + tau) xi(t)> - <xi>² = sum a² (1 - m²) e^(-Gamma |tau|).

        Arguments:
            taus: lags [time], any shape, either sign.

        Returns:
            The shape of taus [unit of xi squared].

        Raises:
            ValueError: a lag is not finite.

        Example:
            >>> f = jt.Fluctuators(jnp.ones(1), jnp.ones(1), jnp.ones(1))
            >>> bool(jnp.allclose(f.autocovariance(1.0), jnp.exp(-2.0)))
            True

        Source: S. Machlup, J. Appl. Phys. 25, 341 (1954).
        """
        lags = _checks.finite("taus", taus)
        return statistics.autocovariance(self.variances, self.total_rates, lags.ravel()).reshape(lags.shape)

    def spectrum(self, omegas: Numbers) -> Array:
        """Gives S(w) = int C(tau) e^(-i w tau) dtau = sum a² (1 - m²) 2 Gamma/(Gamma² + w²): two-sided, mean left out.

        Arguments:
            omegas: angular frequencies w [radians per time], any shape; 2 pi times a frequency in Hz.

        Returns:
            The shape of omegas [unit of xi squared times time]; the one-sided spectrum by frequency in Hz is 2 S.

        Raises:
            ValueError: a frequency is not finite.

        Example:
            >>> f = jt.Fluctuators(jnp.ones(1), jnp.ones(1), jnp.ones(1))
            >>> float(f.spectrum(0.0))
            1.0

        Source: S. Machlup, J. Appl. Phys. 25, 341 (1954).
        """
        w = _checks.finite("omegas", omegas)
        return statistics.spectrum(self.variances, self.total_rates, w.ravel()).reshape(w.shape)

    def allan_variance(self, taus: Numbers) -> Array:
        """Gives half the variance of the difference of adjacent means over tau; a fluctuator peaks at Gamma tau = 1.89.

            sum a² (1 - m²) (2x - 3 + 4 e^-x - e^-2x)/x²,   x = Gamma tau

        Arguments:
            taus: lengths of the windows [time], any shape, >= 0.

        Returns:
            The shape of taus [unit of xi squared], to relative accuracy at every tau.

        Raises:
            ValueError: a tau is negative or not finite.

        Example:
            >>> f = jt.Fluctuators(jnp.ones(1), jnp.ones(1), jnp.ones(1))
            >>> bool(jnp.allclose(f.allan_variance(1e-9), 2 / 3 * 2e-9))
            True

        Source: C. M. Van Vliet, P. H. Handel, Physica A 113, 261 (1982).
        """
        windows = _checks.positive("taus", taus, zero=True)
        return statistics.allan_variance(self.variances, self.total_rates, windows.ravel()).reshape(windows.shape)

    def sample(self, key: Array, ts: Numbers, *, initial: Numbers | None = None) -> Float[Array, "T K"]:
        """Draws states s_k = ±1 at given times, exact at any spacing; `sample(key, ts) @ amplitudes` is xi.

        Arguments:
            key: a JAX random key.
            ts: times (T,), ascending; equal ones give equal states [time].
            initial: states (K,) at ts[0], ±1; None draws them from the stationary distribution.

        Returns:
            (T, K) of ±1, floating; derivatives by the parameters are 0.

        Raises:
            ValueError: times descend, or `initial` is not ±1 for each fluctuator.

        Example:
            >>> f = jt.Fluctuators(jnp.ones(2), jnp.ones(2), jnp.ones(2))
            >>> f.sample(jax.random.key(0), jnp.linspace(0.0, 10.0, 5)).shape
            (5, 2)

        Source: D. T. Gillespie, J. Comput. Phys. 22, 403 (1976), here without its waiting times.
        """
        times = _ascending("ts", ts)
        first = None
        if initial is not None:
            first = _checks.real("initial", initial)
            shape = self.amplitudes.shape
            _checks.require(first.shape == shape, "initial", f"have shape {shape}", f"shape {first.shape}")
            known = _checks.concrete(first)
            _checks.require(known is None or bool(np.all(np.abs(known) == 1)), "initial", "hold +1 and -1", initial)
        return trajectory(_checks.random_key("key", key), self.rates_up, self.rates_down, times, first)

    def coherence(self, ts: Numbers, *, pulses: int = 0) -> Array:
        r"""Gives D(t) = <exp(i int_0^t y xi dt')>, exact: the product over fluctuators of 2x2 transfer matrices.

        y = ±1 starts at +1 and flips at t (j - 1/2)/pulses: 0 pulses are Ramsey's sequence, 1 Hahn's echo, more are
        CPMG. For u = d = Gamma/2, w² = Gamma²/4 - a², Ramsey: e^{-Gamma t/2} [cosh wt + (Gamma/2w) sinh wt].

        Arguments:
            ts: total times t [time], any shape, >= 0; amplitudes are angular frequencies [radians per time].
            pulses: number of pi pulses (static).

        Returns:
            The shape of ts, complex; real and >= 0 for an odd number of pulses. Gradients are finite at Gamma = 2a too.

        Raises:
            ValueError: a time is negative or not finite, or `pulses` is not an int >= 0.

        Example:
            >>> f = jt.Fluctuators(jnp.ones(1), jnp.ones(1), jnp.ones(1))  # Gamma = 2a: an exceptional point
            >>> bool(jnp.allclose(f.coherence(1.0), 2 * jnp.exp(-1.0)))
            True

        Source: E. Paladino, L. Faoro, G. Falci, R. Fazio, Phys. Rev. Lett. 88, 228304 (2002); J. Bergli,
        Y. M. Galperin, B. L. Altshuler, New J. Phys. 11, 025002 (2009), arXiv:0904.4597; CPMG: L. Faoro, L. Viola,
        Phys. Rev. Lett. 92, 117905 (2004).
        """
        times = _checks.positive("ts", ts, zero=True)
        n = _checks.size("pulses", pulses, 0)
        flat = coherence(self.amplitudes, self.rates_up, self.rates_down, times.ravel(), n)
        return flat.reshape(times.shape)

    def log_likelihood(self, ts: Numbers, signal: Numbers, sigma: Numbers, offset: ArrayLike = 0.0) -> Float[Array, ""]:
        """Gives ln of a record's probability density, signal_i = offset + xi(t_i) + sigma_i N(0, 1), summed over paths.

        Exact for uneven and equal times, by the forward algorithm over 2^K joint states, K <= 16. Permuted fluctuators
        leave it as it is, and so does a -> -a with u and d exchanged: a fit finds one of several equal maxima.

        Arguments:
            ts: times (T,), ascending [time].
            signal: readings (T,) [unit of xi], each of one moment: short against 1/Gamma.
            sigma: standard deviation of the read-out noise, > 0, a number or (T,) [unit of xi].
            offset: signal where xi = 0, a number [unit of xi].

        Returns:
            ln L, (); differentiable by the model, signal, sigma and offset.

        Raises:
            ValueError: times descend, shapes differ, sigma is not positive, or K is too large for joint states.

        Example:
            >>> f = jt.Fluctuators(jnp.ones(1), jnp.ones(1), jnp.ones(1))
            >>> ts, likely = jnp.arange(3.0), jnp.array([1.0, 1.0, -1.0])
            >>> bool(f.log_likelihood(ts, likely, 0.1) > f.log_likelihood(ts, 0.5 * likely, 0.1))
            True

        Source: L. R. Rabiner, Proc. IEEE 77, 257 (1989).
        """
        return log_likelihood(*self._parameters(), *self._record(ts, signal, sigma, offset))

    def posterior_mean(
        self, ts: Numbers, signal: Numbers, sigma: Numbers, offset: ArrayLike = 0.0
    ) -> Float[Array, "T K"]:
        """Gives <s_k(t_i)> for the whole record, in (-1, 1): where fluctuators were. Arguments as of `log_likelihood`.

        Example:
            >>> f = jt.Fluctuators(jnp.ones(1), jnp.ones(1), jnp.ones(1))
            >>> seen = f.posterior_mean(jnp.arange(2.0), jnp.array([1.1, -0.9]), 0.2)
            >>> bool(seen[0, 0] > 0.99), bool(seen[1, 0] < -0.99)
            (True, True)

        Source: L. R. Rabiner, Proc. IEEE 77, 257 (1989); it is the derivative of ln L by the emissions' logarithms.
        """
        return posterior(*self._parameters(), *self._record(ts, signal, sigma, offset))

    def _parameters(self) -> tuple[Array, Array, Array]:
        return self.amplitudes, self.rates_up, self.rates_down

    def _record(
        self, ts: Numbers, signal: Numbers, sigma: Numbers, offset: ArrayLike
    ) -> tuple[Array, Array, Array, Array]:
        """Check a record: times, signal, sigma at each of them, offset."""
        k = self.amplitudes.shape[0]
        remedy = "The joint states are 2^K; statistics and coherence take any number."
        _checks.require(k <= MOST_JOINT, "amplitudes", f"hold at most {MOST_JOINT} fluctuators here", k, remedy)
        times = _ascending("ts", ts)
        y = _checks.finite("signal", signal)
        shape = times.shape
        _checks.require(y.shape == shape, "signal", f"have the shape of ts, {shape}", f"shape {y.shape}")
        s = _checks.positive("sigma", sigma)
        _checks.require(s.shape in ((), shape), "sigma", f"be a number or have shape {shape}", f"shape {s.shape}")
        return times, y, jnp.broadcast_to(s, shape), _scalar("offset", _checks.finite("offset", offset))


def _rates(name: str, value: Numbers, shape: tuple[int, ...]) -> Array:
    rates = _checks.positive(name, value, zero=True)
    _checks.require(rates.shape == shape, name, f"have the shape of amplitudes, {shape}", f"shape {rates.shape}")
    return rates


def _scalar(name: str, value: Array) -> Array:
    _checks.require(value.ndim == 0, name, "be a number", f"shape {value.shape}")
    return value


def _ascending(name: str, value: Numbers) -> Array:
    """Check times (T,), T >= 1, that do not descend."""
    times = _checks.finite(name, value)
    good = times.ndim == 1 and times.size >= 1
    _checks.require(good, name, "be one-dimensional with at least one time", f"shape {times.shape}")
    known = _checks.concrete(times)
    remedy = "Sort the record by time; equal times may stay."
    _checks.require(known is None or bool(np.all(np.diff(known) >= 0)), name, "be ascending", value, remedy)
    return times
