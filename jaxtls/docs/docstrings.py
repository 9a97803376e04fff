"""Writes the house's docstrings as reStructuredText: sections by name, indented equations, code in single backticks."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence

SECTIONS = ("Arguments", "Args", "Attributes", "Returns", "Raises", "Example", "Examples", "Source", "Note")
TITLES = {"Args": "Arguments"}
LISTS = ("Arguments", "Args", "Attributes", "Raises")
_HEADING = re.compile(rf"^({'|'.join(SECTIONS)}):(?:\s+(\S.*))?$")
# Code in backticks, equations in dollars.
_MARKED = re.compile(r"(?P<mark>`+)(?P<code>.+?)(?P=mark)|\$(?=\S)(?P<math>[^$]+?)(?<=\S)\$", re.S)
_ENTRY = re.compile(r"^((?:\*{0,2}[\w.]+)(?:, \*{0,2}[\w.]+)*):\s*(.*)$", re.S)
_EQUATION = re.compile(r"^(d \w+/d\w|[A-Z]/hbar) = ")
# What would begin a list, a directive or a field.
_MARKER = re.compile(r"^(\(?(?:\w{1,4}|#)[.)]\s|[-+*•]\s|\.\.\s|:\w)")


def to_rst(lines: Sequence[str]) -> list[str]:
    """Writes a docstring of jaxtls as lines of reStructuredText.

    Example:
        >>> to_rst(["The rate of `jt.fit`.", "", "    Gamma = |g|^2", "", "Arguments:", "    x: of (T,) [s]."])[:3]
        ['The rate of :py:obj:`jt.fit <jaxtls.fit>`\\\\ .', '', '.. code-block:: text']
    """
    found: list[str] = []
    for heading, body in _sections(lines):
        if not heading:
            found += _blocks(body)
        elif heading.startswith("Example"):
            found += [".. rubric:: Example", "", *_blocks(body)]
        else:
            content = _entries(body) if heading in LISTS else _blocks(body)
            found += [f":{TITLES.get(heading, heading)}:", *_indented(content), ""]
    return found


def _sections(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Give headings ("" before the first) with their lines, dedented."""
    heading = ""
    body: list[str] = []
    for line in textwrap.dedent("\n".join(lines)).expandtabs().splitlines():
        match = _HEADING.match(line)
        if match:
            yield heading, body
            heading, body = match[1], [match[2]] if match[2] else []
        elif heading and line and not line.startswith(" ") and not _continues(body):
            # Prose after a section belongs to the whole.
            yield heading, body
            heading, body = "", [line]
        else:
            body.append(line)
    yield heading, body


def _continues(body: Sequence[str]) -> bool:
    """A section whose text began on the heading's line goes on at the margin, up to a blank line."""
    return bool(body) and not body[0].startswith(" ") and all(line.strip() for line in body)


def _entries(body: Sequence[str]) -> list[str]:
    """Make a definition list of `name: what it is`."""
    groups: list[list[str]] = []
    for line in _dedented(body):
        if line and not line.startswith(" "):
            groups.append([line])
        elif groups:
            groups[-1].append(line)
    found: list[str] = []
    for first, *rest in groups:
        match = _ENTRY.match(first)
        if match is None:
            found += _blocks([first, *rest])
        else:
            names = ", ".join(f"``{name}``" for name in match[1].split(", "))
            content = _blocks([line for line in (match[2], *_dedented(rest)) if line or rest])
            found += [names, *_indented(content or [r"\ "]), ""]
    return found


def _blocks(body: Sequence[str]) -> list[str]:
    """Write paragraphs, equations (indented) and examples."""
    found: list[str] = []
    lines = _dedented(body)
    while lines:
        if not lines[0].strip():
            lines.pop(0)
        elif lines[0].startswith((">>>", "    >>>")):
            found += _directive("pycon", _dedented(_take(lines, lambda line: bool(line.strip()))))
        elif lines[0].startswith("    "):
            found += _directive("text", _dedented(_take(lines, lambda line: line.startswith("    "))))
        elif lines[0].startswith("- "):
            found += [_listed(line) for line in _take(lines, lambda line: line.startswith(("- ", "  ")))] + [""]
        elif lines[0].startswith("$$"):
            whole = "\n".join(_take(lines, lambda line: bool(line.strip())))
            equation, _, rest = whole.removeprefix("$$").partition("$$")
            found += [".. math::", "", *_indented(equation.strip().splitlines()), ""]
            lines[:0] = [rest.strip()] if rest.strip() else []
        elif _EQUATION.match(lines[0]):
            found += _directive("text", _take(lines, lambda line: bool(line.strip())))
        else:
            text = _take(lines, lambda line: bool(line.strip()) and not line.startswith(("    ", ">>>")))
            found += [*inline("\n".join(line.strip() for line in text)).splitlines(), ""]
    return found


def _take(lines: list[str], wanted: Callable[[str], bool]) -> list[str]:
    """Take lines from the front as long as they are wanted."""
    taken = []
    while lines and wanted(lines[0]):
        taken.append(lines.pop(0))
    return taken


def _listed(line: str) -> str:
    mark = line[:2]
    return mark + inline(line[2:].strip())


def _directive(language: str, content: Sequence[str]) -> list[str]:
    options = ["   :class: equation"] if language == "text" else []
    return [f".. code-block:: {language}", *options, "", *(f"   {line}".rstrip() for line in content), ""]


def inline(text: str) -> str:
    r"""Gives a paragraph with its code marked and everything else taken as it is written.

    Example:
        >>> print(inline("`x` of |a_b|*"))
        ``x`` of \|a\_b\|\*
    """
    parts, end = [], 0
    for match in _MARKED.finditer(text):
        code, math = (" ".join((match[kind] or "").split()) for kind in ("code", "math"))
        parts += [_escaped(text[end : match.start()]), _code(code) if code else f":math:`{math}`"]
        end = match.end()
    parts.append(_escaped(text[end:]))
    # Marks need a space or punctuation beside them, which an escaped space gives without being shown.
    found = parts[0]
    for code, after in zip(parts[1::2], parts[2::2]):
        before = r"\ " if found and not found[-1].isspace() else ""
        found += before + code + (r"\ " if after and not after[0].isspace() else "") + after
    return found


def _code(text: str) -> str:
    name = text.removeprefix("jt.").removesuffix("()")
    known = re.fullmatch(r"[A-Za-z]\w*(\.\w+)?", name) and name.split(".")[0] in _public()
    return f":py:obj:`{text} <jaxtls.{name}>`" if known else f"``{text}``"


def _public() -> frozenset[str]:
    import jaxtls

    return frozenset(name for name in vars(jaxtls) if not name.startswith("_"))


def _escaped(text: str) -> str:
    text = re.sub(r"([\\*_|`])", r"\\\1", text).replace("::", r":\:")
    return "\n".join(_MARKER.sub(r"\\\1", line) for line in text.split("\n"))


def _dedented(lines: Sequence[str]) -> list[str]:
    return textwrap.dedent("\n".join(lines)).splitlines()


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
