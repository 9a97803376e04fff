"""The costs of parts are those of parts that merge."""

import pytest

from benchmarks import parts


@pytest.mark.slow
def test_a_few_parts():
    said = []
    r = parts.main(4, 5, said.append)
    assert r.count == 20 and r.mean.shape == (parts.TIMES,)
    assert any("merge of 4 parts of 5" in line for line in said)
