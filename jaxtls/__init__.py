"""jaxtls: two-level systems coupled to oscillators and baths, differentiable, on CPU and GPU."""

from importlib.metadata import version as _version

__version__ = _version("jaxtls")
