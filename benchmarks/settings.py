"""What a run is asked for, and which peers it finds."""

from __future__ import annotations

from dataclasses import dataclass

from . import peers_spring
from .harness import device


@dataclass(frozen=True)
class Settings:
    """Small sizes or full ones, with or without peers, the most seconds of one peer's run (spring); for which card."""

    quick: bool
    peers: bool
    peer_budget: float = 600.0
    target: str = "h200"

    @property
    def repeats(self) -> int:
        return 3 if self.quick else 9

    def found(self) -> list[str]:
        """Installed peers; what is missing is printed."""
        found, missing = peers_spring.available() if self.peers else ([], [])
        for line in missing:
            print(line)
        return found

    def sizes(self, quick: tuple[int, ...], cpu: tuple[int, ...], gpu: tuple[int, ...]) -> tuple[int, ...]:
        return quick if self.quick else cpu if device() == "cpu" else gpu
