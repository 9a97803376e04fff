"""Few defects beside brute force: what the peers are given is our model, and each part runs small."""

import numpy as np
import pytest

import jaxtls as jt
from benchmarks import baths, baths_few, peers_few, peers_tls

from .runs import rows


def test_brute_force_agrees():
    """Unequal rates of either order and both signs of a: u and d or the sign of the phase exchanged would show."""
    a, up, down = np.array([0.9, -2.0]), np.array([0.3, 1.5]), np.array([0.8, 0.4])
    ts, f = np.linspace(0.0, 3.0, 7), jt.Fluctuators(a, up, down)
    for pulses in (0, 1):
        found = f.coherence(ts, pulses=pulses)
        np.testing.assert_allclose(found, peers_few.coherence(a, up, down, ts, pulses == 1), atol=1e-12)
    bath = peers_tls.draw(6, False)
    model = jt.TLSBath(bath.frequencies, bath.couplings, bath.relaxation)
    found = np.abs(model.amplitude(baths_few.W, ts)) ** 2
    np.testing.assert_allclose(found, peers_few.amplitude(bath, baths_few.W, ts), atol=1e-11)
    bath = peers_tls.draw(6, True)
    model = jt.TLSBath(bath.frequencies, bath.couplings, bath.relaxation, bath.dephasing)
    for plain in (peers_few.populations, peers_few.populations_by_modes):
        np.testing.assert_allclose(model.populations(baths_few.W, ts), plain(bath, baths_few.W, ts), atol=1e-11)


def test_qutip_agrees():
    pytest.importorskip("qutip")
    a, up, down = np.array([0.9, -2.0]), np.array([0.3, 1.5]), np.array([0.8, 0.4])
    ts = np.linspace(0.0, 3.0, 4)
    found = peers_few.qutip_coherence(a, up, down, ts)
    np.testing.assert_allclose(found, peers_few.coherence(a, up, down, ts, False), atol=1e-6)
    bath = peers_tls.draw(4, False)
    np.testing.assert_allclose(peers_few.qutip_amplitude(bath, 0.2, ts), peers_few.amplitude(bath, 0.2, ts), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("part", [*baths_few.PARTS, "gradient"])
def test_quick_parts(part, tmp_path):
    found = rows("baths", part, tmp_path)
    assert part in baths.PARTS and {row["ratio_to"] for row in found} <= {"jaxtls", "value"}
    assert all(max(row["error"].values()) < 1e-6 for row in found if row["error"])
