"""`save` and `load`: everything comes back, and nothing else is made."""

import io
import json
import pathlib
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxtls as jt
from jaxtls.interop import files
from jaxtls.interop._registry import LEFT_OUT, REGISTRY


class Mine(eqx.Module):
    rate: jax.Array
    inner: "Mine | None" = None
    size: int = eqx.field(static=True, default=3)

    def __check_init__(self):
        if self.size < 0:
            raise ValueError("size must not be negative")


class Pair(NamedTuple):
    a: float
    b: str


def there_and_back(tmp_path, obj, **options):
    path = tmp_path / "thing.jaxtls"
    jt.save(path, obj)
    return jt.load(path, **options)


def same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert type(x) is type(y)
        if isinstance(x, jax.Array):
            assert x.aval == y.aval  # with the weak type of Python numbers, and the kind of random keys
            if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
                x, y = jax.random.key_data(x), jax.random.key_data(y)
        np.testing.assert_array_equal(x, y)


edge = [[0.0, 0.05], [0.05, 0.0]]
MODELS = {
    "spring": lambda: jt.EntropicSpring(1.93, 100.0, 10.0, beta=0.01, n_spins=1000),
    "spring of classes": lambda: jt.EntropicSpring(
        jnp.array([1.0, 2.0]), 1.0, 1.0, beta=1.0, n_spins=(3, 4), n_modes=2, form="lindblad"
    ),
    "bath": lambda: jt.SpinBathOscillator(1.0, jt.OhmicSpectralDensity(gamma_0=0.01, cutoff=5.0), 0.5),
    "heated": lambda: jt.TLSHeatedOscillator(1.0, splitting=2.0, coupling=1.0, gamma=10.0, n_bar=0.5, n_levels=9),
    "solid": lambda: jt.TunnellingSolid.preset("silica"),
    "network": lambda: jt.ThermalNetwork([2.0, 1.0], [1.0, jnp.inf], [0.1, 0.0], coherent=edge, baths=[0]),
    "network's state": lambda: jt.ThermalNetwork([2.0, 1.0], [1.0, 2.0], [0.1, 0.1], incoherent=edge).steady_state(),
    "glass": lambda: jt.TLSGlass.sample(jax.random.key(0), 5),
    "oscillator": lambda: jt.DampedOscillator(1.0, 0.2),
    "qubit": lambda: jt.FluxQubit(1e3, 1e-13, 5e-7, inductance=1e-9, flux=1e-16, quartic=True),
    "transform": lambda: jt.Interval(0.0, 1.0),
}


SLOW = ("glass", "network's state")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in MODELS])
def test_models(name, tmp_path):
    model = MODELS[name]()
    back = there_and_back(tmp_path, model)
    assert type(back) is type(model)
    same(model, back)


def test_solutions_and_fits(tmp_path):
    ts = jnp.linspace(0.0, 1.0, 4)
    limits, numbers = {"trace_error": 1e-6}, {"trace_error": jnp.array(1e-3)}
    observables, states = {"x": jnp.cos(ts)}, jnp.ones((4, 2, 2), complex)
    sol = jt.Solution(
        ts, observables, states, {"method": "none", "steps": np.int64(3)}, numbers, jnp.array(True), limits
    )
    back = there_and_back(tmp_path, sol)
    same(sol, back)
    assert repr(back) == repr(sol) and "WARNING" in repr(back)
    assert eqx.filter_jit(lambda s: s.ts)(back).shape == (4,)  # its static fields can be hashed

    class Line(eqx.Module):
        slope: float
        offset: float

    free = {"slope": jt.Positive(), "offset": jt.Real()}
    f = jt.fit(lambda m: {"y": m.slope * ts}, Line(1.0, 0.5), {"y": 2 * ts}, sigma={"y": 0.1}, free=free)
    back = there_and_back(tmp_path, f, like=Line)
    assert repr(back) == repr(f) and "cannot see offset" in back.message
    same((f.model, f.covariance, f.residuals), (back.model, back.covariance, back.residuals))
    # what `propagate` needs
    assert f.parameters.names == back.parameters.names
    same(f.parameters.put(jnp.arange(2.0)), back.parameters.put(jnp.arange(2.0)))


