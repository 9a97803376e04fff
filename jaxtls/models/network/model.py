"""Models TLSs with baths of their own, coupled by noise or coherently: steady states, heat, work and entropy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, PyTree

from ..._checks import concrete, positive, real, require
from ..._types import Numbers
from ...lindblad import CountingStatistics, Lindbladian
from . import full, populations, sectors, steady, triples, whole
from .balance import NetworkBalance, entropy_production
from .checks import RATHER, couplings, three_bodies
from .graph import checked_edges, checked_sites
from .parameters import AbstractNetwork, structure
from .rates import local_currents, thermal_population
from .states import CovarianceState, DensityState, NetworkState, PopulationState

Thermalizer = Literal["local", "global"]


class ThermalNetwork(AbstractNetwork):
    r"""Models N TLSs with local energies and baths, incoherent and coherent couplings on any graph; hbar = k_B = 1.

        H = sum_n w_n n_n + sum_{i<k} K_ik (a_i^dagger a_k + h.c.) + sum_{ijk} g_ijk (a_i a_j^dagger a_k + h.c.)
        d rho/dt = -i[H, rho] + sum_n L_n rho + sum_{i<k} Y_ik (D[a_i^dagger a_k] + D[a_k^dagger a_i]) rho

    `thermalizer="local"`: L_n = Gamma_n D[a_n] + Gamma_n e^(-beta_n w_n) D[a_n^dagger]. "global": Davies' generator of
    H, bath n coupled through sigma_x of its site, rate Gamma_n for energy W released, e^(-beta_n W) times that upward.

    The steady state is solved in the smallest space that closes: N populations where all couplings are incoherent
    (N = 1000 in a second); the N x N covariance of fermions on coherent chains with baths at their ends alone; else the
    density matrix, C(2N, N) real numbers, N <= 7 in 2 GiB (global: N <= 6, or N <= 10 where H is not too degenerate).

    Which is right? Local thermalizers with a coherent coupling break the second law off resonance (Levy & Kosloff);
    `balance` says so. The global one never does, but is not valid where couplings are weak beside rates and levels
    nearly equal: there, at resonance, the local equation is the right one. Incoherent coupling always obeys it;
    off resonance its noise does work.

    Arguments:
        frequencies: w_n, (N,) [energy], > 0.
        betas: inverse temperatures, (N,) [1/energy]; infinity is allowed.
        rates: Gamma_n, (N,) [1/time], >= 0; a site with rate 0 has no bath.
        incoherent: Y, (N, N) symmetric, zero diagonal [1/time], >= 0.
        coherent: K, (N, N) real symmetric, zero diagonal [energy].
        thermalizer: "local" or "global".
        baths: sites that may have a bath, for traced rates (under jit, grad, vmap), where zeros cannot be seen.
        edges: pairs of sites that may be coupled, for traced couplings.
        three_body: {(i, j, k): g} adds g (a_i a_j^dagger a_k + h.c.) to H [energy]: |1 0 1> <-> |0 1 0>. With baths of
            its own at each of three sites, w_j = w_i + w_k, that is the absorption refrigerator of Linden et al.

    Raises:
        ValueError: naming the argument, its value and the remedy.

    Example:
        >>> edge = [[0.0, 0.05], [0.05, 0.0]]
        >>> kw = dict(frequencies=[2.0, 1.0], betas=[1.0, 1.25], rates=[0.1, 0.1])
        >>> nets = {"local": ThermalNetwork(**kw, coherent=edge), "noise": ThermalNetwork(**kw, incoherent=edge),
        ...         "global": ThermalNetwork(**kw, coherent=edge, thermalizer="global")}
        >>> for name, net in nets.items():
        ...     ss = net.steady_state()
        ...     print(f"{name:6} J_A = {net.heat_currents(ss)[0]:+.2e}, entropy {net.entropy_production(ss):+.2e}")
        local  J_A = -9.36e-05, entropy -2.34e-05
        noise  J_A = -5.66e-03, entropy +2.12e-03
        global J_A = +3.88e-05, entropy +9.71e-06

        Tuning the cold site into resonance heals the local model: heat turns at w_B = w_A beta_A/beta_B.

        >>> def entropy(w):
        ...     net = ThermalNetwork([2.0, w], [1.0, 1.25], [0.1, 0.1], coherent=edge)
        ...     return float(net.entropy_production(net.steady_state()))
        >>> [entropy(w) > 0 for w in (1.0, 1.5, 1.7, 1.9, 2.0)]
        [False, False, True, True, True]

    Source: Diosi, "Autonomy of coupled quantum thermodynamic systems" (slides); Levy & Kosloff, arXiv:1402.3825. The
    slide's one-TLS current has e^(+beta w) for e^(-beta w), and its J_A lacks 1/((1+x_A)(1+x_B)); corrected here.
    """

    def __init__(
        self,
        frequencies: Numbers,
        betas: Numbers,
        rates: Numbers,
        incoherent: Numbers | None = None,
        coherent: Numbers | None = None,
        thermalizer: str = "local",
        baths: Iterable[int] | None = None,
        edges: Iterable[tuple[int, int]] | None = None,
        three_body: object = None,
    ):
        kinds = get_args(Thermalizer)
        require(thermalizer in kinds, "thermalizer", f"be one of {', '.join(map(repr, kinds))}", repr(thermalizer))
        self.thermalizer = thermalizer
        self.frequencies = positive("frequencies", frequencies)
        self.rates = positive("rates", rates, zero=True, remedy="A site without a bath has rate 0.")
        self.betas = real("betas", betas)
        require(
            self.frequencies.ndim == 1 and self.frequencies.shape[0] >= 1,
            "frequencies",
            "have shape (N,)",
            f"shape {self.frequencies.shape}",
            "Use jax.vmap for several networks.",
        )
        n = self.frequencies.shape[0]
        for name, value in (("betas", self.betas), ("rates", self.rates)):
            require(value.shape == (n,), name, f"have shape ({n},), one for each frequency", f"shape {value.shape}")
        known = concrete(self.betas)
        if known is not None:
            good = not bool(np.any(np.isnan(known) | (known == -np.inf)))
            require(good, "betas", "be numbers above -infinity", betas, "Zero temperature is beta = jnp.inf.")
        self.baths, self.edges = checked_sites(n, baths), checked_edges(n, edges)
        self.incoherent = couplings("incoherent", incoherent, n, self.edges, least=0.0)
        self.coherent = couplings("coherent", coherent, n, self.edges)
        self.triples, self.triple_couplings = three_bodies(n, three_body, self.frequencies.dtype)
        local = not self.triples or thermalizer == "local"
        remedy = "Build the equation with jt.BlochRedfield(H, couplings, secular='full')."
        require(local, "three_body", "be None with global thermalizers", f"{len(self.triples)} couplings", remedy)
        rate = concrete(self.rates)
        if rate is not None and self.baths is not None:
            others = np.delete(rate, self.baths)
            require(not np.any(others), "rates", "be zero off the declared baths", rates, "Add the sites to baths=.")

    # --- states ------------------------------------------------------------------------------------------------------

    def thermal_state(self, betas: Numbers | None = None) -> NetworkState:
        """Gives the product of Gibbs states of the sites, each at its own bath's temperature or at `betas`.

        Arguments:
            betas: inverse temperature, a number or (N,) [1/energy]; None: each site's own.

        Returns:
            A state for `evolve`: compact where the network closes.

        Example:
            >>> net = ThermalNetwork([1.0, 1.0], [0.5, 2.0], [1.0, 0.3], incoherent=[[0.0, 0.7], [0.7, 0.0]])
            >>> sol = jt.evolve(net, net.thermal_state(betas=jnp.inf), jnp.linspace(0.0, 20.0, 3))
            >>> print(np.round(sol.observables["heat_currents"][-1], 4))
            [ 0.0518 -0.0518]
        """
        if betas is None:
            return self.product_state(self.thermal_populations)
        betas = jnp.broadcast_to(real("betas", betas), (self.n_tls,))
        return self.product_state(thermal_population(betas, self.frequencies))

    def product_state(self, populations: Numbers) -> NetworkState:
        """Gives the product of diagonal states with excited populations (N,), a state for `evolve`.

        Example:
            >>> net = ThermalNetwork([1.0, 1.0], [0.5, 2.0], [1.0, 0.3], incoherent=[[0.0, 0.7], [0.7, 0.0]])
            >>> print(net.populations(net.product_state([1.0, 0.0])))
            [1. 0.]
        """
        given = real("populations", populations)
        require(given.shape == (self.n_tls,), "populations", f"have shape ({self.n_tls},)", f"shape {given.shape}")
        known = concrete(given)
        if known is not None:
            require(bool(np.all((known >= 0) & (known <= 1))), "populations", "lie in [0, 1]", populations)
        n, shape = self.n_tls, structure(self)
        reference = given.astype(self.frequencies.dtype)
        if self.triples:
            kept = shape.moves
            return DensityState(reference, jnp.zeros(len(sectors.pairs(n, kept)[0]), reference.dtype), kept=kept)
        if not shape.coherent.any():
            return PopulationState(reference, jnp.zeros_like(reference))
        if shape.is_chains():
            return CovarianceState(reference, jnp.zeros((n, n), reference.dtype))
        limit = steady.MAX_DAVIES_BLOCKS if self.thermalizer == "global" else steady.MAX_SITES
        require(n <= limit, "frequencies", f"have at most {limit} sites for a density matrix in motion", n, RATHER)
        return DensityState(reference, jnp.zeros(sectors.dimension(n), reference.dtype))

    def steady_state(self, *, max_memory: float = 2.0) -> NetworkState:
        """Finds the steady state, in the smallest form that closes; differentiable, and refused where it is not unique.

        Arguments:
            max_memory: GiB that may be taken, where a density matrix must be solved for.

        Returns:
            A state for `populations`, `heat_currents`, `balance`, ...

        Raises:
            ValueError: where sites are cut off from every bath, or the problem is too large; the message says why.

        Example:
            >>> chain = jnp.diag(jnp.full(999, 0.2), 1) + jnp.diag(jnp.full(999, 0.2), -1)
            >>> ends = jnp.zeros(1000).at[jnp.array([0, 999])].set(1.0)
            >>> net = ThermalNetwork(jnp.ones(1000), jnp.linspace(0.5, 2.0, 1000), ends, incoherent=chain)
            >>> type(net.steady_state()).__name__
            'PopulationState'

        Source: Diosi, slides 6 and 7, beyond first order and for any graph.
        """
        return steady.solve(self, max_memory)

    # --- what a state says -------------------------------------------------------------------------------------------

    def populations(self, state: NetworkState) -> Array:
        """Gives the populations <n_i>, (N,)."""
        return state.reference + state.population_excess

    def _triple_energies(self, state: NetworkState) -> Array:
        """Give 2 g Re <a_i a_j^dagger a_k> of each three-body coupling, (K,)."""
        found = state.triple_coherences
        return jnp.zeros_like(self.triple_couplings) if found is None else 2 * self.triple_couplings * found

    def energy(self, state: NetworkState) -> Array:
        """Gives <H>, the coherent couplings included [energy]."""
        bonds = jnp.sum(self.symmetric(self.coherent) * state.coherences)
        return jnp.sum(self.frequencies * self.populations(state)) + bonds + jnp.sum(self._triple_energies(state))

    def heat_currents(self, state: NetworkState) -> Array:
        """Gives Tr(H L_n rho): heat from each bath into the system, (N,) [energy/time].

        Local: J_n = w_n g_n (f_n - <n_n>) - g_n sum_k K_nk Re <a_n^dagger a_k> - g_n/2 <three-body couplings of n>.

        Source: Diosi, slide 7, corrected (see the class) and with the energy of the coupling.
        """
        found = state.global_currents(self) if self.thermalizer == "global" else None
        if found is not None:
            return found
        populations = (state.reference, self.thermal_populations, state.population_excess)
        bonds = self.symmetric(self.coherent), state.coherences
        two_body = local_currents(self.relaxation_rates, self.frequencies, populations, bonds)
        return two_body - self.relaxation_rates / 2 * triples.of_sites(
            self.n_tls, self.triples, self._triple_energies(state)
        )

    def work_power(self, state: NetworkState) -> Array:
        """Gives the power that the coupling noise delivers to the system [energy/time].

        sum_{i<k} Y_ik (w_i - w_k)(<n_k> - <n_i>) - sum_{i<k} K_ik (s_i + s_k) Re <a_i^dagger a_k>,  s_i = sum_k Y_ik,
        less what the noise takes from three-body couplings (`triples.dephasing`).
        """
        noise, w = self.noise, self.frequencies
        # In two parts: differences of nearly equal populations keep their digits.
        flow = populations.mixing(noise, state.reference) + populations.mixing(noise, state.population_excess)
        spread = jnp.sum(noise, axis=1)
        dephasing = self.symmetric(self.coherent) * state.coherences * (spread[:, None] + spread[None, :]) / 2
        of_triples = triples.dephasing(noise, self.triples) * self._triple_energies(state)
        return jnp.sum(w * flow) - jnp.sum(dephasing) - jnp.sum(of_triples)

    def entropy_production(self, state: NetworkState) -> Array:
        """Gives -sum_n beta_n J_n [1/time]: of a steady state; one in motion adds its dS/dt. The noise carries none."""
        return entropy_production(self.betas, self.heat_currents(state))

    def first_law_residual(self, state: NetworkState) -> Array:
        """Gives sum_n J_n + work_power [energy/time]: 0 in a steady state, dE/dt otherwise."""
        return jnp.sum(self.heat_currents(state)) + self.work_power(state)

    def lindbladian(self) -> Lindbladian:
        """Gives the local master equation in operators: emission and absorption by each bath, then the noise's hops.

        Example:
            >>> net = ThermalNetwork([1.0, 3.0, 2.0], [1.0, 1.1, 0.2], [0.05] * 3, three_body={(0, 1, 2): 0.03})
            >>> net.lindbladian().n, len(net.lindbladian().rates)
            (8, 6)
        """
        remedy = "Build it with jt.BlochRedfield(H, couplings, secular='full')."
        require(self.thermalizer == "local", "thermalizer", 'be "local"', repr(self.thermalizer), remedy)
        return full.lindbladian(self)

    def heat_statistics(self) -> CountingStatistics:
        """Gives the steady current and noise of the quanta w_i that each bath gives to the system, (N,) each.

        A quantum counts w_i, whatever the couplings add to the energy: the current is `heat_currents` less the energy
        of the couplings, and equal to it where couplings are incoherent or three-body in resonance.

        Raises:
            ValueError: for global thermalizers; or several steady states.

        Example:
            >>> net = ThermalNetwork([1.0, 3.0, 2.0], [1.0, 1.1, 0.2], [0.05] * 3, three_body={(0, 1, 2): 0.03})
            >>> heat = net.heat_statistics()
            >>> print(np.round(heat.current / heat.current[0], 6))     # cools: COP = w_cold/w_hot
            [ 1. -3.  2.]

        Source: `counting_statistics`; N. Linden, S. Popescu, P. Skrzypczyk, Phys. Rev. Lett. 105, 130401 (2010).
        """
        self.lindbladian()
        return full.heat_statistics(self)

    def balance(self, state: NetworkState) -> NetworkBalance:
        """Gives all of these in one, with a flag where the model breaks the second law, and why.

        Example:
            >>> net = ThermalNetwork([2.0, 1.0], [1.0, 1.25], [0.1, 0.1], incoherent=[[0.0, 0.05], [0.05, 0.0]])
            >>> print(net.balance(net.steady_state()))  # doctest: +ELLIPSIS
            NetworkBalance: 2 TLSs
              heat currents       [-0.00565...  0.00282...]
              work power          0.00282...
              entropy production  0.00212...
              first-law residual  ...
        """
        heat, work = self.heat_currents(state), self.work_power(state)
        produced = entropy_production(self.betas, heat)
        gross = jnp.where(jnp.isinf(self.betas), 0.0, jnp.abs(self.betas)) * self.frequencies * self.relaxation_rates
        rounding = 100 * jnp.finfo(produced.dtype).eps * jnp.sum(gross)
        detuning = jnp.zeros_like(produced)
        if self.thermalizer == "local" and self.coherent is not None:
            apart = jnp.abs(self.frequencies[:, None] - self.frequencies[None, :])
            detuning = jnp.max(jnp.where(self.symmetric(self.coherent) != 0, apart, 0.0))
        found = (self.populations(state), heat, work, produced, jnp.sum(heat) + work)
        return NetworkBalance(*found, produced < -rounding, detuning)

    def correlations(self, state: NetworkState) -> Array:
        """Gives <n_i n_k>, (N, N); <n_i> on the diagonal. Solved for now, where a steady state holds populations alone.

        Incoherent: N^2 equations by preconditioned conjugate gradients. Coherent chains without noise are Gaussian:
        <n_i n_k> = <n_i><n_k> - |<c_i^dagger c_k>|^2. Chains with noise: the density matrix.

        Raises:
            ValueError: for a state in motion that does not hold its correlations, or too many sites.

        Example:
            >>> net = ThermalNetwork([1.0, 1.0], [0.5, 2.0], [1.0, 1.0], incoherent=[[0.0, 0.2], [0.2, 0.0]])
            >>> ss = net.steady_state()
            >>> c, n = net.correlations(ss), net.populations(ss)
            >>> f"{c[0, 1] - n[0] * n[1]:.6f}"
            '-0.002878'
        """
        return whole.correlations(state, self)

    def density_matrix(self, state: NetworkState, *, max_memory: float = 2.0) -> Array:
        """Gives the density matrix, (2^N, 2^N) complex, basis (ground, excited) per site, first site slowest.

        Arguments:
            max_memory: GiB that may be taken; more is refused with the number, before anything is allocated.

        Returns:
            rho, Hermitian, of trace 1.

        Example:
            >>> net = ThermalNetwork([1.0, 1.0], [0.5, 2.0], [1.0, 1.0], incoherent=[[0.0, 0.2], [0.2, 0.0]])
            >>> net.density_matrix(net.steady_state()).shape
            (4, 4)
        """
        return whole.density_matrix(state, self, max_memory)

    # --- motion ------------------------------------------------------------------------------------------------------

    @property
    def observables(self) -> dict[str, Callable]:
        """Gives populations (N,), heat_currents (N,), work_power, energy."""
        names = ("populations", "heat_currents", "work_power", "energy")
        return {name: getattr(self, name) for name in names}

    def misfit(self, y0: PyTree) -> str | None:
        """Asks for a state of a network."""
        return None if isinstance(y0, NetworkState) else "be a state that thermal_state or product_state makes"

    def generator(self, y0: NetworkState) -> Callable[[Any, NetworkState, Any], NetworkState]:
        """Gives the right-hand side for states of y0's kind and reference; what does not move is made once."""
        change = y0.change(self)

        def field(t: ArrayLike, y: NetworkState, args: PyTree = None) -> NetworkState:
            return dataclasses.replace(y, reference=jnp.zeros_like(y.reference), excess=change(y.excess))

        return field

    def vector_field(self, t: ArrayLike, y: NetworkState, args: PyTree = None) -> NetworkState:
        """Gives dy/dt of the master equation; pure."""
        return self.generator(y)(t, y, args)
