"""Holds kernels made by hand, each for a measured reason."""
