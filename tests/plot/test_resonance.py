"""The picture of one resonance."""

import numpy as np

import jaxtls as jt

F = 5e9 + np.linspace(-5e5, 5e5, 101)
MODEL = jt.ResonatorTrace(f_r=5e9 + 5e4, Q_internal=2e5, Q_coupling=1e5, asymmetry=0.3, gain=0.03, delay=4e-8)


def test_data_lie_on_the_circle_and_residuals_are_what_was_added():
    extra = 1e-3 * np.exp(1j * np.arange(101))
    z = np.asarray(MODEL.response(F)) + extra * np.asarray(MODEL.line(F))
    plane, size, _, rest = jt.plot.resonance(F, z, MODEL, title="r1").axes
    data, curve, mark = (line.get_xydata() @ [1, 1j] for line in plane.lines)
    np.testing.assert_allclose(data, np.asarray(MODEL.resonance(F)) + extra, rtol=1e-9)
    np.testing.assert_allclose(mark, [complex(MODEL.resonance(MODEL.f_r))])
    assert np.min(np.abs(curve - mark)) < 1e-9
    # The curve shows the resonance itself, however narrow.
    narrow = jt.ResonatorTrace(f_r=5e9, Q_internal=2e8, Q_coupling=1e8)
    curve = jt.plot.resonance(F, z, narrow).axes[0].lines[1].get_xydata()
    np.testing.assert_allclose(curve[:, 0].min(), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(rest.lines[1].get_ydata(), 100 * extra.real, atol=1e-8)
    assert size.get_ylabel().endswith("[dB]") and "kHz" in rest.get_xlabel()


def test_a_refused_trace_is_drawn_as_it_is():
    z = np.asarray(MODEL.response(F))
    plane, size, angle = jt.plot.resonance(F, z).axes
    np.testing.assert_allclose(plane.lines[0].get_xydata() @ [1, 1j], z)
    assert len(size.lines) == 1 and "GHz" in angle.get_xlabel()
