"""What the commands' arguments share: a help that says defaults where there are some."""

from __future__ import annotations

import argparse


class Help(argparse.RawDescriptionHelpFormatter):
    """Defaults that say something, once; text before and after the arguments as it is written."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        said = action.help
        silent = (None, False, argparse.SUPPRESS)
        if said is None or "default" in said or any(action.default is one for one in silent) or action.default == []:
            return said
        return f"{said} (default: %(default)s)"

    def start_section(self, heading: str | None) -> None:
        """Headings of groups that say what their columns are are broken as text is."""
        super().start_section(None if heading is None else self._broken(heading))

    def _broken(self, heading: str) -> str:
        return "\n".join(self._split_lines(heading, self._width - 1))