def test_trees_of_everything(tmp_path):
    tree = {
        "plain": [None, True, 7, "é", 1.5, (2j, np.float32(0.1), np.bool_(False))],
        "odd": [float("nan"), -float("inf"), {1: "one"}, [], ()],
        "arrays": [jnp.arange(3, dtype=jnp.int32), np.zeros((0, 2)), jnp.asarray(2.0), np.array(["a", "bc"])],
        "key": jax.random.key(3, impl="rbg"),
        "mine": Mine(jnp.array([1.0, 2.0], jnp.float32), Mine(jnp.array(1 + 2j)), size=5),
        "pair": Pair(0.1, "b"),
        "law": jt.PowerLaw(2.0, 0.1, 3.0, 1.0, 10.0),
    }
    back = there_and_back(tmp_path, tree, like=[Mine(jnp.zeros(1)), Pair])
    same(tree, back)
    assert list(back) == list(tree) and back["mine"].size == 5
    assert type(back["pair"]) is Pair and type(back["law"]) is jt.PowerLaw


plain = st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.complex_numbers()
arrays = st.builds(
    lambda n, kind: np.arange(n).astype(kind), st.integers(0, 3), st.sampled_from(["?", "i4", "f4", "f8", "c16", ">f8"])
)
trees = st.recursive(
    plain | arrays,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(tree=trees)
def test_any_tree_comes_back(tree, tmp_path_factory):
    path = tmp_path_factory.mktemp("trees") / "tree"
    jt.save(path, tree)
    assert repr(jt.load(path)) == repr(tree)  # nan, -0.0, dtypes and the order of keys too


def test_registry_has_one_class_to_a_name_and_no_code():
    assert not set(LEFT_OUT) & set(REGISTRY) and "dict" not in REGISTRY
    public = {n for n, value in vars(jt).items() if isinstance(value, type) and n not in LEFT_OUT}
    assert public - {"EnsembleResult"} <= set(REGISTRY)


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: {"f": jnp.sin}, r"`obj\['f'\]` must be something that a file can hold"),
        (lambda: jt.EntropicSpring(1.0, 1.0, beta=1.0, n_spins=2, spectral_density=jnp.exp), r"obj.spectral_density"),
        (lambda: jt.Lindbladian([jnp.eye(2), (jnp.eye(2), jnp.cos)], []), "`obj"),
        (lambda: [object()], r"`obj\[0\]`"),
        (lambda: np.array([None]), "dtype object"),
        (lambda: {(1, 2): 3}, "keys that are strings"),
    ],
)
def test_what_has_code_is_not_saved(make, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        jt.save(tmp_path / "x", make())
    assert not list(tmp_path.iterdir())


def test_nothing_is_saved_inside_jit(tmp_path):
    with pytest.raises(ValueError, match="outside jit"):
        jax.jit(lambda x: jt.save(tmp_path / "x", x))(1.0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.jaxtls"
    jt.save(path, Mine(jnp.arange(4.0)))
    return path


def test_classes_are_made_only_where_they_are_known(file, tmp_path):
    with pytest.raises(ValueError, match=r"holds a .*:Mine, which is not one of jaxtls's classes. Give it as like="):
        jt.load(file)
    with pytest.raises(ValueError, match="not one of jaxtls's classes"):
        jt.load(file, like=Pair)
    # a name in the file is looked up in a table, never imported
    rewrite(file, lambda tree: tree["object"].update({"class": "os:system", "fields": {"command": "true"}}))
    with pytest.raises(ValueError, match="holds a os:system"):
        jt.load(file, like=Mine)


def rewrite(path, change, first=lambda header: None):
    """The file with its second line changed, and the first one fitting again."""
    start, second, payload = path.read_bytes().split(b"\n", 2)
    tree = json.loads(second)
    change(tree)
    rest = json.dumps(tree).encode() + b"\n" + payload
    header = {**json.loads(start), "bytes": len(rest), "sha256": files._sum(rest)}
    first(header)
    path.write_bytes(json.dumps(header).encode() + b"\n" + rest)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda tree: tree["object"]["fields"].pop("size"), "has a .*Mine with fields rate, inner, and here it has"),
        (lambda tree: tree["object"]["fields"].update(size=-1), "size must not be negative"),
        (lambda tree: tree["object"].update({"class": "EntropicSpring"}), "written by another version"),
        (lambda tree: tree["object"]["fields"].update(inner={"pickle": "gASV"}), "node of kind 'pickle'"),
        (lambda tree: tree["object"]["fields"].update(inner={"array": 7}), "is damaged"),
        (lambda tree: tree["arrays"][0].update(shape=[5]), "is damaged"),
        (lambda tree: tree["arrays"].append(tree["arrays"][0]), "is damaged"),
        (lambda tree: tree.pop("object"), "is damaged"),
        (lambda tree: tree["arrays"][0].update(dtype="|O"), "is damaged"),
    ],
)
def test_other_fields_and_nonsense(change, said, file):
    rewrite(file, change)
    with pytest.raises(ValueError, match=said):
        jt.load(file, like=Mine)


