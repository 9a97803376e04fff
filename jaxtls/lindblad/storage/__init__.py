"""Says how operators are kept: as diagonals, and stacked."""
