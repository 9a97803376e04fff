"""Teaches Sphinx MathML for equations, and docstrings in the house's dialect."""

from __future__ import annotations

import re
from typing import Any

from .docstrings import to_rst

# Those script letters that Unicode had before it had all of them.
SCRIPT = dict(zip("BEFHILMR", "ℬℰℱℋℐℒℳℛ", strict=True))


def setup(app: Any) -> dict[str, bool]:
    """Register both; called by Sphinx."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _process(app: Any, kind: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    lines[:] = to_rst(lines)


def _signature(
    app: Any, kind: str, name: str, thing: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Give a signature without annotations of results, labels in TeX as dots: the docstring says what is returned."""
    return None if signature is None else re.sub(r"""(["'])[^"']*\1""", _label, signature), None


def _label(match: re.Match[str]) -> str:
    return "..." if "\\" in match[0] else match[0]


def mathml(tex: str, display: str) -> str:
    """Returns an equation as MathML, "inline" or "block".

    Example:
        >>> mathml("x", "inline")  # doctest: +SKIP
        '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow><mi>x</mi></mrow></math>'
    """
    from latex2mathml.converter import convert

    # Browsers draw script letters where they are characters of their own, not where they are a variant.
    return str(convert(re.sub(r"\\mathcal\s*\{?\s*([A-Z])\s*\}?", _script, tex), display=display))


def _script(match: re.Match[str]) -> str:
    letter = match[1]
    return SCRIPT.get(letter) or chr(0x1D49C + ord(letter) - ord("A"))


def _visit_inline(translator: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    translator.body.append(mathml(node.astext(), "inline"))
    raise SkipNode


def _visit_block(translator: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    translator.body.append(mathml(node.astext(), "block"))
    translator.body.append("</div>")
    raise SkipNode
