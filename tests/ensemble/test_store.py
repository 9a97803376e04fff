"""The store: interrupted, damaged, extended, changed, full; and read by xarray."""

import errno
import importlib
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray

import jaxtls as jt

store_module = importlib.import_module("jaxtls.ensemble.store")
KEY = jax.random.key(4)


def draw(key):
    x = jax.random.normal(key, (3,))
    return {"x": jnp.where(x[0] > 1.2, jnp.nan, x), "z": x[1] + 1j * x[2], "n": (x > 0).sum()}


def run(path, n=90, batch_size=10, f=draw, key=KEY, **options):
    return jt.ensemble(f, key, n, batch_size=batch_size, devices=1, store=path, **options)


def same_to_the_last_bit(a, b):
    assert (a.count, a.failed_indices) == (b.count, b.failed_indices)
    for x, y in zip(jax.tree.leaves((a.mean, a.sem, a.std)), jax.tree.leaves((b.mean, b.sem, b.std))):
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


@pytest.fixture(scope="module")
def whole():
    return jt.ensemble(draw, KEY, 90, batch_size=10, devices=1)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(store_module, "MOST_ROWS", 16)
    monkeypatch.setattr(store_module, "WRITING", np.inf)  # write after every batch


@pytest.fixture
def counted(monkeypatch):
    """First realizations of the batches that were computed."""
    program = importlib.import_module("jaxtls.ensemble.program")
    begun, call = [], program.Batch.__call__
    monkeypatch.setattr(program.Batch, "__call__", lambda self, start: (begun.append(start), call(self, start))[1])
    return begun


def test_holds_every_realization(tmp_path, whole, small_blocks):
    r = run(tmp_path / "s")
    same_to_the_last_bit(r, whole)
    data = xarray.open_zarr(tmp_path / "s", chunks=None)
    assert data.x.dims == ("realization", "x_0") and data.z.dims == ("realization",) and data.n.dtype.kind == "i"
    assert data.attrs["n"] == 90 and data.attrs["batch_size"] == 10 and "jax" in data.attrs and data.attrs["key"]
    for i in (0, 17, 89):
        np.testing.assert_allclose(data.x[i], r.realization(i)["x"], rtol=1e-13)
        np.testing.assert_allclose(data.z[i], r.realization(i)["z"], rtol=1e-13)
    good = data.where(data.status == 1, drop=True)
    np.testing.assert_allclose(good.x.mean("realization"), r.mean["x"], rtol=1e-12)
    np.testing.assert_array_equal(np.flatnonzero(data.status == 2), r.failed_indices)
    assert r.failed > 0
    json.loads((tmp_path / "s" / "zarr.json").read_text())


def test_finished_run_computes_nothing_again(tmp_path, whole, counted):
    run(tmp_path / "s")
    counted.clear()
    for batch_size in (10, 7, "auto"):
        r = run(tmp_path / "s", batch_size=batch_size)
        same_to_the_last_bit(r, whole)
        assert r.batch_size == 0 and "batches" not in repr(r)
    assert counted == []


