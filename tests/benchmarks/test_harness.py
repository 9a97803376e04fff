"""The benchmarks measure what they say: cold and warm calls apart, JSON complete, and the peers' matrices right."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxtls as jt
from benchmarks import harness, results, spring
from benchmarks.__main__ import main
from benchmarks.peers_spring import Parameters, exact, problem

from .runs import rows


def test_first_call_and_warm_calls_are_apart():
    calls, traces = [], []

    @jax.jit
    def f(x):
        traces.append(1)
        return jnp.sum(x**2)

    def call():
        calls.append(1)
        return f(jnp.arange(3.0))

    timing, result = harness.measure(call, repeats=3)
    assert float(result) == 5.0
    assert len(calls) == 1 + 2 + 3  # cold, watched for memory, timed
    assert timing.repeats == 3
    assert 0 < timing.warm < timing.first
    assert 0 <= timing.spread < timing.first
    harness.measure(call, repeats=1)
    assert len(traces) == 2  # each measurement compiles once: its first call is cold


def test_calls_measured_together_take_turns():
    order = []
    calls = [lambda name=name: order.append(name) or jnp.zeros(()) for name in "ab"]
    timings, _ = harness.measure_together(calls, repeats=2)
    assert "".join(order) == "ab" + "aabb" + "abab"
    assert [timing.repeats for timing in timings] == [2, 2]


def test_a_slow_call_drops_out_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr(harness, "run", lambda call: (call(), call()))
    monkeypatch.setattr(harness, "WARM_SECONDS", 10.0)
    timings, results = harness.measure_together([lambda: 0.1, lambda: 2.0, lambda: 8.0], repeats=5)
    assert [timing.repeats for timing in timings] == [5, 1, 1] and results == [0.1, 2.0, 8.0]


def test_watching_a_short_call_is_not_its_time(monkeypatch):
    """The allocator is made to keep nothing meanwhile; a long call is left alone, and its watched run counts."""
    settings = []
    monkeypatch.setattr(harness, "run_watched", lambda call, short: settings.append(short) or (1e6, call(), 1.0))
    [timing], _ = harness.measure_together([lambda: jnp.zeros(())], repeats=2)
    assert timing.warm < 1.0 and timing.repeats == 2 and timing.peak_mib == 1.0
    monkeypatch.setattr(harness, "LONG", 0.0)
    [timing], _ = harness.measure_together([lambda: jnp.zeros(())], repeats=2)
    assert timing.warm == 1e6 and timing.repeats == 1
    assert settings == [True, False]


def test_memory_that_a_call_adds():
    held = np.ones(2**23)  # memory of before does not count

    def call(mib):
        return float(np.ones(mib * 2**17)[held.size % 7])

    small, large = (harness.run_watched(lambda mib=mib: call(mib))[2] for mib in (1, 200))
    if small is None:
        pytest.skip("this system does not tell the peak of a process's memory")
    assert small < 20 and abs(large - 200) < 20


def test_json_layout(tmp_path):
    timing = harness.Timing(first=1.0, warm=0.1, spread=0.01, repeats=3)
    rows = [
        harness.Row.timed("case", "name", timing, size={"N": np.int64(2)}, error={"x": jnp.asarray(1e-7)}, ratio=2.0),
        harness.Row("case", "failed", note="why", ratio=float("nan")),
    ]
    document = json.loads(harness.write(tmp_path / "new" / "out.json", "spring", rows, quick=True).read_text())
    assert set(document) == {"benchmark", "created", "quick", "environment", "ceilings", "peak_memory", "rows"}
    environment = document["environment"]
    assert environment["versions"]["jaxtls"] == jt.__version__
    assert environment["versions"]["jax"] == jax.__version__
    assert environment["device"] == "cpu" and environment["cpu_count"] >= 1 and environment["python"]
    first, second = document["rows"]
    assert first["size"] == {"N": 2} and first["first"] == 1.0 and first["warm"] == 0.1 and first["spread"] == 0.01
    assert first["error"]["x"] == pytest.approx(1e-7) and first["ratio"] == 2.0
    assert second["ratio"] is None and second["warm"] is None and second["note"] == "why"
    text = harness.table(rows)
    assert text.splitlines()[0] == "case" and "N=2" in text and "2x" in text


@pytest.mark.parametrize("n_spins", [1, 2])
@pytest.mark.slow
def test_peers_matrices_and_the_spring_agree(n_spins):
    """exp(t L) of the full Lindbladian in SciPy against the hierarchy."""
    p = Parameters(n_spins, n_levels=10, splitting=1.0, beta=1.0, omega=1.5, omega_0=0.4, mass=1.3, gamma=2.0)
    ts = np.linspace(0, 4.0, 9)
    expected = exact(p, ts)
    model = jt.EntropicSpring(
        omega=p.omega,
        splitting=p.splitting,
        gamma=p.gamma,
        beta=p.beta,
        n_spins=n_spins,
        omega_0=p.omega_0,
        mass=p.mass,
        n_levels=p.n_levels,
        n_modes=n_spins,
        form="lindblad",
    )
    with pytest.warns(UserWarning, match="truncation"):  # ten levels, on purpose
        found = jt.evolve(model, model.coherent_state(p.alpha), ts, rtol=1e-9).observables
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-8, err_msg=name)
    assert expected["impurity"][-1] > 0.1


def test_frames_differ_by_the_spins_own_energy():
    p = Parameters(2, n_levels=6)
    lab, rotating = problem(p, "lab"), problem(p, "rotating")
    excited = np.kron(np.diag([2.0, 1.0, 1.0, 0.0]), np.eye(6))
    np.testing.assert_allclose(lab.hamiltonian - rotating.hamiltonian, p.splitting * excited, atol=1e-10)
    assert np.trace(lab.rho0).real == pytest.approx(1.0, abs=1e-3)  # six levels cut a coherent state
    assert len(lab.jumps) == 4 and lab.dims == (2, 2, 6)


def test_command_line_runs_a_part(tmp_path, capsys, monkeypatch):
    seen = []

    def part(settings):
        seen.append(settings)
        yield harness.Row("trivial", "row", {"N": 1}, warm=0.5)

    monkeypatch.setitem(spring.PARTS, "size", part)
    found = rows("spring", "size", tmp_path, "--no-peers", "--peer-budget", "3")
    assert seen == [spring.Settings(quick=True, peers=False, peer_budget=3.0)]
    assert [row["warm"] for row in found] == [0.5]
    assert "trivial" in capsys.readouterr().out


def test_unknown_cases_and_parts_are_named():
    with pytest.raises(SystemExit, match="No case is called sprig; there are spring, heated, engine, glass"):
        main(["sprig"])
    with pytest.raises(SystemExit, match="No part is called isng; there are ising, kerr"):
        main(["engine", "--only", "isng"])


@pytest.mark.slow
@pytest.mark.parametrize("part", spring.PARTS)
def test_quick_run_of_each_part_of_the_spring(part, tmp_path):
    found = rows("spring", part, tmp_path, "--no-peers")
    if part == "peers":
        check = next(row for row in found if row["name"] == "SciPy exp(t L)")
        assert max(check["error"].values()) < 1e-9
    elif part == "size":
        assert [row["size"]["N"] for row in found] == [20, 1000, 10**6]
        assert all(row["error"]["x"] < 1e-6 for row in found)
    elif part == "gradient":
        assert found[1]["error"]["gradient"] < 1e-4
    elif part == "methods":
        assert {row["name"] for row in found} >= {"diffrax Tsit5", "StrangSolver in diffrax"}


@pytest.mark.slow
@pytest.mark.parametrize("case", ["spring", "engine", "glass"])
def test_work_against_precision_is_drawn(case, tmp_path):
    found = rows(case, "precision", tmp_path, "--no-peers")
    assert {row["name"] for row in found} == {"jaxtls"} and all(max(row["error"].values()) < 1e-2 for row in found)
    assert main(["plot", "--results", str(tmp_path)]) == 0
    assert (tmp_path / f"{case}-precision-cpu.png").stat().st_size > 5000


def written(folder, name, warm):
    timing = harness.Timing(first=1.0, warm=warm, spread=0.0, repeats=3)
    peer, slower = harness.Timing(2.0, 10 * warm, 0.0, 3), harness.Timing(3.0, 4.0, 0.0, 3)
    equal = {"ratio": 5.0, "extra": {"jaxtls_warm": 2 * warm}}
    found = [
        harness.Row.timed("a case", "jaxtls", timing, size={"N": 2, "times": 5}, error={"x": 1e-9}),
        harness.Row.timed("a case", "dynamiqs dense", slower, size={"N": 2}, error={"x": 1e-7}),
        harness.Row.timed("a case", "dynamiqs dia", peer, size={"N": 2, "dimension": 8}, error={"x": 1e-7}, **equal),
    ]
    return harness.write(folder / f"{name}.json", "spring", found, quick=True, parts=["size"])


def test_two_runs_are_compared(tmp_path, capsys):
    old, same, slow = (written(tmp_path, name, warm) for name, warm in (("old", 0.1), ("same", 0.15), ("slow", 0.2)))
    assert main(["compare", str(old), str(same)]) == 0
    said = capsys.readouterr().out
    assert "warn     1.50x  0.1 -> 0.15 s  a case: jaxtls N=2 times=5" in said and "FAIL" not in said
    assert main(["compare", str(old), str(slow)]) == 1
    said = capsys.readouterr().out
    assert "FAIL     2.00x" in said and "dynamiqs" not in said  # peers are not ours to mend


def test_tolerances_are_rows_of_their_own(tmp_path, capsys):
    timings = [harness.Timing(1.0, warm, 0.0, 3) for warm in (0.1, 0.9)]
    found = [
        harness.Row.timed("precision", "jaxtls", timing, size={"rtol": rtol})
        for timing, rtol in zip(timings, harness.RTOLS)
    ]
    path = harness.write(tmp_path / "one.json", "spring", found, quick=True, parts=["precision"])
    assert main(["compare", str(path), str(path)]) == 0
    assert capsys.readouterr().out.count(" 1.00x") == 2


def test_the_table_takes_the_fastest_variant_of_each_peer(tmp_path):
    path = written(tmp_path, "new", 0.1)
    [document] = results.load(path)
    lines, day = results.table([document]).splitlines(), document["created"][:10]
    assert lines[2:] == [f"| a case, N = 2 | 0.1 (1), 1e-09 | 1 (2), 1e-07 = 10× (5×) |  |  | {day} |"]
    page = tmp_path / "README.md"
    page.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    results.write_table(page, "new")
    assert page.read_text() == f"before\n{results.BEGIN}\nnew\n{results.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="needs one"):
        results.write_table(page, "new")


def test_the_table_has_values_beside_their_gradients():
    """Without a peer: time, first call, error and memory of a value, then of its gradient with the ratio."""
    timings = harness.Timing(2.0, 0.5, 0.1, 3, 54.2), harness.Timing(3.0, 1.5, 0.1, 3, None)
    found = [
        harness.Row.timed("a case", name, timing, size={"N": 2}, error={"max": 1e-9}, ratio=1.0, ratio_to="value")
        for name, timing in zip(("value", "value and gradient"), timings)
    ]
    document = {"benchmark": "baths", "created": "2026-11-30T00:00", "rows": [vars(row) for row in found]}
    table = results.table([document])
    cells = "0.5 (2), 1e-09, 54.2 MiB; value and gradient 1.5 (3), 1e-09 = 3×"
    assert table.splitlines()[2:] == [f"| baths: a case, N = 2 | {cells} |  |  |  | 2026-11-30 |"]
