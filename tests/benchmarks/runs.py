"""Running a part of a benchmark small, and reading what it wrote."""

import json

from benchmarks.__main__ import main


def rows(case, part, folder, *arguments):
    """The rows of a part, all of them timed."""
    assert main([case, "--quick", "--only", part, "--out", str(folder), *arguments]) == 0
    document = json.loads((folder / f"{case}-{part}-cpu-quick.json").read_text())
    assert document["benchmark"] == case and document["parts"] == [part] and document["quick"] is True
    assert set(document["ceilings"]) == {"flops", "bytes"}
    assert all(row["warm"] > 0 and row["first"] > 0 for row in document["rows"] if row["repeats"])
    return document["rows"]
