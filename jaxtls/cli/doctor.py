"""`jaxtls doctor` prints what `info` does, and makes a short self-test of this device against closed forms."""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import info

if TYPE_CHECKING:
    from jaxtyping import Array

    from ..models.damped.fock import FockState

# The largest error that is none: in double and in single precision.
DOUBLE, SINGLE = 1e-6, 2e-3
SIZE, PROBLEMS = 1024, 1000


def add(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    command = commands.add_parser(
        "doctor",
        help="a short self-test of this device, for a bug report",
        description="Print what `info` prints, then solve small problems on this device and compare them with closed "
        "forms: errors, times, speed. Some 15 seconds on a quiet machine, most of it compilation. The exit code is 1 "
        "if a number is wrong.",
    )
    command.add_argument("--single", action="store_true", help="single precision")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print versions and the device, then the self-test."""
    import jax

    print("\n".join(info.lines()), flush=True)
    # A program may choose its precision; a library may not.
    jax.config.update("jax_enable_x64", not options.single)
    limit = SINGLE if options.single else DOUBLE
    print(f"\nIn {'single' if options.single else 'double'} precision:")
    print(f"{'against a closed form':<34}{'error':>9}{'first call':>12}{'again':>10}")
    wrong = []
    for name, test in TESTS.items():
        try:
            error, first, again = judged(test)
        except Exception as fault:
            # What a broken driver raises has no common class, and the next problem may still say something.
            print(f"{name:<34}{type(fault).__name__}: {str(fault).splitlines()[0]}", flush=True)
            wrong.append(name)
            continue
        good = error <= limit
        wrong += [] if good else [name]
        print(f"{name:<34}{error:9.1e}{first:10.2f} s{1e3 * again:7.1f} ms{'' if good else '   WRONG'}", flush=True)
    rate, flops = speeds()
    print(f"\nspeed: {flops / 1e9:.3g} GFLOP/s in a matrix product, {rate:.3g} driven qubits a second in a batch")
    print(f"WRONG: {', '.join(wrong)}" if wrong else f"All errors are below {limit:.0e}.")
    return 1 if wrong else 0


def judged(test: Callable[[], tuple[Array, Array]]) -> tuple[float, float, float]:
    """Returns the largest error, and the seconds of the first call and of the next.

    Example:
        >>> judged(decay)[0] < 1e-3
        True
    """
    import jax.numpy as jnp

    began = time.perf_counter()
    found, exact = test()
    error = float(jnp.max(jnp.abs(found - exact)))
    first = time.perf_counter() - began
    began = time.perf_counter()
    test()[0].block_until_ready()
    return error if error == error else float("inf"), first, time.perf_counter() - began


def decay() -> tuple[Array, Array]:
    """Solves a qubit that decays: e^(-t)."""
    import jax.numpy as jnp

    from .. import mesolve

    lower, ts = jnp.array([[0.0, 0.0], [1.0, 0.0]]), jnp.linspace(0.0, 2.0, 5)
    found = mesolve(jnp.zeros((2, 2)), [lower], jnp.array([1.0, 0.0]), ts, [lower.T @ lower]).expects[0].real
    return found, jnp.exp(-ts)


def _excited(drive: Array) -> Array:
    import jax.numpy as jnp

    from .. import Lindbladian, steady_state

    lower = jnp.array([[0.0, 0.0], [1.0, 0.0]])
    return steady_state(Lindbladian(drive / 2 * (lower + lower.T), [lower]), throw=False)[0, 0].real


@functools.cache
def _excited_and_slope() -> Callable[[Array], tuple[Array, Array]]:
    import jax

    return jax.jit(jax.vmap(jax.value_and_grad(_excited)))


def rest() -> tuple[Array, Array]:
    """Computes a driven qubit at rest, W^2/(1 + 2 W^2), and its derivative, in a batch."""
    import jax.numpy as jnp

    drives = jnp.array([0.3, 1.0, 3.0])
    values, slopes = _excited_and_slope()(drives)
    share = 1 + 2 * drives**2
    return jnp.stack([values, slopes]), jnp.stack([drives**2 / share, 2 * drives / share**2])


def _ground(state: FockState) -> Array:
    import jax.numpy as jnp

    return jnp.abs(state.amplitudes[0]) ** 2


def damping() -> tuple[Array, Array]:
    """A damped oscillator stays in its ground state with the probability of the closed form; by diffrax."""
    import jax.numpy as jnp

    from .. import DampedOscillator, evolve

    model, ts = DampedOscillator(omega=1.0, damping=0.5, n_levels=40), jnp.linspace(0.0, 1.0, 3)
    rtol = 1e-8 if ts.dtype == "float64" else 1e-5
    found = evolve(model, model.fock_state(0), ts, observables={"stayed": _ground}, rtol=rtol, atol=rtol)
    return found.observables["stayed"], model.transition_probabilities(ts, initial=0, n_max=0)[:, 0]


def glass() -> tuple[Array, Array]:
    """Gives a pair of three TLSs of an open glass: the closed form and the exponential of its Liouvillian."""
    import numpy as np
    import scipy.linalg

    from .. import TLSGlass

    couplings = np.array([[0.0, 300.0, -80.0], [300.0, 0.0, 500.0], [-80.0, 500.0, 0.0]])
    small = TLSGlass(np.array([900.0, 1500.0, 700.0]), couplings, np.array([60.0, 200.0, 20.0]), 0.3, 1.0)
    bloch = np.array([[0.6, 0.0, 0.6], [0.0, 0.8, -0.3], [0.5, 0.5, 0.5]])
    full = small.lindbladian()
    # On the host, in double precision: what is asked is whether the device agrees.
    start = np.asarray(small.product_state(bloch)).astype(complex)
    whole = scipy.linalg.expm(2e-3 * np.asarray(full.matrix()).astype(complex)) @ start.reshape(-1)
    pair = np.einsum("abcdbe->acde", whole.reshape((2,) * 6)).reshape(4, 4)
    return small.reduced_density_matrix(bloch, 2e-3, [0, 2]), pair


TESTS: dict[str, Callable[[], tuple[Array, Array]]] = {
    "decay of a qubit (mesolve)": decay,
    "driven qubit at rest, with gradient": rest,
    "damped oscillator (evolve)": damping,
    "pair in an open glass": glass,
}


def speeds() -> tuple[float, float]:
    """Measures problems a second in a batch, and operations a second of a large matrix product."""
    import jax
    import jax.numpy as jnp

    batch = jax.jit(jax.vmap(_excited))
    product = jax.jit(lambda a: a @ a)
    drives, matrix = jnp.linspace(0.1, 3.0, PROBLEMS), jnp.full((SIZE, SIZE), 1 / SIZE)
    return PROBLEMS / _warm(batch, drives), 2 * SIZE**3 / _warm(product, matrix)


def _warm(function: Callable[[Array], Array], argument: Array) -> float:
    """Give the shortest of a few warm calls [s]."""
    function(argument).block_until_ready()
    found = []
    for _ in range(5):
        began = time.perf_counter()
        function(argument).block_until_ready()
        found.append(time.perf_counter() - began)
    return min(found)
