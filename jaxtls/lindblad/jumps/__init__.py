"""Makes quantum jumps: one trajectory's step, the loss that sets the times of jumps, and averages over many."""
