"""Makes the documentation: pages in `pages/`, the reference from the docstrings, notebooks and figures as stored."""

from .site import build as build
