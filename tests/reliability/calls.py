"""Public functions with good arguments: what the table of `tests/README.md` spoils one by one."""

import functools
import os
import tempfile
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxtls as jt

SZ, SM, SX = np.diag([1.0, -1.0]), np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 1.0], [1.0, 0.0]])
TS, RHO, RHO4 = np.linspace(0.0, 1.0, 3), np.diag([0.6, 0.4]), np.diag([0.4, 0.3, 0.2, 0.1])
BLOCH = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.5]])
PAIR = np.array([0.5, 1.0])
COUPLINGS = np.ones((3, 3)) - np.eye(3)
FREQUENCIES = 5e9 + np.linspace(-5e5, 5e5, 51)
TRACE = 1 - 0.4 / (1 + 2j * (FREQUENCIES - 5e9) / 1e5)
NUMBERS = {"omega": 1.0, "splitting": 1.0, "gamma": 1.0, "beta": 1.0, "n_spins": 3, "omega_0": 0.5, "mass": 1.0}


@functools.cache
def _folder() -> str:
    return os.path.join(tempfile.mkdtemp(), "store")


def _merged(store: str) -> Any:
    if store == _folder():
        jt.ensemble(jax.random.normal, jax.random.key(0), 4, store=store, part=(0, 1))
    return jt.merge(store)


def _ohmic(w: Any) -> Any:
    """A bath at temperature 1."""
    return 0.1 * w / -np.expm1(-w) if w else 0.1


