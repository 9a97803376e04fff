"""Models a qubit or resonator among many two-level systems, at rest or moved by telegraph fluctuators."""

from .material import expected_tls as expected_tls
from .material import filling_factor as filling_factor
from .material import loss_tangent as loss_tangent
from .model import TLSBath as TLSBath
