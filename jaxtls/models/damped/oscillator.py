"""Models the damped harmonic oscillator, quantised: x'' + 2 alpha x' + omega^2 x = F(t)/m.

In the time tau = -e^(-2 alpha t)/(2 alpha) the equation of motion has a Hamiltonian,
    H_tau = p^2/2m + (m omega^2 x^2/2 - F x)/(2 alpha tau)^2,
and dtau/dt H_tau is that of Caldirola and Kanai, so states and probabilities are theirs; what differs is which operator
is the energy. The decaying ladder of Eq. 17 belongs to the mechanical energy (dtau/dt)^2 H_tau = m v^2/2 + m omega^2
x^2/2 (the levels of H_tau itself grow). The description is closed: no bath, no decoherence, and widths that shrink.

Source: M. J. Blacker and D. L. Tilbrook, "A new approach to the quantization of the damped harmonic oscillator",
arXiv:2107.05827 (equation numbers below are theirs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import concrete, finite, is_traced, positive, require, size
from ..._types import FunctionOfTime, Numbers
from ...numerics.products import matmul
from ...quantum.hermite import hermite_functions
from . import fock
from .fock import FockState
from .gaussian import GaussianOscillator, propagator
from .parameters import AbstractDampedOscillator
from .schedule import Contraction, function_of_time, states_from_zero
from .squeezing import Squeezing, SqueezingFlow, damped_squeezing, squeezing_of
from .transitions import block, column


class DampedOscillator(AbstractDampedOscillator):
    """Models a quantised damped oscillator x'' + 2 alpha x' + omega^2 x = F(t)/m below, at and above critical damping.

    In the instantaneous Fock basis |n; t> (width sqrt(hbar/(m omega)) e^(-alpha t)) damping creates pairs:
    H/hbar = omega (n + 1/2) + i (alpha/2)(a^dagger^2 - a^2).

    Arguments:
        omega: undamped frequency > 0, scalar [1/time].
        damping: alpha >= 0, scalar [1/time] (half the damping rate of the energy), or a function of time t -> alpha(t),
            e.g. an eqx.Module of its parameters. Critical damping is alpha = omega.
        mass: m > 0.
        hbar: 1 in natural units.
        force: F(t) as a function of time [mass length/time^2], or None. Closed forms are those of the free oscillator.
        n_levels: Fock levels for `evolve`; None guesses from the damping. `Solution.diagnostics["truncation"]` reports.
        basis: "instantaneous", or "fixed" (the levels at the start: for comparison; they fill as e^(2 alpha t)).

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> d = DampedOscillator(omega=1.0, damping=1.0)  # critical
        >>> p = d.transition_probabilities(jnp.array([0.0, 2.0]), initial=0, n_max=4)
        >>> [f"{value:.4f}" for value in p[1]]
        ['0.4472', '0.0000', '0.1789', '0.0000', '0.1073']
        >>> sol = jt.evolve(DampedOscillator(omega=1.0, damping=0.2), DampedOscillator(1.0, 0.2).fock_state(0),
        ...                 jnp.linspace(0.0, 5.0, 6))
        >>> sol.observables["energy"].shape
        (6,)

    Source: Blacker & Tilbrook, Eqs. 1-32 and 45. Their remark below Eq. 32, that the occupied n = 2 level decreases
    monotonically at critical damping, is wrong: P_22 vanishes at omega t = sqrt(2) and revives to 0.0413 at sqrt(14).
    """

    def __init__(
        self,
        omega: Numbers,
        damping: Numbers | FunctionOfTime,
        mass: Numbers = 1.0,
        hbar: Numbers = 1.0,
        *,
        force: FunctionOfTime | None = None,
        n_levels: int | None = None,
        basis: str = "instantaneous",
    ):
        self.omega = positive("omega", omega)
        if callable(damping):
            self.damping = function_of_time("damping", damping)
        else:
            self.damping = positive("damping", damping, zero=True, remedy="An amplifier (alpha < 0) is not offered.")
        self.mass = positive("mass", mass)
        self.hbar = positive("hbar", hbar)
        if force is not None:
            require(callable(force), "force", "be a function of time, or None", repr(force), "lambda t: 0.1")
            force = function_of_time("force", force)
        self.force = force
        self.n_levels = None if n_levels is None else size("n_levels", n_levels, 4)
        require(basis in fock.BASES, "basis", f"be one of {fock.BASES}", repr(basis))
        self.basis = basis
        for name in ("omega", "damping", "mass", "hbar"):
            value = getattr(self, name)
            if not callable(value):
                require(value.ndim == 0, name, "be a scalar", f"shape {value.shape}", "Use jax.vmap for several.")

    def contraction(self, ts: Numbers) -> Array:
        """Gives lambda = int_0^t alpha, by which log widths have shrunk: alpha t, or a quadrature for a function alpha.

        Arguments:
            ts: times, any shape; a scalar or (T,) ascending from a time >= 0 where the damping is a
                function.

        Returns:
            lambda, of the shape of ts.

        Example:
            >>> d = DampedOscillator(omega=1.0, damping=lambda t: 0.2 * t)
            >>> f"{d.contraction(jnp.array([1.0, 3.0]))[1]:.6f}"
            '0.900000'
        """
        if not callable(self.damping):
            return self.damping * finite("ts", ts)
        return states_from_zero(Contraction(self.damping), jnp.zeros((), self.omega.dtype), ts)

    # --- levels and wavefunctions, Eqs. 14-20 ------------------------------------------------------------------------

    def energies(self, t: ArrayLike, n: Numbers) -> Array:
        """Gives E_n(t) = hbar omega (n + 1/2) e^(-2 alpha t): levels of the mechanical energy (dtau/dt)^2 H_tau.

        Arguments:
            t: times, any shape (scalar or 1-D, >= 0, where the damping is a function) [time].
            n: levels >= 0, ints of a shape that broadcasts with t.

        Returns:
            energies, the broadcast shape [energy].

        Example:
            >>> f"{DampedOscillator(omega=2.0, damping=0.5).energies(1.0, 3):.6f}"
            '2.575156'

        Source: Blacker & Tilbrook, Eq. 17. The levels of H_tau (Eq. 16) grow; physics is in (dtau/dt)^2 H_tau.
        """
        levels = fock.level_numbers("n", n)
        return self.hbar * self.omega * (levels + 0.5) * jnp.exp(-2 * self.contraction(t))

    def wavefunction(self, n: int, x: Numbers, t: ArrayLike, *, phase: bool = True) -> Array:
        """Gives psi_n(x, t): level n, of width sqrt(hbar/(m omega)) e^(-alpha t), with its dynamical phase.

        psi_n = (m omega/(pi hbar))^(1/4) (2^n n!)^(-1/2) e^(alpha t/2) H_n(xi) e^(-xi^2/2) e^(i theta_n),
        xi = sqrt(m omega/hbar) e^(alpha t) x,  theta_n = -(n + 1/2) omega t.

        Arguments:
            n: level, an int >= 0.
            x: positions, any shape that broadcasts with t [length].
            t: times, as for `energies`.
            phase: False leaves out e^(i theta_n): the real functions that `transition_amplitudes` and the states of
                `evolve` refer to.

        Returns:
            psi, the broadcast shape [length^(-1/2)]; complex with the phase. int |psi|^2 dx = 1 at every t.

        Example:
            >>> x = jnp.linspace(-5.0, 5.0, 201)
            >>> psi = DampedOscillator(omega=1.0, damping=0.5).wavefunction(1, x, 1.0)
            >>> f"{jnp.sum(jnp.abs(psi) ** 2) * 0.05:.6f}"
            '1.000000'

        Source: Blacker & Tilbrook, Eqs. 18-20, with the dynamical phase of Eq. 23.
        """
        n = size("n", n, 0)
        contraction = self.contraction(t)
        per_length = jnp.sqrt(self.mass * self.omega / self.hbar) * jnp.exp(contraction)
        real = jnp.sqrt(per_length) * hermite_functions(n + 1, per_length * finite("x", x))[..., n]
        return real * jnp.exp(-1j * (n + 0.5) * self.omega * finite("t", t)) if phase else real

    # --- transitions, Eqs. 24-32 -------------------------------------------------------------------------------------

    def squeezing(self, ts: Numbers) -> Squeezing:
        """Gives a(t) = u a + v a^dagger: closed form for a number, by `evolve` (ten digits) for a function alpha(t)."""
        self.require_constant("squeezing", force=False, damping=True)
        if not callable(self.damping):
            return damped_squeezing(self.omega, self.damping, finite("ts", ts))
        flow = SqueezingFlow(self.omega, self.damping)
        return squeezing_of(states_from_zero(flow, flow.initial_state(), ts))

    def transition_probabilities(self, ts: Numbers, initial: int = 0, n_max: int = 10) -> Array:
        """Gives the probabilities P_m(t) of finding level m at time t after a start in level `initial`.

        With s^2 = (alpha/Omega)^2 sin^2(Omega t) (Omega^2 = omega^2 - alpha^2; (omega t)^2 at critical damping, sinh
        above), T = s^2/(1 + s^2), b_k = (2k)!/(4^k k!^2):
            P_(0->2k) = b_k T^k/sqrt(1+s^2),   P_(2->2k) = b_k T^(k-1) (2k - s^2)^2/(2 (1+s^2)^(5/2)).
        Levels of the other parity stay empty.

        Arguments:
            ts: times, any shape (scalar or 1-D, >= 0, where the damping is a function) [time].
            initial: the level at time 0, any int >= 0.
            n_max: the highest level reported.

        Returns:
            (*ts.shape, n_max + 1) probabilities; their sum over all levels is 1.

        Example:
            >>> d = DampedOscillator(omega=1.0, damping=1.0)
            >>> p22 = d.transition_probabilities(jnp.sqrt(jnp.array([2.0, 14.0])), initial=2, n_max=2)[:, 2]
            >>> [f"{value:.4f}" for value in jnp.abs(p22)]  # the revival that the paper missed
            ['0.0000', '0.0413']

        Source: Blacker & Tilbrook, Eqs. 26-32, for any initial level.
        """
        sizes = self._column(ts, initial, n_max, phases=False)
        return sizes.real**2 + sizes.imag**2 if jnp.iscomplexobj(sizes) else sizes**2

    def transition_amplitudes(self, ts: Numbers, initial: int = 0, n_max: int = 10) -> Array:
        """Gives <m; t|U(t)|initial; 0> with its phase: amplitudes on the real `wavefunction(m, x, t, phase=False)`.

        Arguments:
            ts, initial, n_max: as for `transition_probabilities`.

        Returns:
            (*ts.shape, n_max + 1) complex.

        Example:
            >>> d = DampedOscillator(omega=1.0, damping=0.0)
            >>> f"{d.transition_amplitudes(jnp.asarray(jnp.pi), 1, 1)[1]:.3f}"  # e^(-i 3 pi/2)
            '-0.000+1.000j'

        Source: Blacker & Tilbrook, Eqs. 22-28; the SU(1,1) matrix element for any level.
        """
        return self._column(ts, initial, n_max, phases=True)

    def _column(self, ts: Numbers, initial: int, n_max: int, phases: bool) -> Array:
        initial, n_max = size("initial", initial, 0), size("n_max", n_max, 0)
        return column(self.squeezing(ts), initial, n_max, phases)

    def propagator(self, ts: Numbers, n_levels: int) -> Array:
        """Gives the block of U(t) on the lowest levels, <m; t|U|n; 0>, (*ts.shape, n_levels, n_levels) complex.

        Example:
            >>> d = DampedOscillator(omega=1.0, damping=0.3)
            >>> u = d.propagator(2.0, 60)
            >>> bool(jnp.allclose((u @ u.conj().T)[:8, :8], jnp.eye(8)))
            True
        """
        return block(self.squeezing(ts), size("n_levels", n_levels), True)

    def mean_energy(self, ts: Numbers, initial: int = 0) -> Array:
        """Gives <m v^2/2 + m omega^2 x^2/2> = hbar omega e^(-2 alpha t) (n + 1/2)(1 + 2 s^2) after a start in level n.

        Arguments:
            ts, initial: as for `transition_probabilities`; n is `initial`.

        Returns:
            The mean energy, of the shape of ts [energy].

        Example:
            >>> f"{DampedOscillator(omega=1.0, damping=1.0).mean_energy(2.0):.4f}"  # e^-4 (1/2)(1 + 8)
            '0.0824'
        """
        n, ts = size("initial", initial, 0), finite("ts", ts)
        self.require_constant("mean_energy", force=False, damping=True)
        shrunk = self.contraction(ts)
        if callable(self.damping):
            squeezed = self.squeezing(ts)
            created = jnp.abs(squeezed.ratio) ** 2 * jnp.exp(2 * (squeezed.log_size - shrunk))
        else:
            # s e^(-alpha t) = alpha S e^(-alpha t), finite where s is not
            created = (self.damping * propagator(self.omega, self.damping, ts)[1]) ** 2
        return self.hbar * self.omega * (n + 0.5) * (jnp.exp(-2 * shrunk) + 2 * created)

    # --- classical motion --------------------------------------------------------------------------------------------

    def trajectory(self, ts: Numbers, x: Numbers, v: Numbers) -> tuple[Array, Array]:
        """Gives the classical motion from (x, v) at time 0, which all states' <x>, <v> follow; free, constant damping.

        Arguments:
            ts: times, any shape (...) [time].
            x, v: position and velocity at time 0, scalars.

        Returns:
            x(t), v(t), (...) each. With a force or alpha(t): `jt.evolve(oscillator.gaussian, ...)`.

        Example:
            >>> x, v = DampedOscillator(omega=1.0, damping=1.0).trajectory(jnp.array([1.0]), 1.0, 0.0)
            >>> f"{x[0]:.6f}"  # 2/e
            '0.735759'
        """
        self.require_constant("trajectory", force=False)
        xx, xv, vx, vv = propagator(self.omega, self.damping, finite("ts", ts))
        x, v = finite("x", x), finite("v", v)
        return xx * x + xv * v, vx * x + vv * v

    @property
    def gaussian(self) -> GaussianOscillator:
        """Gives the moments of coherent, thermal and squeezed states as a model of its own (closed form, `evolve`)."""
        return GaussianOscillator(self)

    # --- dynamics on Fock levels -------------------------------------------------------------------------------------

    def fock_state(self, n: int) -> FockState:
        """Makes level n of the basis at the start.

        Example:
            >>> DampedOscillator(omega=1.0, damping=0.1, n_levels=8).fock_state(2).amplitudes.real.tolist()
            [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        """
        n = size("n", n, 0)
        n_levels = self._levels_for(n)
        require(n < n_levels, "n", f"be below n_levels = {n_levels}", n)
        return self._fock(jnp.zeros(n_levels, self._complex()).at[n].set(1.0))

    def coherent_state(self, alpha: Numbers) -> FockState:
        """Makes |alpha> of the basis at the start; <x> = sqrt(2 hbar/(m omega)) Re alpha."""
        return self.displaced_state(0, alpha)

    def displaced_state(self, n: int, alpha: Numbers) -> FockState:
        """Makes D(alpha)|n>: level n carried to alpha, whose mean moves as the classical oscillator and whose shape
        does as |n>.

        Arguments:
            n: level, an int >= 0.
            alpha: complex amplitude, a scalar.

        Returns:
            A state for `evolve`, of `n_levels` amplitudes.

        Example:
            >>> d = DampedOscillator(omega=1.0, damping=0.1)
            >>> f"{d.observables['x'](d.displaced_state(2, 1.0)):.6f}"
            '1.414214'
        """
        n, alpha = size("n", n, 0), jnp.asarray(alpha)
        require(alpha.ndim == 0, "alpha", "be a scalar", f"shape {alpha.shape}", "Use jax.vmap for several.")
        known = concrete(alpha)
        reach = 3.0 if known is None else float(np.abs(known))
        return self._fock(fock.displaced_ket(self._levels_for(n, reach), n, alpha.astype(self._complex())))

    def _complex(self) -> Any:
        return jnp.result_type(self.omega.dtype, jnp.complex64)

    def _fock(self, amplitudes: Array) -> FockState:
        return FockState(amplitudes.astype(self._complex()), jnp.zeros((), self.omega.dtype))

    def _levels_for(self, n: int, reach: float = 0.0) -> int:
        if self.n_levels is not None:
            return self.n_levels
        unknown = callable(self.damping) or is_traced(self.omega, self.damping)
        return fock.enough_levels(n, reach, None if unknown else float(self.damping_ratio))

    def levels(self, y: FockState) -> Array:
        """Gives the mechanical energies of the instantaneous levels of a state, (n_levels,)."""
        numbers = np.arange(y.amplitudes.shape[0])
        return self.hbar * self.omega * (numbers + 0.5) * jnp.exp(-2 * y.contraction)

    def position_amplitude(self, y: FockState, x: Numbers) -> Array:
        """Gives psi(x) of a state from `evolve`, on positions (...), complex.

        Example:
            >>> d = DampedOscillator(omega=1.0, damping=0.1)
            >>> x = jnp.linspace(-6.0, 6.0, 241)
            >>> f"{jnp.sum(x * jnp.abs(d.position_amplitude(d.coherent_state(1.0), x)) ** 2) * 0.05:.6f}"
            '1.414214'
        """
        shrunk = 0.0 if self.basis == "fixed" else y.contraction
        per_length = jnp.sqrt(self.mass * self.omega / self.hbar) * jnp.exp(jnp.asarray(shrunk))
        functions = hermite_functions(y.amplitudes.shape[0], per_length * finite("x", x))
        return jnp.sqrt(per_length) * matmul(functions.astype(y.amplitudes.dtype), y.amplitudes)

    def misfit(self, y0: PyTree) -> str | None:
        """Asks for amplitudes and the contraction."""
        return None if isinstance(y0, FockState) else "be a state that coherent_state or fock_state makes"

    def vector_field(self, t: ArrayLike, y: FockState, args: PyTree = None) -> FockState:
        """Gives d y/dt on the levels of `basis`: bands, no matrix (Eq. 26 with its phases)."""
        return fock.fock_field(self)(t, y, args)

    @property
    def observables(self) -> dict[str, Callable[[FockState], Array]]:
        """Gives what `evolve` records: x, v, x2, v2, n, energy (mechanical), populations (of instantaneous levels)."""
        return fock.fock_observables(self)

    @property
    def optional_observables(self) -> dict[str, Callable[[FockState], Array]]:
        """Gives what is recorded when asked for by name."""
        return {"levels": self.levels, "amplitudes": lambda y: fock.instantaneous(y, self.basis == "fixed")}

    def diagnostics(self, y: FockState) -> dict[str, Array]:
        """Gives trace_error (of the norm) and truncation (population of the last four levels)."""
        population = jnp.abs(y.amplitudes) ** 2
        return {"trace_error": jnp.abs(jnp.sum(population) - 1), "truncation": jnp.sum(population[-4:])}

    @property
    def diagnostic_limits(self) -> dict[str, float]:
        """Says what each diagnostic may be before it is worth a warning."""
        return {"trace_error": 1e-4, "truncation": 1e-6}
