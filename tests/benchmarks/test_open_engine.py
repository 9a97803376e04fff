"""The open-system benchmark: each part runs small and is right against dense algebra."""

import pytest

from benchmarks import open_engine

from .runs import rows


@pytest.mark.slow
@pytest.mark.parametrize("part", open_engine.PARTS)
def test_quick_parts(part, tmp_path):
    for row in rows("open_engine", part, tmp_path, "--no-peers"):
        assert max(row["error"].values()) < 1e-7
