"""Models random telegraph fluctuators: their noise, what it does to a qubit, and what a record says of them."""

from .model import Fluctuators as Fluctuators
from .record import TelegraphRecord as TelegraphRecord
