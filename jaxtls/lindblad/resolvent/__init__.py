"""Solves linear equations with a generator: factors, dense and sparse, and iterations."""
