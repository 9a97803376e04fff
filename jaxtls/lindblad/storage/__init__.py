"""How operators are kept: as diagonals, and stacked."""