@pytest.mark.parametrize("write", [4, 9, 10, 23, 31])
def test_full_disk_loses_nothing_and_goes_on(tmp_path, whole, small_blocks, counted, monkeypatch, write):
    run(tmp_path / "s", n=10)
    left, fsync = [write], store_module.os.fsync

    def full(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(store_module.os, "fsync", full)
        with pytest.raises(OSError, match=r"No space left.*What was written before is whole") as raised:
            run(tmp_path / "s")
    assert raised.value.errno == errno.ENOSPC
    assert not list((tmp_path / "s").rglob(f"*{store_module.PARTIAL}"))
    data = xarray.open_zarr(tmp_path / "s")
    done = int((data.status != 0).sum())
    assert done >= 10
    counted.clear()
    same_to_the_last_bit(run(tmp_path / "s"), whole)
    assert all(start + 10 > done for start in counted)


def test_full_disk_at_the_beginning_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "replace", full)  # with which Zarr ends each write
        with pytest.raises(OSError, match=r"Cannot make the store.*No space left"):
            run(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_interrupt_keeps_what_was_computed(tmp_path, whole, counted, monkeypatch):
    books = importlib.import_module("jaxtls.ensemble.run").Books
    take = books.take

    def interrupted(self, low, values):
        if low == 60:
            raise KeyboardInterrupt
        return take(self, low, values)

    with monkeypatch.context() as patch:
        patch.setattr(books, "take", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "s")
    counted.clear()
    same_to_the_last_bit(run(tmp_path / "s"), whole)
    assert counted == [60, 70, 80]


@pytest.mark.parametrize("damage", ["truncated", "one byte", "empty"])
def test_a_damaged_block_is_named_and_can_be_computed_again(tmp_path, whole, small_blocks, counted, damage):
    run(tmp_path / "s")
    block = tmp_path / "s" / "x" / "c" / "2" / "0"
    data = block.read_bytes()
    flipped = data[:40] + bytes([data[40] ^ 1]) + data[41:]
    block.write_bytes({"truncated": data[:-9], "one byte": flipped, "empty": b""}[damage])
    with pytest.raises(OSError, match="Cannot read a block") as raised:
        run(tmp_path / "s")
    assert str(block) in str(raised.value)
    block.unlink()
    counted.clear()
    same_to_the_last_bit(run(tmp_path / "s"), whole)
    assert counted == [30, 40]  # block 2 holds 32 to 47


def test_a_larger_n_extends_and_a_smaller_one_takes_the_first_part(tmp_path, whole, small_blocks, counted):
    run(tmp_path / "s", n=30)
    counted.clear()
    same_to_the_last_bit(run(tmp_path / "s"), whole)
    assert counted == [30, 40, 50, 60, 70, 80]
    same_to_the_last_bit(run(tmp_path / "s", n=25), jt.ensemble(draw, KEY, 25, batch_size=10, devices=1))
    assert xarray.open_zarr(tmp_path / "s").sizes["realization"] == 90
    assert len(counted) == 6 + 3  # those three without a store


def test_auto_goes_on_with_the_batches_of_the_run_before(tmp_path, counted, monkeypatch):
    r = run(tmp_path / "s", batch_size="auto")
    monkeypatch.setattr(importlib.import_module("jaxtls.ensemble.devices"), "PIECES", 1)  # would choose 64 now
    assert r.batch_size == 8
    (tmp_path / "s" / "status" / "c" / "0").unlink()
    counted.clear()
    again = run(tmp_path / "s", batch_size="auto")
    assert again.batch_size == 8 and len(counted) == 12
    same_to_the_last_bit(again, r)


def test_another_batch_size_goes_on(tmp_path, whole, small_blocks):
    run(tmp_path / "s", n=33, batch_size=8)
    r = run(tmp_path / "s", batch_size=25)
    assert r.count == whole.count
    for a, b in zip(jax.tree.leaves((r.mean, r.sem)), jax.tree.leaves((whole.mean, whole.sem))):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_target_met_by_the_store_and_then_a_smaller_one(tmp_path):
    f = lambda key: jax.random.normal(key)
    first = run(tmp_path / "s", n=5000, batch_size=100, f=f, target_error=0.1)
    assert xarray.open_zarr(tmp_path / "s").sizes["realization"] == first.tried < 1000
    same_to_the_last_bit(run(tmp_path / "s", n=5000, batch_size=100, f=f, target_error=0.1), first)
    second = run(tmp_path / "s", n=5000, batch_size=100, f=f, target_error=0.06)
    same_to_the_last_bit(second, jt.ensemble(f, KEY, 5000, batch_size=100, devices=1, target_error=0.06))
    assert xarray.open_zarr(tmp_path / "s").sizes["realization"] == second.tried > first.tried
    same_to_the_last_bit(run(tmp_path / "s", n=5000, batch_size=100, f=f, target_error=0.1), first)


def scaled(scale):
    return lambda key: scale * jax.random.normal(key, (3,))


def test_another_run_is_refused(tmp_path):
    path = tmp_path / "s"
    run(path, n=8, f=scaled(2.0))
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    run(path, n=8, f=scaled(2.0))  # another function object, the same numbers
    for options, why in (
        ({"f": scaled(2.1)}, "other parameters"),
        ({"f": scaled(jnp.array([2.0, 2.0, 2.1]))}, "other parameters"),
        ({"f": lambda key: 2.0 * jax.random.uniform(key, (3,))}, "another function"),
        ({"f": lambda key: {"a": 2.0 * jax.random.normal(key, (3,))}}, "arrays"),
        ({"f": lambda key: 2.0 * jax.random.normal(key, (4,))}, "arrays"),
        ({"f": scaled(2.0), "key": jax.random.key(5)}, "key"),
    ):
        with pytest.raises(ValueError, match=f"`store`.*{why}"):
            run(path, n=8, **options)
    assert before == {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_places_that_are_no_store_are_refused_and_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    xarray.Dataset({"x": 1.0}).to_zarr(tmp_path / "other.zarr", zarr_format=3, consolidated=False)
    for path in (tmp_path / "file", tmp_path / "folder", tmp_path / "other.zarr", "s3://bucket/s"):
        with pytest.raises(ValueError, match="`store`"):
            run(path)
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "thesis.tex").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", n=5).tried + run(str(tmp_path / "a" / "b" / "new"), n=5).tried == 10


def test_two_runs_do_not_write_one_store(tmp_path):
    run(tmp_path / "s", n=5)
    guard = store_module._lock(tmp_path / "s")
    try:
        with pytest.raises(ValueError, match="`store` must not be in use"):
            run(tmp_path / "s", n=5)
    finally:
        store_module.os.close(guard)
    run(tmp_path / "s", n=5)


def test_names_and_kinds_of_every_leaf(tmp_path):
    def f(key):
        x = jax.random.normal(key)
        return {"a": {"b": x}, "a.b": [2 * x, x > 0], "status": x.astype(jnp.bfloat16), "e": jnp.zeros((2, 0))}

    r = run(tmp_path / "s", n=6, f=f)
    same_to_the_last_bit(run(tmp_path / "s", n=6, f=f), r)
    data = xarray.open_zarr(tmp_path / "s")
    assert set(data) == {"a.b", "a.b.0", "a.b.1", "e", "status", "status_"}
    np.testing.assert_allclose(data["a.b.0"], 2 * data["a.b"])
    assert data["a.b.1"].dtype == bool and data["status_"].dtype == np.float32
    single = run(tmp_path / "one", n=6, f=lambda key: jax.random.normal(key, (2,)))
    np.testing.assert_allclose(xarray.open_zarr(tmp_path / "one").value.mean("realization"), single.mean, rtol=1e-12)


def test_without_zarr_says_what_to_install(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"jaxtls\[store\]"):
        run(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_blocks_do_not_depend_on_the_run():
    rows = store_module.block_rows
    assert rows([((3,), np.dtype(float))]) == store_module.MOST_ROWS
    assert rows([((1000, 100), np.dtype(complex))]) == 1
    assert 2**20 < rows([((60,), np.dtype(float)), ((40,), np.dtype(float))]) * 800 <= 2**21


def test_a_write_that_stops_in_the_middle_leaves_the_block_as_it_was(tmp_path, whole):
    """A true limit of the system's on the length of a file, as a quota or a full disk sets it."""
    resource = pytest.importorskip("resource")
    run(tmp_path / "s", n=10)
    block = tmp_path / "s" / "x" / "c" / "0" / "0"
    before, limits = block.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="What was written before is whole"):
            run(tmp_path / "s")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert block.read_bytes() == before and not list((tmp_path / "s").rglob(f"*{store_module.PARTIAL}"))
    same_to_the_last_bit(run(tmp_path / "s"), whole)
