"""Holds ways to move a model: each plans, runs and judges."""
