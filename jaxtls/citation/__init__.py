"""The papers behind each model, as BibTeX."""

from .cite import cite as cite
