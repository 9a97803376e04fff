"""The documentation: pages in `pages/`, the reference from the docstrings, notebooks and figures as they are stored."""

from .site import build as build
