"""The TLS bath's benchmark: NumPy finds what jaxtls does, by other formulas, and each part runs small."""

import numpy as np
import pytest

from benchmarks import baths_tls, peers_tls

from .runs import rows


def test_plain_numpy_agrees():
    ts = np.geomspace(1e-2, 5.0, 7)
    bath = peers_tls.draw(50, False)
    np.testing.assert_allclose(
        baths_tls._model(bath).amplitude(0.2, ts), peers_tls.amplitude(bath, 0.2, ts), atol=1e-11
    )
    bath, ws = peers_tls.draw(50, True), np.linspace(-5.0, 5.0, 9)
    model = baths_tls._model(bath)
    np.testing.assert_allclose(model.populations(0.2, ts), peers_tls.populations(bath, 0.2, ts), atol=1e-11)
    np.testing.assert_allclose(model.relaxation_rate(ws), peers_tls.rates(bath, ws, 7), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("part", baths_tls.PARTS)
def test_quick_parts(part, tmp_path):
    found = rows("baths", part, tmp_path)
    assert {"jaxtls", "NumPy"} <= {row["name"] for row in found}
    assert all(max(row["error"].values()) < 1e-6 for row in found if row["error"])
