"""Gives the papers behind each model, as BibTeX."""

from .cite import cite as cite