def calls() -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """name -> function, good keyword arguments. Made when asked for: importing starts no device."""
    key = jax.random.key(0)
    spring = jt.EntropicSpring(**NUMBERS, n_levels=24, n_modes=2)
    qubit = jt.Lindbladian(SZ, [SM, SM.T], rates=[1.0, 0.2])
    glass = jt.TLSGlass([1.0, 2.0, 3.0], COUPLINGS, [0.1, 0.2, 0.3], 0.2)
    pair = jt.Fluctuators(PAIR, PAIR, PAIR[::-1].copy())
    damped = jt.DampedOscillator(omega=1.0, damping=0.1)
    density = jt.OhmicSpectralDensity(gamma_0=0.05, cutoff=5.0)
    fitted = {"predict": lambda m: {"R_S": m.entropic_ratio}, "model": spring, "data": {"R_S": jnp.asarray(0.5)}}
    found: dict[str, tuple[Callable, dict]] = {
        "EntropicSpring": (jt.EntropicSpring, {**NUMBERS, "n_levels": 12, "n_modes": 2}),
        "EntropicSpring.from_couplings": (
            jt.EntropicSpring.from_couplings,
            {"couplings": [0.1, 0.2], "energies": [1.0, 2.0], "omega_p": 1.0, "beta": 1.0, "gamma": 1.0, "mass": 1.0},
        ),
        "cite": (jt.cite, {"model": "EntropicSpring"}),
        "weak_coupling_rates": (jt.weak_coupling_rates, {"spring": spring, "alpha": 0.5}),
        "TunnellingSolid": (
            jt.TunnellingSolid,
            {"gamma_l": 1.0, "gamma_t": 0.6, "v_l": 5.8e3, "v_t": 3.8e3, "density": 2.2e3, "p_bar": 1e45},
        ),
        "OhmicSpectralDensity": (jt.OhmicSpectralDensity, {"gamma_0": 0.1, "cutoff": 5.0, "mass": 1.0}),
        "DiscreteSpectralDensity": (
            jt.DiscreteSpectralDensity,
            {"couplings": [0.1, 0.2], "tunnellings": [1.0, 2.0], "asymmetries": [0.0, 0.1]},
        ),
        "SpinBathOscillator": (
            jt.SpinBathOscillator,
            {"omega_0": 1.0, "spectral_density": density, "temperature": 0.5, "mass": 1.0, "static_diffusion": 0.1},
        ),
        "TLSHeatedOscillator": (
            jt.TLSHeatedOscillator,
            {"omega_0": 1.0, "splitting": 1.0, "coupling": 0.1, "gamma": 1.0, "n_bar": 0.2, "n_levels": 8},
        ),
        "ThermalNetwork": (
            jt.ThermalNetwork,
            {"frequencies": [1.0, 1.2], "betas": [1.0, 2.0], "rates": [0.1, 0.1], "incoherent": 0.1 * SX},
        ),
        "ResonatorLoss": (jt.ResonatorLoss, {"frequency": 5e9, "loss_tangent": 1e-6, "critical_power": 1.0}),
        "photon_number": (
            jt.photon_number,
            {"power": -80.0, "quality_factor": 1e6, "coupling_quality_factor": 1e5, "frequency": 5e9},
        ),
        "ResonatorTrace": (
            jt.ResonatorTrace,
            {
                "f_r": 5e9,
                "Q_internal": 2e5,
                "Q_coupling": 1e5,
                "asymmetry": 0.2,
                "gain": 1.0,
                "phase": 1.0,
                "delay": 4e-8,
                "tilt": 0.1,
            },
        ),
        "fit_trace": (
            lambda **k: jax.tree.map(np.asarray, jt.fit_trace(**k).values),
            {"frequencies": FREQUENCIES, "s21": TRACE, "form": "notch"},
        ),
        "fit_traces": (lambda **k: jt.fit_traces(["lost.s2p"], **k), {"temperature": 0.1, "power_dBm": -40.0}),
        "TLSGlass": (
            jt.TLSGlass,
            {
                "frequencies": [1.0, 2.0, 3.0],
                "couplings": COUPLINGS,
                "rates": [0.1, 0.2, 0.3],
                "occupation": 0.2,
                "dissipation": 1.0,
            },
        ),
        "TLSGlass.sample": (
            jt.TLSGlass.sample,
            {"key": key, "n_tls": 4, "tunnelling": 0.1, "decades": 2.0, "compression": 1e3, "dissipation": 1.0},
        ),
        "DampedOscillator": (jt.DampedOscillator, {"omega": 1.0, "damping": 0.1, "mass": 1.0, "hbar": 1.0}),
        "PhaseQubit": (
            jt.PhaseQubit,
            {"resistance": 1e3, "capacitance": 1e-12, "critical_current": 1e-6, "bias_current": 5e-7},
        ),
        "FluxQubit": (
            jt.FluxQubit,
            {
                "resistance": 1e3,
                "capacitance": 1e-12,
                "critical_current": 1e-6,
                "inductance": 1e-10,
                "flux": 1e-16,
            },
        ),
        "Lindbladian": (jt.Lindbladian, {"hamiltonian": SZ, "jump_ops": [SM], "rates": [1.0]}),
        "thermal_occupation": (jt.thermal_occupation, {"splitting": 1.0, "temperature": 1.0}),
        "coherent_state": (jt.coherent_state, {"n_levels": 8, "alpha": 0.5}),
        "thermal_state": (jt.thermal_state, {"n_levels": 8, "mean_number": 0.5}),
        "fock_state": (jt.fock_state, {"n_levels": 8, "k": 2}),
        "partial_trace": (jt.partial_trace, {"rho": RHO4, "dims": (2, 2), "keep": (0,)}),
        "purity": (jt.purity, {"rho": RHO}),
        "von_neumann_entropy": (jt.von_neumann_entropy, {"rho": RHO}),
        "relative_entropy": (jt.relative_entropy, {"rho": RHO, "sigma": np.eye(2) / 2}),
        "concurrence": (jt.concurrence, {"rho": RHO4}),
        "negativity": (jt.negativity, {"rho": RHO4, "dims": (2, 2)}),
        "expect": (jt.expect, {"op": SZ, "rho": RHO}),
        "fidelity": (jt.fidelity, {"rho": RHO, "sigma": np.eye(2) / 2}),
        "wigner": (jt.wigner, {"rho": RHO, "xs": TS, "ps": TS}),
        "TLSGlass.concurrence": (glass.concurrence, {"bloch": BLOCH, "ts": TS}),
        "TLSGlass.product_state": (glass.product_state, {"bloch": BLOCH}),
        "TLSGlass.pair_density_matrices": (glass.pair_density_matrices, {"bloch": BLOCH, "ts": TS}),
        "TLSGlass.reduced_density_matrix": (glass.reduced_density_matrix, {"bloch": BLOCH, "t": 0.1, "sites": (0, 1)}),
        "TLSGlass.half_system_entropy": (
            jt.TLSGlass.sample(key, 4).half_system_entropy,
            {"bloch": np.concatenate([BLOCH, BLOCH[:1]]), "ts": TS},
        ),
        "Fluctuators": (jt.Fluctuators, {"amplitudes": PAIR, "rates_up": PAIR, "rates_down": PAIR}),
        "Fluctuators.sample_bath": (
            jt.Fluctuators.sample_bath,
            {
                "key": key,
                "n": 4,
                "slowest": 0.1,
                "fastest": 10.0,
                "amplitude": 0.1,
                "temperature": 1.0,
                "max_energy": 2.0,
            },
        ),
        "Fluctuators.autocovariance": (pair.autocovariance, {"taus": TS}),
        "Fluctuators.spectrum": (pair.spectrum, {"omegas": TS}),
        "Fluctuators.allan_variance": (pair.allan_variance, {"taus": TS}),
        "Fluctuators.coherence": (pair.coherence, {"ts": TS, "pulses": 2}),
        "Fluctuators.sample": (pair.sample, {"key": key, "ts": TS, "initial": np.array([1.0, -1.0])}),
        "Fluctuators.log_likelihood": (
            pair.log_likelihood,
            {"ts": TS, "signal": np.array([0.1, 1.0, -0.4]), "sigma": 0.3, "offset": 0.1},
        ),
        "Fluctuators.posterior_mean": (
            pair.posterior_mean,
            {"ts": TS, "signal": np.array([0.1, 1.0, -0.4]), "sigma": 0.3, "offset": 0.1},
        ),
        "TelegraphRecord": (
            lambda offset, sigma: jt.TelegraphRecord(pair, offset, sigma),
            {"offset": 0.1, "sigma": 0.3},
        ),
        "TelegraphRecord.expected_signal": (
            jt.TelegraphRecord(pair, 0.1, 0.3).expected_signal,
            {"ts": TS, "signal": np.array([0.1, 1.0, -0.4])},
        ),
        "TelegraphRecord.sample": (jt.TelegraphRecord(pair, 0.1, 0.3).sample, {"key": key, "ts": TS}),
        "random_bloch_vectors": (jt.random_bloch_vectors, {"key": key, "n_tls": 3}),
        "DampedOscillator.energies": (damped.energies, {"t": 1.0, "n": 2}),
        "DampedOscillator.wavefunction": (damped.wavefunction, {"n": 1, "x": TS, "t": 0.5}),
        "DampedOscillator.transition_probabilities": (
            damped.transition_probabilities,
            {"ts": TS, "initial": 0, "n_max": 4},
        ),
        "evolve": (
            lambda **k: jt.evolve(spring, **k),
            {"y0": spring.coherent_state(0.3), "ts": TS, "rtol": 1e-6, "atol": 1e-8, "max_steps": 1000},
        ),
        "mesolve": (
            jt.mesolve,
            {
                "hamiltonian": SZ,
                "jump_ops": [SM],
                "rho0": RHO,
                "tsave": TS,
                "exp_ops": [SZ],
                "rates": [1.0],
                "t0": -1.0,
                "rtol": 1e-6,
                "atol": 1e-8,
            },
        ),
        "mesolve of samples": (
            lambda hamiltonian: jt.mesolve([SZ, (SX, hamiltonian)], [SM], RHO, TS, [SZ]),
            {"hamiltonian": [1.0, 0.5, 0.2]},
        ),
        "sampled": (
            lambda **k: jt.sampled(op=SX, **k)(0.3),
            {"times": TS, "values": [1.0, 0.5, 0.2], "order": 3},
        ),
        "sesolve": (
            jt.sesolve,
            {
                "hamiltonian": SZ,
                "psi0": np.array([1.0, 0.0]),
                "tsave": TS,
                "exp_ops": [SZ],
                "t0": -1.0,
                "rtol": 1e-6,
                "atol": 1e-8,
            },
        ),
        "steady_state": (
            lambda hamiltonian, rates: jt.steady_state(jt.Lindbladian(hamiltonian, [SM, SM.T], rates)),
            {"hamiltonian": SZ, "rates": [1.0, 0.2]},
        ),
        "BlochRedfield": (
            lambda hamiltonian, coupling, secular: jt.BlochRedfield(hamiltonian, [(coupling, _ohmic)], secular),
            {"hamiltonian": SZ, "coupling": SX, "secular": 0.5},
        ),
        "propagator": (jt.propagator, {"generator": SZ, "ts": TS}),
        "periodic_steady_state": (lambda **k: jt.periodic_steady_state(qubit, **k), {"period": 1.0, "n_times": 2}),
        "counting_statistics": (lambda **k: jt.counting_statistics(qubit, **k), {"weights": [1.0, -1.0]}),
        "correlation": (lambda **k: jt.correlation(qubit, **k), {"rho": RHO, "a": SZ, "b": SZ, "c": SZ, "taus": TS}),
        "steady_state from a state": (lambda rho0: jt.steady_state(qubit, rho0), {"rho0": RHO}),
        "spectrum": (
            lambda **k: jt.spectrum(qubit, **k),
            {"rho": np.diag([1 / 6, 5 / 6]), "a": SZ, "b": SZ, "omegas": TS},
        ),
        "trajectories": (
            jt.trajectories,
            {
                "hamiltonian": SX,
                "jump_ops": [SM],
                "psi0": np.array([1.0, 0.0]),
                "tsave": TS,
                "n": 4,
                "key": key,
                "exp_ops": [SZ],
                "rtol": 1e-6,
                "atol": 1e-8,
                "max_step": 0.5,
            },
        ),
        "ensemble": (
            jt.ensemble,
            {"realization": lambda k: jax.random.normal(k), "key": key, "n": 4, "batch_size": 2},
        ),
        "ensemble in parts": (
            functools.partial(jt.ensemble, jax.random.normal, key, 4, store=_folder()),
            {"part": (0, 1)},
        ),
        "merge": (_merged, {"store": _folder()}),
        "fit": (
            jt.fit,
            {**fitted, "sigma": {"R_S": 0.01}, "free": {"splitting": jt.Positive()}, "n_starts": 1},
        ),
        "fit_likelihood": (
            jt.fit_likelihood,
            {
                "log_likelihood": lambda m: -((m.omega - 2.0) ** 2),
                "model": damped,
                "free": {"omega": jt.Positive()},
                "n_starts": 1,
                "max_steps": 20,
                "atol": 1e-4,
            },
        ),
        "fit_power_law": (
            jt.fit_power_law,
            {"ts": np.array([1.0, 2.0, 4.0, 8.0]), "mean": np.array([1.0, 2.1, 3.9, 8.2]), "sem": np.full(4, 0.1)},
        ),
    }
    return {**found, **_tls_bath(key)}


