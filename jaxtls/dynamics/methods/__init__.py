"""Ways to move a model: each plans, runs and judges."""
