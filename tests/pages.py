"""Markdown whose Python blocks run in order in one namespace; a text block behind one is what it prints."""

import contextlib
import io
import pathlib
import re
import warnings

BLOCK = re.compile(r"```python\n(.*?)```(?:\n```text\n(.*?)```)?", re.S)


def run(page: pathlib.Path) -> str:
    """Run the page and compare; all that it printed."""
    names: dict = {}
    said = ""
    for code, expected in BLOCK.findall(page.read_text()):
        if "cache_dir" in code:
            continue
        out = io.StringIO()
        with warnings.catch_warnings(), contextlib.redirect_stdout(out):
            warnings.simplefilter("ignore")
            exec(compile(code, str(page), "exec"), names)
        if expected:
            assert steady(out.getvalue()) == steady(expected), f"{page.name} prints\n{out.getvalue()}"
        said += out.getvalue()
    return said


def steady(text: str) -> str:
    """Without what depends on the machine: sizes of errors below 1e-6, and digits beyond the fifth."""
    text = re.sub(r"\d(?:\.\d+)?e-(?:0[7-9]|[1-9]\d)", "small", re.sub(r"0\.0e\+00", "small", text))
    text = re.sub(r"(\d\.\d{4})\d+", r"\1", text)
    return " ".join(text.split())
