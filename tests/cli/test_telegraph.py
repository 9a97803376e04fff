"""`--model telegraph` on the bundled record: the truth that made it comes back within its errors."""

import json

import jax
import numpy as np
import pytest

from jaxtls import Fluctuators, TelegraphRecord
from jaxtls.__main__ import main
from jaxtls.cli import telegraph
from jaxtls.cli.data import make_telegraph
from jaxtls.cli.tables import InputError, Table
from jaxtls.cli.telegraph_fit import first_guess


def test_bundled_record_is_what_the_script_makes():
    table, columns = telegraph.read(telegraph.BUNDLED), make_telegraph.make()
    for name, values in columns.items():
        np.testing.assert_allclose(table[name], values, atol=1e-3)


def test_first_guess_is_near():
    guess, truth = first_guess(telegraph.read(telegraph.BUNDLED)), make_telegraph.TRUTH
    rate = truth["rates_up"] + truth["rates_down"]
    assert 0.3 < float(guess.source.total_rates[0]) / rate < 3
    assert 0.5 < float(guess.sigma) / truth["sigma"] < 2


def test_a_record_that_never_changes_is_refused(tmp_path):
    file = tmp_path / "flat.csv"
    file.write_text("time,signal\n" + "\n".join(f"{i},1.0" for i in range(30)))
    with pytest.raises(InputError, match="never changes"):
        telegraph.read(file)


@pytest.mark.slow
def test_end_to_end(tmp_path, capsys):
    assert main(["fit", "--model", "telegraph", "--out", str(tmp_path)]) == 0
    out, _ = capsys.readouterr()
    assert "verdict: telegraph noise" in out and "A second fluctuator is not called for" in out
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    for name in report["parameters"]:
        truth = make_telegraph.TRUTH[name.removeprefix("source.").partition("[")[0]]
        assert abs(report["values"][name] - truth) < 3.5 * report["stderr"][name], name
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_noise_alone_and_a_second_fluctuator():
    """White noise gets no signature; two clear fluctuators are found."""
    ts = np.arange(600.0)
    noise = Table("noise", "", {"time": ts, "signal": np.random.default_rng(1).normal(size=600)})
    report = telegraph.run(noise, n_starts=1)
    assert report.verdict == "cannot tell" and "no telegraph noise is seen" in report.verdict_text
    record = TelegraphRecord(Fluctuators([1.0, 0.5], [0.02, 0.3], [0.03, 0.2]), 0.0, 0.1)
    two = Table("two", "", {"time": ts, "signal": np.asarray(record.sample(jax.random.key(0), ts))})
    assert "two fluctuators" in telegraph.run(two, n_starts=1).title