def test_other_versions(file):
    rewrite(file, lambda tree: None, lambda header: header.update(version=2, jaxtls="9.0"))
    with pytest.raises(ValueError, match=r"has version 2 of the format, and this jaxtls reads 1. Install jaxtls 9.0"):
        jt.load(file, like=Mine)


def test_every_cut_and_every_flipped_byte_is_seen(file):
    whole = file.read_bytes()
    written = whole.index(jt.__version__.encode())  # the version that wrote it is for people alone
    for at in range(0, len(whole), 7):
        file.write_bytes(whole[:at])
        with pytest.raises(ValueError, match=r"model\.jaxtls (is|has)"):
            jt.load(file, like=Mine)
        if not written - 10 <= at < written + 5:
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(ValueError, match=r"model\.jaxtls (is|has)"):
                jt.load(file, like=Mine)
    file.write_bytes(whole + b"more")
    with pytest.raises(ValueError, match="is damaged"):
        jt.load(file, like=Mine)
    file.write_bytes(b"\x80\x04\x95 a pickle")
    with pytest.raises(ValueError, match="is not one that"):
        jt.load(file)


class Trap:
    """What a pickle would run."""

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("sprung"),)


def test_pickled_arrays_are_refused(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    start, second, _ = file.read_bytes().split(b"\n", 2)
    body = io.BytesIO()
    np.save(body, np.array([Trap()], dtype=object), allow_pickle=True)
    rest = second + b"\n" + body.getvalue()
    header = {**json.loads(start), "bytes": len(rest), "sha256": files._sum(rest)}
    file.write_bytes(json.dumps(header).encode() + b"\n" + rest)
    with pytest.raises(ValueError, match="is damaged"):
        jt.load(file, like=Mine)
    assert not pathlib.Path("sprung").exists()
    np.load(io.BytesIO(body.getvalue()), allow_pickle=True)
    assert pathlib.Path("sprung").exists()  # the trap was one


def test_precision_is_not_lost_unseen(file):
    with jax.enable_x64(False), pytest.raises(ValueError, match=r"holds float64 numbers.*jax_enable_x64"):
        jt.load(file, like=Mine)
    with jax.enable_x64(False):
        jt.save(file, Mine(jnp.arange(3.0)))
    assert jt.load(file, like=Mine).rate.dtype == jnp.float32


def test_a_failed_save_leaves_the_old_file(file, monkeypatch):
    before = file.read_bytes()

    def full(*args):
        raise OSError("no space left")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        jt.save(file, 1)
    assert file.read_bytes() == before and [p.name for p in file.parent.iterdir()] == [file.name]
    with pytest.raises(FileNotFoundError):
        jt.load(file.parent / "none")
