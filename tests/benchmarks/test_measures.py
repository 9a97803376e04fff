"""States and measures are held against closed forms, and each first call is one."""

import pytest

from .runs import rows


@pytest.mark.slow
def test_quick_measures(tmp_path):
    found = rows("measures", "first-calls", tmp_path, "--no-peers")
    assert {row["name"] for row in found} == {"jaxtls"} and len(found) == 9
    # Wigner's closed form is that of all levels, of which a quick run keeps 8.
    assert all(row["error"]["max"] < (1e-2 if row["case"] == "Wigner function" else 1e-12) for row in found)
    assert all(row["warm"] < row["first"] for row in found)
