"""Models the damped oscillator of Blacker & Tilbrook and the superconducting qubits that are one."""

from .oscillator import DampedOscillator as DampedOscillator
from .qubits import FluxQubit as FluxQubit
from .qubits import PhaseQubit as PhaseQubit
