"""Decompositions: NumPy's answers for stacks and lanes, derivatives, and batches side by side that end."""

import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls
from jaxtls.numerics import lapack


def matrices(*shape, hermitian=False, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return (a + a.conj().swapaxes(-1, -2)) / 2 if hermitian else a


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (2, 3, 4, 4)])
def test_numpys_answers_for_stacks_and_lanes(shape):
    h, a = matrices(*shape, hermitian=True), matrices(*shape, seed=1)
    values, vectors = lapack.eigh(h)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(h), atol=1e-13)
    np.testing.assert_allclose(vectors * values[..., None, :], h @ vectors, atol=1e-13)
    np.testing.assert_allclose(jax.jit(lapack.eigvalsh)(h), np.linalg.eigvalsh(h), atol=1e-13)
    np.testing.assert_allclose(lapack.svdvals(a), np.linalg.svd(a, compute_uv=False), atol=1e-13)
    u, s, wh = lapack.svd(a)
    np.testing.assert_allclose((u * s[..., None, :]) @ wh, a, atol=1e-13)


def test_eigenvalues_alone_of_what_is_made_tridiagonal():
    """Equal, far apart, in lanes and in single precision; what is not finite shows."""
    n = lapack.ALONE
    turn = np.linalg.qr(matrices(n, n))[0]
    spectra = np.array([np.repeat([0.0, 1.0, 1.0, 2.0], n // 4), np.logspace(-30, 0, n), 1e9 + np.arange(n)])
    h = (turn * spectra[:, None, :]) @ turn.conj().T
    for found in (lapack.eigvalsh(h), jax.jit(jax.vmap(lapack.eigvalsh))(h)):
        np.testing.assert_allclose(found, spectra, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(lapack.eigvalsh(h[:2].astype(np.complex64)), spectra[:2], rtol=3e-6, atol=3e-6)
    step = lambda a: jnp.sum(lapack.eigvalsh(a) ** 3)
    np.testing.assert_allclose(jax.grad(step)(h[0] + 0j), 3 * (h[0] @ h[0]).conj(), atol=1e-12)
    h[0, 3, 5] = np.nan
    assert np.any(np.isnan(lapack.eigvalsh(h[0])))


def test_lanes_of_solutions():
    a, b = matrices(5, 4, 4), matrices(5, 4, 3, seed=1)
    found = jax.jit(jax.vmap(lapack.solve))(a, b)
    np.testing.assert_allclose(found, np.linalg.solve(a, b), rtol=1e-10)
    np.testing.assert_allclose(jax.vmap(lapack.inv)(a), np.linalg.inv(a), rtol=1e-10)
    np.testing.assert_allclose(jax.vmap(lapack.solve, (None, 0))(a[0], b), np.linalg.solve(a[0], b), rtol=1e-10)
    q = jax.vmap(lapack.triangle)(b)
    np.testing.assert_allclose(q.conj().swapaxes(1, 2) @ q, b.conj().swapaxes(1, 2) @ b, rtol=1e-12)
    rows = np.abs(matrices(3, 5, 6, seed=2))
    lower, diagonal, upper = rows[0], 5 + rows[1], rows[2]
    lower[:, 0] = upper[:, -1] = 0
    whole = [np.diag(d) + np.diag(low[1:], -1) + np.diag(up[:-1], 1) for low, d, up in zip(lower, diagonal, upper)]
    right = np.abs(matrices(5, 6, 2, seed=3))
    found = jax.vmap(lapack.tridiagonal_solve)(lower, diagonal, upper, right)
    np.testing.assert_allclose(found, np.linalg.solve(whole, right), rtol=1e-12)


A, B = matrices(4, 4), matrices(4, 2, seed=1)
H = matrices(4, 4, hermitian=True)


def _projected(a):
    values, vectors = lapack.eigh(a)
    return jnp.sum(jnp.abs(vectors[0]) ** 2 * values**3).real


def _banded(a):
    rows = a[0].at[0].set(0.0), 9 + a[1], a[2].at[-1].set(0.0)
    return jnp.sum(lapack.tridiagonal_solve(*rows, a[3:].T) ** 2)


FUNCTIONS = {
    "solve": lambda a: jnp.sum(jnp.abs(lapack.solve(a, B)) ** 2),
    "inv": lambda a: jnp.sum(lapack.inv(a).real),
    "eigh": _projected,
    "eigvalsh": lambda a: jnp.sum(lapack.eigvalsh(a) ** 3),
    "svdvals": lambda a: jnp.sum(lapack.svdvals(a) ** 1.5),
    "triangle": lambda a: jnp.sum(jnp.abs(lapack.triangle(a)[0]) ** 2),
    "tridiagonal": lambda a: _banded(a.real),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name):
    start = H if name.startswith("eig") else A
    direction = matrices(4, 4, hermitian=name.startswith("eig"), seed=7)
    along = lambda x: FUNCTIONS[name](jnp.asarray(start + x * direction))
    h = 1e-3
    slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h)
    found = {
        "forward": jax.jvp(along, (0.0,), (1.0,))[1],
        "reverse": jax.grad(along)(0.0),
        "lanes": jax.vmap(jax.grad(along))(jnp.zeros(2))[1],
        "of lanes": jax.grad(lambda x: jnp.sum(jax.vmap(along)(x)))(jnp.zeros(2))[1],
    }
    for way, value in found.items():
        assert np.isclose(value, slope, rtol=1e-7), way
    if name in ("solve", "eigvalsh", "eigh"):
        curve = (jax.grad(along)(h) - jax.grad(along)(-h)) / (2 * h)
        assert np.isclose(jax.grad(jax.grad(along))(0.0), curve, rtol=1e-3)


SIDE_BY_SIDE = """
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
from jaxtls.numerics import lapack
a = jnp.asarray(np.random.default_rng(0).normal(size=(16, 50, 50)))
both = lambda a: (lapack.solve(a, a.T), lapack.solve(2 * a.T, a), lapack.eigvalsh(a), lapack.eigh(2 * a))
program = jax.jit(jax.vmap(both))
for _ in range(20):
    jax.block_until_ready(program(a))
"""


def test_batches_side_by_side_do_not_wait_for_each_other():
    # JAX 0.10's own stand still here in the first calls, on two cores.
    subprocess.run([sys.executable, "-c", SIDE_BY_SIDE], check=True, timeout=300)


def test_decompositions_are_asked_for_here_alone():
    root = pathlib.Path(jaxtls.__file__).parent
    names = "eig|solve|inv|svd|qr|chol|pinv|lstsq|det|slogdet"
    asked = re.compile(rf"jnp\.linalg\.({names})|jax\.scipy\.linalg|lax\.linalg")
    paths = [path for path in root.rglob("*.py") if path != root / "numerics" / "lapack.py"]
    lines = {str(path): line for path in paths for line in path.read_text().splitlines() if asked.search(line)}
    assert not {path: line for path, line in lines.items() if ">>>" not in line and "`jax.scipy" not in line}
