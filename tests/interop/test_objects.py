"""Objects of other libraries. Stand-ins offer what QuTiP's and dynamiqs's offer; with the libraries, the real ones."""

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

import jaxtls as jt
from jaxtls.interop import dims, to_array, to_dynamiqs, to_qutip


class Qobj:
    """As QuTiP's: columns for kets, dims of rows and columns, callable."""

    def __init__(self, data, dims=None):
        self.data = np.asarray(data)
        self.dims = dims

    def full(self):
        return self.data if self.data.ndim == 2 else self.data[:, None]

    def __call__(self):
        raise AssertionError


class QArray:
    """As dynamiqs's: columns for kets, leading axes, one tuple of dims."""

    def __init__(self, data, dims=None):
        self.data, self.dims = jnp.asarray(data), dims

    def to_jax(self):
        return self.data


@pytest.fixture
def stand_ins(monkeypatch):
    monkeypatch.setitem(sys.modules, "qutip", SimpleNamespace(Qobj=Qobj))
    monkeypatch.setitem(sys.modules, "dynamiqs", SimpleNamespace(asqarray=QArray))


KET, RHO = np.array([0.6, 0.8j, 0, 0]), np.diag([0.1, 0.2, 0.3, 0.4]) + 0.1j * np.diag([1, 0, 1], 1)


def test_in():
    for value in (Qobj(KET), QArray(KET[:, None]), KET):
        assert_allclose(to_array(value), KET)
        assert to_array(value).dtype == jnp.complex128
    assert_allclose(to_array(QArray(np.stack([KET, -KET])[..., None])), np.stack([KET, -KET]))
    for value in (Qobj(RHO), QArray(RHO), RHO, RHO.tolist()):
        assert_allclose(to_array(value), RHO)
    assert to_array(np.ones((4, 1))).shape == (4, 1)  # an array is what it is
    assert to_array(Qobj(np.ones((1, 4)))).shape == (1, 4)  # a bra too
    assert dims(Qobj(RHO, [[2, 2], [2, 2]])) == dims(QArray(RHO, (2, 2))) == dims(Qobj(KET, [[2, 2], [1, 1]])) == (2, 2)


def test_single_precision_is_kept_and_no_warning_given():
    with jax.enable_x64(False):
        assert to_array(Qobj(RHO)).dtype == to_array([[0, 1], [1, 0]]).dtype == jnp.complex64


@pytest.mark.slow
def test_measures_take_them(stand_ins):
    bell = Qobj(np.array([1, 0, 0, 1]) / np.sqrt(2), [[2, 2], [1]])
    rho = jnp.outer(to_array(bell), to_array(bell).conj())
    assert_allclose(jt.concurrence(rho), 1)
    assert_allclose(jt.negativity(rho, dims(bell)), 0.5)


def test_out(stand_ins):
    ket, rho = to_qutip(KET, (2, 2)), to_qutip(RHO)
    assert (ket.dims, rho.dims) == ([[2, 2], [1, 1]], [[4], [4]])
    assert_allclose(ket.full()[:, 0], KET)
    several = to_qutip(np.stack([RHO, 2 * RHO]), [2, 2])
    assert [q.dims for q in several] == [[[2, 2], [2, 2]]] * 2
    assert_allclose(several[1].full(), 2 * RHO)
    back = to_dynamiqs(to_qutip(RHO, (2, 2)), dims(to_qutip(RHO, (2, 2))))
    assert back.dims == (2, 2)
    assert_allclose(back.to_jax(), RHO)
    assert to_dynamiqs(KET).to_jax().shape == (4, 1)


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: to_qutip(KET, (2, 3)), "`dims` must have the product 4"),
        (lambda: to_dynamiqs(np.ones((2, 3))), r"`value` must have shape \(n,\) or"),
        (lambda: to_array("state"), "`value` must hold numbers"),
        (lambda: dims(KET), "`value` must be a Qobj or a QArray"),
        (lambda: dims(Qobj(RHO, [[[2], [2]], [[2], [2]]])), "Superoperators"),
    ],
)
def test_faults_are_named(call, said, stand_ins):
    with pytest.raises(ValueError, match=said):
        call()


def test_missing_libraries_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "qutip", None)
    monkeypatch.setitem(sys.modules, "dynamiqs", None)
    with pytest.raises(ImportError, match="pip install qutip"):
        to_qutip(RHO)
    with pytest.raises(ImportError, match="pip install dynamiqs"):
        to_dynamiqs(RHO)


# --- the libraries themselves, where they are installed --------------------------------------------------------------


@pytest.mark.slow
def test_qutip():
    if importlib.util.find_spec("qutip") is None:
        pytest.skip("QuTiP is not installed")
    # apart, as it has warnings and threads of its own
    code = """
import jax; jax.config.update("jax_enable_x64", True)
import numpy as np, qutip, jaxtls as jt
from jaxtls.interop import dims, to_array, to_qutip
for q in (qutip.basis(4, 1), qutip.rand_dm([2, 3]), qutip.tensor(qutip.basis(2, 1), qutip.basis(3, 2)), qutip.num(5)):
    back = to_qutip(to_array(q), dims(q))
    assert back == q and back.dims == q.dims and back.type == q.type
q = qutip.rand_dm([2, 3])
assert np.allclose(jt.partial_trace(to_array(q), dims(q), [1]), q.ptrace(1).full())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_dynamiqs():
    if importlib.util.find_spec("dynamiqs") is None:
        pytest.skip("dynamiqs is not installed")
    code = """
import jax; jax.config.update("jax_enable_x64", True)
import numpy as np, dynamiqs as dq, jaxtls as jt
from jaxtls.interop import dims, to_array, to_dynamiqs
for q in (dq.basis(4, 1), dq.number(5), dq.tensor(dq.sigmaz(), dq.number(3)), dq.basis((2, 3), (1, 2))):
    back = to_dynamiqs(to_array(q), dims(q))
    assert back.dims == q.dims and back.shape == q.shape and np.allclose(back.to_jax(), q.to_jax())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
