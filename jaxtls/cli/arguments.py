"""Holds what the commands' arguments share: a help that says defaults where there are some."""

from __future__ import annotations

import argparse


class Help(argparse.HelpFormatter):
    """Shows defaults that say something, once, and headings of groups that are broken as text is."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        said = action.help
        silent = (None, False, argparse.SUPPRESS)
        if said is None or "default" in said or any(action.default is one for one in silent) or action.default == []:
            return said
        return f"{said} (default: %(default)s)"

    def start_section(self, heading: str | None) -> None:
        """A heading may be long: those of groups say what their columns are."""
        super().start_section(None if heading is None else "\n".join(self._split_lines(heading, self._width - 1)))


class Written(Help, argparse.RawDescriptionHelpFormatter):
    """Does the same, with the text before and after the arguments as it is written."""
