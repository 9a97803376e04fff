"""Reading a compiled GPU program: a text whose kernels and bytes are counted by hand."""

import json
from importlib import util

import pytest

from benchmarks.__main__ import main
from benchmarks.kernels import LAUNCH, LOOK, Reading
from benchmarks.targets import PLUGINS, TARGETS

TEXT = """HloModule jit_f, is_scheduled=true

%fused_slice (param_0: f64[100,1000], param_1: s64[]) -> f64[1000] {
  %param_0 = f64[100,1000]{1,0} parameter(0)
  %param_1 = s64[] parameter(1)
  %zero = s64[] constant(0)
  %part = f64[1,1000]{1,0} dynamic-slice(%param_0, %param_1, %zero), dynamic_slice_sizes={1,1000}
  ROOT %flat = f64[1000]{0} bitcast(%part)
}

%fused_update (param_0.1: f64[100,1000], param_1.1: s64[], param_2.1: f64[1000]) -> f64[100,1000] {
  %param_0.1 = f64[100,1000]{1,0} parameter(0)
  %param_1.1 = s64[] parameter(1)
  %param_2.1 = f64[1000]{0} parameter(2)
  %row = f64[1,1000]{1,0} bitcast(%param_2.1)
  %zero.1 = s64[] constant(0)
  ROOT %put = f64[100,1000]{1,0} dynamic-update-slice(%param_0.1, %row, %param_1.1, %zero.1)
}

%inner_body (arg.2: (f64[1000])) -> (f64[1000]) {
  %arg.2 = (f64[1000]{0}) parameter(0)
  %x.2 = f64[1000]{0} get-tuple-element(%arg.2), index=0
  %solved = (f64[1000]{0}, s8[4194304]{0}) custom-call(%x.2), custom_call_target="cusolver_potrf"
  %only = f64[1000]{0} get-tuple-element(%solved), index=0
  ROOT %out.2 = (f64[1000]{0}) tuple(%only)
}

%inner_condition (arg.3: (f64[1000])) -> pred[] {
  %arg.3 = (f64[1000]{0}) parameter(0)
  ROOT %yes = pred[] fusion(%arg.3), kind=kLoop, calls=%fused_yes
}

%fused_yes (param_0.2: (f64[1000])) -> pred[] {
  %param_0.2 = (f64[1000]{0}) parameter(0)
  ROOT %true = pred[] constant(true)
}

%body (arg: (s64[], f64[100,1000])) -> (s64[], f64[100,1000]) {
  %arg = (s64[], f64[100,1000]{1,0}) parameter(0)
  %k = s64[] get-tuple-element(%arg), index=0
  %all = f64[100,1000]{1,0} get-tuple-element(%arg), index=1
  %one = f64[1000]{0} fusion(%all, %k), kind=kLoop, calls=%fused_slice
  %given = (f64[1000]{0}) tuple(%one)
  %search = (f64[1000]{0}) while(%given), condition=%inner_condition, body=%inner_body
  %found = f64[1000]{0} get-tuple-element(%search), index=0
  %start = ((f64[100,1000], s64[], f64[1000]), f64[100,1000], u32[]) fusion-start(%all, %k, %found), calls=%fused_update
  %done = f64[100,1000]{1,0} fusion-done(%start)
  ROOT %out = (s64[], f64[100,1000]{1,0}) tuple(%k, %done)
}

%condition (arg.1: (s64[], f64[100,1000])) -> pred[] {
  %arg.1 = (s64[], f64[100,1000]{1,0}) parameter(0)
  ROOT %less = pred[] fusion(%arg.1), kind=kLoop, calls=%fused_yes
}

ENTRY %main (x: f64[100,1000]) -> f64[100,1000] {
  %x = f64[100,1000]{1,0} parameter(0)
  %zero.2 = s64[] constant(0)
  %copied = f64[100,1000]{1,0} copy(%x)
  %tuple = (s64[], f64[100,1000]{1,0}) tuple(%zero.2, %copied)
  %loop = (s64[], f64[100,1000]) while(%tuple), condition=%condition, body=%body, c={"known_trip_count":{"n":"100"}}
  ROOT %result = f64[100,1000]{1,0} get-tuple-element(%loop), index=1
}
"""


def test_kernels_bytes_and_time():
    reading = Reading(TEXT, bandwidth=1e10)
    entry = reading.cost()
    assert (entry.kernels, entry.bytes) == (1, 2 * 800_000)
    outer, inner = reading.loops()
    # A row is read and written, a row is written where the table stands; the counter of 8 bytes is read twice.
    assert (outer.depth, outer.trips, outer.turn.kernels, outer.turn.bytes) == (0, 100, 2, 4 * 8000 + 2 * 8)
    # The solver's room to work in is no traffic; the condition is a kernel, and the host waits for it.
    assert (inner.depth, inner.trips, inner.turn.kernels, inner.turn.looks) == (1, None, 2, 1)
    assert inner.turn.calls == {"cusolver_potrf": 1, "fusion": 1}
    whole = reading.total({1: 3})
    assert whole.kernels == 1 + 100 * (2 + 3 * 2) and whole.looks == 300
    row = max(LAUNCH, 16_008e-10)
    expected = 1.6e-4 + 100 * (2 * row + 3 * (max(LAUNCH, 1.6e-6) + max(LAUNCH, 8.001e-7) + LOOK))
    assert abs(whole.seconds / expected - 1) < 1e-3


def test_cards():
    assert [TARGETS[name].name for name in ("h200", "h100", "a100")] == ["H200", "H100", "A100"]
    assert "major: 8" in TARGETS["a100"].description and "core_count: 132" in TARGETS["h200"].description


@pytest.fixture
def environment(monkeypatch):
    """What the command sets for its process alone."""
    monkeypatch.setenv("EQX_ON_ERROR", "nan")
    monkeypatch.setenv("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")


@pytest.mark.slow
@pytest.mark.skipif(not any(map(util.find_spec, PLUGINS)), reason="the plugin is not installed")
def test_a_program_is_compiled_for_a_card_that_is_not_here(tmp_path, environment):
    assert main(["compiled", "--quick", "--no-peers", "--only", "steady", "--out", str(tmp_path)]) == 0
    [path] = tmp_path.iterdir()
    rows = json.loads(path.read_text())["rows"]
    assert {row["name"] for row in rows} == {"jaxtls", "jaxtls, gradient"}
    for row in rows:
        assert "model" in row["extra"], row["note"]
        assert row["extra"]["model"]["kernels"] > 5 and row["extra"]["memory_mib"] > 0, row["note"]


@pytest.mark.skipif(any(map(util.find_spec, PLUGINS)), reason="the plugin is installed")
def test_without_the_plugin_one_sentence_says_what_to_install(tmp_path, environment):
    with pytest.raises(SystemExit, match=r"pip install 'jax\[cuda12\]'"):
        main(["compiled", "--quick", "--no-peers", "--out", str(tmp_path)])


def test_it_runs_alone():
    with pytest.raises(SystemExit, match="compiled runs alone"):
        main(["compiled", "glass", "--quick"])
