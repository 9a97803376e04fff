"""Parts by hand: ranges, merge, what is missing, foreign or damaged."""

import collections
import errno
import importlib
import itertools
import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray
from hypothesis import given
from hypothesis import strategies as st

import jaxtls as jt
from jaxtls.ensemble.fingerprint import UNKNOWABLE
from jaxtls.ensemble.parts import Cut
from jaxtls.ensemble.program import planted, trace, unwritten, written
from jaxtls.ensemble.store import refusal

from .jobs import exact
from .same import same

store_module = importlib.import_module("jaxtls.ensemble.store")
KEY = jax.random.key(7)


def part(store, k, parts=4, n=90, f=exact, key=KEY, **options):
    return jt.ensemble(f, key, n, batch_size=10, devices=1, store=store, part=(k, parts), **options)


def filled(store, parts=4, **options):
    return [part(store, k, parts, **options) for k in range(parts)]


def contents(folder):
    return {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def whole():
    return jt.ensemble(exact, KEY, 90, batch_size=10, devices=1)


@given(n=st.integers(1, 10**6), parts=st.integers(1, 50))
def test_ranges_tile_the_whole(n, parts):
    ranges = [Cut(n, parts).range(k) for k in range(parts)]
    assert ranges[0].start == 0 and ranges[-1].stop == n
    assert all(a.stop == b.start for a, b in itertools.pairwise(ranges))
    assert max(map(len, ranges)) - min(map(len, ranges)) <= 1


@pytest.mark.parametrize("order", [(0,), (2, 0, 1), (6, 5, 4, 3, 2, 1, 0)])
def test_merged_parts_are_the_single_run(tmp_path, whole, order):
    found = {k: part(tmp_path / "s", k, len(order)) for k in order}
    before = contents(tmp_path)
    merged = jt.merge(tmp_path / "s")
    same(merged, whole)
    assert contents(tmp_path) == before  # it only reads
    assert sum((found[k].failed_indices for k in sorted(found)), ()) == whole.failed_indices
    assert (merged.batch_size, merged.devices, merged.part, merged.n) == (0, (), None, 90)
    assert jax.random.key_data(merged.key).tolist() == jax.random.key_data(KEY).tolist()
    r = found[order[0]]
    assert r.part == (order[0], len(order)) and f"part         {order[0]} of {len(order)}" in repr(r)
    again = part(tmp_path / "s", order[0], len(order))
    same(again, r)
    assert again.batch_size == 0


def test_xarray_opens_a_part(tmp_path):
    r = part(tmp_path / "s", 2)
    data = xarray.open_zarr(tmp_path / "s" / "parts" / "00002", chunks=None)
    assert (data.attrs["low"], data.attrs["high"], data.attrs["n"], data.sizes["realization"]) == (45, 67, 90, 22)
    good = np.asarray(data.status) == 1
    np.testing.assert_allclose(np.asarray(data.x)[good].mean(0), r.mean["x"], rtol=1e-12)


def test_missing_parts_are_named_and_partial_says_how_much(tmp_path, whole):
    for k in (0, 3):
        part(tmp_path / "s", k)
    with pytest.raises(ValueError, match=r"part 1 of 4 is missing, part 2 of 4 is missing\."):
        jt.merge(tmp_path / "s")
    some = jt.merge(tmp_path / "s", partial=True)
    assert some.tried == 22 + 23 and "45 of 90" in repr(some)
    assert some.failed_indices == tuple(i for i in whole.failed_indices if i < 22 or i >= 67)
    for k in range(0, 40, 2):
        part(tmp_path / "many", k, 45)
    with pytest.raises(ValueError, match=r"part 7 of 45 is missing and 21 more parts"):
        jt.merge(tmp_path / "many")
    for place in ("nowhere", "s/parts", "s/parts/00000/x"):
        with pytest.raises(ValueError, match=r"`store`.*" + place):
            jt.merge(tmp_path / place)


def shifted(by):
    return lambda key: {name: value + by for name, value in exact(key).items()}


def test_parts_of_another_run_are_refused(tmp_path):
    part(tmp_path / "s", 0)
    before = contents(tmp_path)
    for options, why in (
        ({"key": jax.random.key(8)}, "key"),
        ({"f": shifted(1.0)}, "other parameters"),
        ({"n": 91}, "n = 90 in 4 parts, not n = 91 in 4"),
        ({"parts": 5}, "n = 90 in 4 parts, not n = 90 in 5"),
    ):
        with pytest.raises(ValueError, match=f"`store` must hold the same run.*{why}"):
            part(tmp_path / "s", 1, **options)
    with pytest.raises(ValueError, match=r"`store` must not hold parts.*jt.merge"):
        jt.ensemble(exact, KEY, 90, store=tmp_path / "s")
    assert contents(tmp_path) == before
    jt.ensemble(exact, KEY, 90, store=tmp_path / "plain")
    with pytest.raises(ValueError, match="store of parts"):
        part(tmp_path / "plain", 0)


def test_a_foreign_part_is_found_by_merge(tmp_path):
    for store, options in (("s", {}), ("key", {"key": jax.random.key(8)}), ("f", {"f": shifted(1.0)})):
        filled(tmp_path / store, 2, **options)
    mine = tmp_path / "s" / "parts" / "00001"
    mine.rename(tmp_path / "mine")
    for other, why in (("key", "its key is"), ("f", "its realizations were computed by another function")):
        (tmp_path / other / "parts" / "00001").rename(mine)
        for partial in (False, True):
            with pytest.raises(ValueError, match=f"00001 or the others, but got part 1 beside part 0: {why}"):
                jt.merge(tmp_path / "s", partial=partial)
        mine.rename(tmp_path / f"{other}_1")
    (tmp_path / "s" / "parts" / "00000").rename(mine)
    with pytest.raises(ValueError, match="its manifest is that of part 0"):
        jt.merge(tmp_path / "s")


@pytest.mark.parametrize("name", ["x", "status"])
def test_a_truncated_block_hurts_its_part_alone(tmp_path, whole, name):
    filled(tmp_path / "s")
    block = next(
        file for file in sorted((tmp_path / "s" / "parts" / "00002" / name / "c").rglob("*")) if file.is_file()
    )
    block.write_bytes(block.read_bytes()[:-5])
    with pytest.raises(OSError, match=r"parts/00002: .*Delete .*parts/00002.* to have"):
        jt.merge(tmp_path / "s")
    some = jt.merge(tmp_path / "s", partial=True)
    (said,) = some.damaged
    assert str(block) in said and said.startswith("part 2: ") and str(block) in repr(some)
    assert some.tried == 90 - 22 and some.failed_indices == tuple(i for i in whole.failed_indices if not 45 <= i < 67)
    for k in (0, 1, 3):
        assert part(tmp_path / "s", k).batch_size == 0
    with pytest.raises(OSError, match="parts/00002"):
        part(tmp_path / "s", 2)
    block.unlink()
    assert jt.merge(tmp_path / "s", partial=True).tried == 90 - 22
    assert part(tmp_path / "s", 2).batch_size == 10
    same(jt.merge(tmp_path / "s"), whole)


def test_a_part_damaged_in_its_middle_leaves_nothing_behind(tmp_path, monkeypatch):
    """A block that is bad after good ones of the same part: the average is that of the other parts, to the last bit."""
    monkeypatch.setattr(store_module, "MOST_ROWS", 8)
    filled(tmp_path / "s")
    last = sorted(file for file in (tmp_path / "s" / "parts" / "00001" / "z" / "c").rglob("*") if file.is_file())[-1]
    kept = last.read_bytes()
    last.write_bytes(kept[:-5])
    some = jt.merge(tmp_path / "s", partial=True)
    assert len(some.damaged) == 1 and some.tried == 90 - 23
    (tmp_path / "s" / "parts" / "00001").rename(tmp_path / "away")
    same(some, jt.merge(tmp_path / "s", partial=True))
    manifest = tmp_path / "s" / "parts" / "00000" / "zarr.json"
    manifest.write_text(manifest.read_text()[:-50])
    assert jt.merge(tmp_path / "s", partial=True).tried == 90 - 45
    for k in (2, 3):
        (tmp_path / "s" / "parts" / f"0000{k}" / "zarr.json").write_text("{")
    with pytest.raises(OSError, match="Cannot open the store"):
        jt.merge(tmp_path / "s", partial=True)


def test_a_gap_is_found_before_any_value_is_read(tmp_path, monkeypatch):
    for k in (0, 1, 3):
        part(tmp_path / "s", k)
    with monkeypatch.context() as patch:
        patch.setattr(store_module.Store, "read", lambda *_: pytest.fail("read"))
        with pytest.raises(ValueError, match="part 2 of 4 is missing"):
            jt.merge(tmp_path / "s")


def test_a_full_disk_hurts_its_part_alone(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(store_module, "WRITING", np.inf)  # write after every batch
    left, fsync = [12], store_module.os.fsync

    def full(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    part(tmp_path / "s", 0)
    with monkeypatch.context() as patch:
        patch.setattr(store_module.os, "fsync", full)
        with pytest.raises(OSError, match=r"parts/00001: .*No space left.*What was written before is whole"):
            part(tmp_path / "s", 1)
    assert jt.merge(tmp_path / "s", partial=True).tried > 22
    for k in (1, 2, 3):
        part(tmp_path / "s", k)
    same(jt.merge(tmp_path / "s"), whole)


def test_a_part_in_use_is_refused(tmp_path):
    part(tmp_path / "s", 1)
    guard = store_module._lock(tmp_path / "s" / "parts" / "00001")
    try:
        with pytest.raises(ValueError, match=r"`store` must not be in use.*00001"):
            part(tmp_path / "s", 1)
        part(tmp_path / "s", 0)
        jt.merge(tmp_path / "s", partial=True)
    finally:
        store_module.os.close(guard)


def test_merge_of_a_plain_run(tmp_path, whole):
    jt.ensemble(exact, KEY, 90, batch_size=10, devices=1, store=tmp_path / "s")
    same(jt.merge(tmp_path / "s"), whole)


def test_a_store_of_another_format_is_refused_by_it(tmp_path):
    """As version 1 left them: without the fields that came later."""
    filled(tmp_path / "s", 2)
    jt.ensemble(exact, KEY, 90, batch_size=10, store=tmp_path / "plain")
    for folder in (tmp_path / "s" / "parts" / "00001", tmp_path / "plain"):
        kept = json.loads((folder / "zarr.json").read_text())
        for name in ("caller", "tree", "key_is_typed"):
            del kept["attributes"][name]
        kept["attributes"]["jaxtls_store"] = 1
        (folder / "zarr.json").write_text(json.dumps(kept))
    calls = (
        lambda: jt.merge(tmp_path / "s"),
        lambda: jt.merge(tmp_path / "s", partial=True),
        lambda: part(tmp_path / "s", 1, 2),
        lambda: jt.merge(tmp_path / "plain"),
        lambda: jt.ensemble(exact, KEY, 90, store=tmp_path / "plain"),
    )
    for call in calls:
        with pytest.raises(
            ValueError, match=r"`store` must have format 2, but got .*which has format 1\. Use the jaxtls"
        ):
            call()


def test_a_part_is_no_plain_run(tmp_path):
    filled(tmp_path / "s", 2)
    with pytest.raises(ValueError, match="it is a part of an ensemble"):
        jt.ensemble(exact, KEY, 45, store=tmp_path / "s" / "parts" / "00000")


class Pair(eqx.Module):
    a: jax.Array
    b: jax.Array


def test_classes_and_realizations_need_the_function(tmp_path):
    f = lambda key: Pair(jax.random.uniform(key), jax.random.normal(key))
    filled(tmp_path / "s", 2, f=f)
    with pytest.raises(ValueError, match="`realization` must be given"):
        jt.merge(tmp_path / "s")
    merged = jt.merge(tmp_path / "s", realization=f)
    assert isinstance(merged.mean, Pair) and 0.3 < float(merged.mean.a) < 0.7
    np.testing.assert_allclose(merged.realization(5).a, jax.random.uniform(jax.random.fold_in(KEY, 5)), rtol=1e-14)
    with pytest.raises(ValueError, match=r"`realization` must be the function of the store.*another function"):
        jt.merge(tmp_path / "s", realization=lambda key: Pair(jax.random.uniform(key), 2 * jax.random.normal(key)))
    filled(tmp_path / "t", 1)
    with pytest.raises(ValueError, match=r"realization=\.\.\."):
        jt.merge(tmp_path / "t").realization(0)


@pytest.mark.parametrize("tree", [1.0, [1.0], {"b": (2.0, None, [3.0, {}]), "a": {3: 1.0}}, (1.0, (), 2.0)])
def test_trees_come_back_from_the_manifest(tree):
    program = trace(lambda key: jax.tree.map(lambda x: x * jax.random.uniform(key), tree), KEY)
    leaves = list(range(len(program.names)))
    assert planted(program.outline, leaves) == program.tree(leaves)


def test_trees_of_classes_have_no_outline():
    Point = collections.namedtuple("Point", "x")
    for made in (Point, lambda x: Pair(x, x)):
        assert trace(lambda key, made=made: made(jax.random.uniform(key)), KEY).outline == ""


@pytest.mark.parametrize("key", [jax.random.key(3), jax.random.PRNGKey(3)])
def test_typed_and_raw_keys(tmp_path, key):
    is_typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    back = unwritten(written(key), is_typed)
    assert back.dtype == key.dtype and written(back) == written(key)
    f = lambda key: jax.random.uniform(key, (2,))
    filled(tmp_path / "s", 2, f=f, key=key)
    same(jt.merge(tmp_path / "s", realization=f), jt.ensemble(f, key, 90, batch_size=10, devices=1))


def test_a_part_submitted_from_another_platform_is_known_by_its_caller():
    here = {"jaxtls": "1", "jax": "1", "key": "k", "leaves": "[]", "n": 9, "parts": 3}
    login = {**here, "platform": "cpu", "fingerprint": "a", "caller": ""}
    worker = {**here, "platform": "gpu", "fingerprint": "b", "caller": "cpu:a"}
    assert refusal(worker, login) is None and refusal(worker, worker) is None
    by_hand = {**worker, "caller": ""}
    assert refusal(by_hand, by_hand) is None and refusal(worker, by_hand) is None
    for other in (by_hand, {**worker, "caller": "cpu:c"}, {**worker, "caller": "gpu:a"}):
        assert "platform gpu (now cpu)" in refusal(other, login)
        assert "platform gpu (the other part cpu)" in refusal(other, login, "the other part")
    assert "other parameters" in refusal({**login, "fingerprint": "z"}, login)


def test_on_one_platform_a_common_caller_does_not_excuse_another_function():
    """Workers that kept a module as it was wrote one of them."""
    one = {"jaxtls": "1", "jax": "1", "key": "k", "leaves": "[]", "n": 9, "parts": 3, "platform": "cpu"}
    one |= {"fingerprint": "a", "caller": "cpu:a"}
    other = {**one, "fingerprint": "b"}
    assert refusal(one, one) is None and "another function" in refusal(other, one)
    assert "another function" in refusal({**other, "caller": "gpu:z"}, {**one, "caller": "gpu:z"})
    unknowable = [{**one, "fingerprint": f"{UNKNOWABLE}{name}"} for name in "xy"]
    assert refusal(*unknowable) is None and refusal({**unknowable[0], "caller": ""}, unknowable[1]) is not None


def test_parts_of_two_platforms_are_compared_with_their_like(tmp_path):
    for k in range(3):
        part(tmp_path / "s", k, parts=3)
    for k, (platform, mark) in enumerate((("gpu", "g"), ("cpu", "a"), ("cpu", "b"))):
        file = tmp_path / "s" / "parts" / f"{k:05d}" / "zarr.json"
        said = json.loads(file.read_text())
        said["attributes"] |= {"platform": platform, "fingerprint": mark, "caller": "cpu:a"}
        file.write_text(json.dumps(said))
    with pytest.raises(ValueError, match=r"part 2 beside part 1: its realizations were computed by another function"):
        jt.merge(tmp_path / "s")


@pytest.mark.parametrize("text", ["", "{"])
def test_a_damaged_manifest_hurts_its_part_alone(tmp_path, whole, text):
    part(tmp_path / "s", 0)
    manifest = tmp_path / "s" / "parts" / "00000" / "zarr.json"
    before = manifest.read_text()
    manifest.write_text(text)
    for k in (1, 2, 3):
        part(tmp_path / "s", k)
    with pytest.raises(OSError, match=r"00000"):
        part(tmp_path / "s", 0)
    manifest.write_text(before)
    same(jt.merge(tmp_path / "s"), whole)


def test_another_part_may_make_the_folder_at_the_same_moment(tmp_path, monkeypatch):
    store, made = tmp_path / "s", []
    is_dir = Path.is_dir

    def slow(path, **options):
        found = is_dir(path, **options)
        if path == store / "parts" and not made:
            made.append(store)
            part(store, 1)
        return found

    monkeypatch.setattr(Path, "is_dir", slow)
    part(store, 0)
    assert made and sorted(p.name for p in (store / "parts").iterdir()) == ["00000", "00001"]


def test_leaves_may_have_any_name(tmp_path, whole):
    f = lambda key: {"parts": jax.random.uniform(key), "status": jax.random.normal(key), "zarr.json": 1.0}
    options = {"batch_size": 10, "store": tmp_path / "s"}
    first = jt.ensemble(f, KEY, 90, **options)
    same(jt.ensemble(f, KEY, 90, **options), first)
    same(jt.merge(tmp_path / "s"), first)


def test_what_a_killed_start_left_is_removed(tmp_path):
    left = tmp_path / "s" / "parts" / ".00000.aaaa.partial"
    fresh = tmp_path / "s" / "parts" / ".00000.bbbb.partial"
    for folder in (left, fresh):
        folder.mkdir(parents=True)
    store_module.os.utime(left, (0, 0))
    part(tmp_path / "s", 0)
    assert not left.exists() and fresh.exists()


@pytest.mark.parametrize("bad", [(4, 4), (-1, 4), (0, 0), (0.5, 4), (1, 2, 3), 1, "0/4", (True, 4), (0, 91)])
def test_a_wrong_part_is_named(tmp_path, bad):
    with pytest.raises(ValueError, match="`part`"):
        jt.ensemble(exact, KEY, 90, store=tmp_path / "s", part=bad)
    assert not (tmp_path / "s").exists()


def test_what_parts_need(tmp_path):
    with pytest.raises(ValueError, match="`store` must be given for parts"):
        jt.ensemble(exact, KEY, 90, part=(0, 2))
    with pytest.raises(ValueError, match="`target_error` must be None for one part"):
        part(tmp_path / "s", 0, target_error=0.1)
    assert not (tmp_path / "s").exists()


def test_more_parts_than_a_batch_keep_the_bits_of_the_batch(tmp_path):
    """A part of three is computed by the program of ten, whose rounding the single run has."""
    f = lambda key: jnp.cumsum(jnp.exp(jax.random.normal(key, (5,))))
    filled(tmp_path / "s", 30, f=f)
    same(jt.merge(tmp_path / "s"), jt.ensemble(f, KEY, 90, batch_size=10, devices=1))
