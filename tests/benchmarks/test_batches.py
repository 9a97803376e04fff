"""What a GPU is asked for compiles and runs small on a CPU, with the answers of each problem alone."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import batches, glass

from .runs import rows


@pytest.mark.slow
@pytest.mark.parametrize("part", ["springs", "networks", "glasses"])
def test_quick_batches(part, tmp_path):
    found = rows("batches", part, tmp_path)
    assert [row["size"]["batch"] for row in found] == list(batches.QUICK)
    assert all(row["error"]["alone"] < 1e-10 for row in found)
    assert all(row["share"]["flops"] > 0 for row in found)


@pytest.mark.slow
def test_the_whole_ensemble_of_a_gpu():
    row = glass._large_ensemble(6, 4, jnp.geomspace(1e-4, 1e-1, 3), batch=4)
    assert row.size["realizations"] == 6 and row.warm > 0
    assert jax.default_backend() == "cpu"
