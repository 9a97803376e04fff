"""`--model swap`: the bundled map's TLSs come back, a map without any says so, and files are checked."""

import io
import json

import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from jaxtls.__main__ import main
from jaxtls._progress import Progress
from jaxtls.cli import swap, swap_search
from jaxtls.cli.data import make_swap_map
from jaxtls.cli.scans import swap_unit_notes, unit_notes
from jaxtls.cli.tables import InputError, Table


def test_bundled_map_is_what_the_script_makes():
    columns, table = make_swap_map.make(), swap.read(swap.BUNDLED)
    for name, values in columns.items():
        np.testing.assert_allclose(table[name], values, rtol=1e-6, atol=1e-6)


def test_chevron_of_a_lossless_tls_is_exact():
    t, detuning = np.linspace(0, 3, 7), np.array([[0.0], [0.4]])
    bath = jt.TLSBath([0.0], [2 * np.pi * 0.3], 0.0)
    exact = bath.swap_map(2 * np.pi * detuning.ravel(), t)
    np.testing.assert_allclose(swap_search.chevron(detuning, t, 0.3, 0.0), exact, atol=1e-10)


def test_slips_of_unit_are_noted():
    assert unit_notes(np.array([4900.0, 5100.0]), np.array([0.1, 1.1])) == []
    assert unit_notes(np.linspace(-0.05, 0.05, 5)) == []  # detunings about zero
    for middle, unit in ((5.0, "GHz"), (5e6, "kHz"), (5e9, "Hz")):
        (note,) = unit_notes(np.array([0.99, 1.01]) * middle)
        assert f"in {unit}," in note
    assert "percent" in unit_notes(np.array([5000.0]), np.array([40.0, 93.0]))[0]


def test_slips_of_unit_in_time_are_noted():
    """Chevrons tie both axes: the bundled map is fine, in ns or in s it is not, and neither is a coarse legal one."""
    table = swap.read(swap.BUNDLED)
    f, t = table["frequency_MHz"], table["time_us"]
    assert swap_unit_notes(f, t) == []
    assert swap_unit_notes(np.linspace(4000.0, 5000.0, 501), np.linspace(0.0, 10.0, 41)) == []
    assert swap_unit_notes(np.linspace(5000.0, 5001.0, 11), np.linspace(0.0, 0.3, 11)) == []
    for factor, words in ((1e3, "in ns,"), (1e-3, "in ms or s,"), (1e-6, "in ms or s,")):
        (note,) = swap_unit_notes(f, factor * t)
        assert words in note


def test_weakest_coupling_that_is_seen():
    """Its chevron lowers chi² by the gain asked for; half as strong does not."""
    f, t = np.repeat(np.linspace(0, 4, 9), 11), np.tile(np.linspace(0, 2, 11), 9)
    g = swap_search.weakest_seen(f, t, 0.9, np.full(99, 0.05), 16.0, 0.0)
    gains = [np.sum(((0.9 * (1 - swap_search.chevron(f - 2.0, t, x, 0.0))) / 0.05) ** 2) for x in (g, g / 2)]
    assert gains[0] > 16 > gains[1]
    assert swap_search.weakest_seen(f, t, 0.9, np.full(99, 1e9), 16.0, 0.0) == np.inf


def empty_map(noise=0.03):
    f, t = np.repeat(np.linspace(5000, 5005, 11), 15), np.tile(np.linspace(0, 3, 15), 11)
    p = 0.05 + 0.9 * np.exp(-0.1 * t) + noise * np.random.default_rng(1).normal(size=t.size)
    columns = {"frequency_MHz": f, "time_us": t, "population": p, "population_error": np.full(t.size, noise)}
    return Table("empty.csv", "0" * 64, columns)


@pytest.mark.parametrize(
    "column, factor, words",
    [("frequency_MHz", 1e-3, "in GHz"), ("time_us", 1e3, "in ns"), ("population", 100, "percent")],
)
def test_slips_are_said_before_the_fit_and_head_the_report(column, factor, words, monkeypatch):
    """Who gave GHz need not wait for a fit of them to hear of it."""
    table, said = empty_map(), io.StringIO()
    table.columns[column] = factor * table.columns[column]
    assert swap.doubts(empty_map()) == [] and any(words in doubt for doubt in swap.doubts(table))

    def fitted(*_):
        raise TimeoutError

    monkeypatch.setattr(swap, "_without", fitted)
    with pytest.raises(TimeoutError):
        swap.run(table, progress=Progress(said))
    assert words in said.getvalue()


@pytest.mark.slow
def test_a_map_without_tls_says_so():
    report = swap.run(empty_map())
    assert report.doubts == []
    assert report.verdict == "no TLS" and "would go unseen" in report.verdict_text and "no TLS seen" in report.title
    assert " inf" not in report.text() and "NOT" not in report.text()
    swap.picture(empty_map(), report).canvas.draw()
    assert abs(report.fit.values["loss"] - 0.1) < 4 * report.fit.stderr["loss"]


@pytest.mark.slow
def test_a_map_in_which_nothing_happens():
    """No TLS and no loss: the qubit's T1 gets a bound, and nothing is infinite."""
    table = empty_map()
    table.columns["population"][:] = 0.9 + 0.03 * np.random.default_rng(2).normal(size=len(table))
    report = swap.run(table)
    assert report.verdict == "no TLS" and "T1 of the qubit, 95 % above" in report.derived
    assert " inf" not in report.text() and report.derived["T1 of the qubit, 95 % above"].value > 10
    swap.picture(table, report).canvas.draw()


@pytest.mark.slow
def test_bundled_map_end_to_end(tmp_path, capsys):
    assert main(["fit", "--model", "swap", "--quiet", "--out", str(tmp_path)]) == 0
    assert "verdict: 2 TLSs" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    for name, values in make_swap_map.TRUTH.items():
        for k, value in enumerate(values):
            key = f"{name}[{k}]" if len(values) > 1 else name
            assert abs(report["values"][key] - value) < 3.5 * report["stderr"][key], key
    assert 0.85 < report["chi2"] / report["dof"] < 1.15
    assert (tmp_path / "fit.png").read_bytes().startswith(b"\x89PNG")


def test_too_few_frequencies(tmp_path):
    file = tmp_path / "short.csv"
    rows = "\n".join(f"{5000 + k % 2},{k // 2},0.5" for k in range(40))
    file.write_text(f"frequency_MHz,time_us,population\n{rows}\n")
    with pytest.raises(InputError, match="fewer than 4 different values of frequency_MHz"):
        swap.read(file)


def test_populations_do_not_lose_digits_at_gigahertz():
    model = swap.SwapMap(*(jnp.asarray(x) for x in ([5e6 + 0.2], [0.3], [0.1], 0.05, 1.0, 0.0)))
    near = swap.SwapMap(*(jnp.asarray(x) for x in ([0.2], [0.3], [0.1], 0.05, 1.0, 0.0)))
    w, ts = jnp.linspace(-1, 1, 5), jnp.linspace(0, 3, 4)
    np.testing.assert_allclose(model.populations(5e6 + w, ts), near.populations(w, ts), atol=1e-7)