def _tls_bath(key: Any) -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    moving = {"shifts": np.full((2, 1), 0.1), "rates_up": np.ones((2, 1)), "rates_down": np.full((2, 1), 2.0)}
    tls = {"frequencies": [5.0, 5.2], "couplings": [0.1, 0.2], "relaxation": 0.1, "dephasing": 0.2}
    still, bath = jt.TLSBath([5.0, 5.2], [0.1, 0.2], 0.1), jt.TLSBath(**tls, **moving)
    solid = {"dipole": 3e-30, "fields": [1.0, 2.0], "volumes": [1e-16, 1e-17], "band": (2.8e10, 3.4e10)}
    return {
        "TLSBath": (jt.TLSBath, {**tls, **moving}),
        "TLSBath.sample": (
            jt.TLSBath.sample,
            {"key": key, "n": 3, "band": (4.0, 6.0), "max_coupling": 0.1, "relaxation": 0.1, "min_tunnelling": 0.01},
        ),
        "TLSBath.from_solid": (
            lambda **k: jt.TLSBath.from_solid(key, 3, jt.TunnellingSolid.preset("silica"), **k),
            {**solid, "temperature": 0.02, "min_tunnelling": 0.01},
        ),
        "TLSBath.relaxation_rate": (bath.relaxation_rate, {"frequency": 5.0, "states": np.ones((2, 1))}),
        "TLSBath.relaxation_rate of driven TLSs": (still.relaxation_rate, {"frequency": 5.0, "excited": [0.1, 0.2]}),
        "TLSBath.saturation": (still.saturation, {"pump": 5.0, "photons": 1.0, "thermal": 0.1}),
        "TLSBath.rate_autocovariance": (bath.rate_autocovariance, {"frequency": 5.0, "taus": TS}),
        "TLSBath.rate_trace": (lambda **k: bath.rate_trace(key, **k), {"ts": TS, "frequency": 5.0}),
        "TLSBath.amplitude": (still.amplitude, {"frequency": 5.0, "ts": TS, "relaxation": 0.1}),
        "TLSBath.swap_map": (still.swap_map, {"frequency": TS, "ts": TS, "relaxation": 0.1}),
        "TLSBath.populations": (
            bath.populations,
            {
                "frequency": 5.0,
                "ts": TS,
                "relaxation": 0.1,
                "dephasing": 0.1,
                "excited": 0.9,
                "tls_excited": [0.1, 0.2],
                "thermal": 0.1,
            },
        ),
    }
