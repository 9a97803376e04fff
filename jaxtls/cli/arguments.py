"""Holds what the commands' arguments share: help that says defaults, numbers below zero, options that are misspelt."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from .._nearest import did_you_mean


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


def joined(words: Sequence[str]) -> list[str]:
    """Joins an option and a negative number: argparse takes -5e9 for an option, and the option's own check is not met.

    Example:
        >>> joined(["fit", "--frequency", "-5e9", "--quiet"])
        ['fit', '--frequency=-5e9', '--quiet']
    """
    found: list[str] = []
    for word in words:
        if found and found[-1].startswith("--") and "=" not in found[-1] and _is_negative(word):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


def misspelt(words: Sequence[str], command: argparse.ArgumentParser) -> str:
    """Names the first option that a command does not have, with the one that may be meant; "" where it has them all.

    Example:
        >>> import argparse
        >>> command = argparse.ArgumentParser()
        >>> _ = command.add_argument("--frequency")
        >>> misspelt(["--frequncy=5e9"], command), misspelt(["--freq", "5e9"], command)
        ('unrecognized arguments: --frequncy. Did you mean --frequency?', '')
    """
    lines = re.findall(r"^ +(-[\w-]+)(?:, (--[\w-]+))?", command.format_help(), re.M)
    known = [name for line in lines for name in line if name]
    for word in words:
        name = word.partition("=")[0]
        if name == "--":
            break
        # argparse takes the beginning of an option for the whole
        if name.startswith("-") and not _is_negative(word) and not any(one.startswith(name) for one in known):
            return f"unrecognized arguments: {name}. {did_you_mean(name, known)}".rstrip()
    return ""


def _is_negative(word: str) -> bool:
    """Say whether a word is a number below zero, in whatever form Python reads."""
    try:
        float(word)
    except ValueError:
        return False
    return word.startswith("-")
