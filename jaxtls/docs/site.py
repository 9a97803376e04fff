"""`build`: lay the pages out, run Sphinx over them, say where the site is."""

from __future__ import annotations

import importlib.util
import io
import os
import pathlib
import re
import sys
import tempfile
import warnings

from .._progress import Progress
from .config import CONFIG
from .layout import lay_out

NEEDED = ("sphinx", "myst_nb", "pydata_sphinx_theme", "latex2mathml")


def build(out: str | os.PathLike[str], *, quiet: bool = True) -> pathlib.Path:
    """Write the documentation as static HTML to a folder; nothing in it asks another host.

    Arguments:
        out: folder for the pages; made where it is missing. Pages of an earlier build are replaced.
        quiet: False says on stderr how far it is.

    Returns:
        The path of index.html.

    Raises:
        ImportError: without the extra `docs`.
        ValueError: if Sphinx cannot build it; the message has its words.

    Example:
        >>> build("site")  # doctest: +SKIP
        PosixPath('site/index.html')
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        said = ", ".join(missing)
        raise ImportError(f"The documentation needs {said}, which pip install 'jaxtls[docs]' brings.")
    progress, folder = Progress(quiet=quiet), pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jaxtls-docs-") as work:
        progress.stage("lay out the pages")
        pages = lay_out(pathlib.Path(work) / "pages")
        progress.stage("render them")
        warned = _render(pages, folder, pathlib.Path(work) / "trees")
        progress.done()
    for line in warned:
        print(line, file=sys.stderr)
    return folder / "index.html"


def _render(pages: pathlib.Path, out: pathlib.Path, trees: pathlib.Path) -> list[str]:
    """Run Sphinx; its warnings, one a line."""
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError

    said = io.StringIO()
    with warnings.catch_warnings():
        # Those of Sphinx and its extensions among themselves are not the reader's.
        warnings.simplefilter("ignore")
        try:
            app = Sphinx(pages, None, out, trees, "html", dict(CONFIG), status=None, warning=said, freshenv=True)
            app.build(force_all=True)
        except SphinxError as error:
            raise ValueError(f"{error}\n{said.getvalue()}".strip()) from None
    # A template of the theme for its makers, which is no page.
    (out / "_static" / "webpack-macros.html").unlink(missing_ok=True)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said.getvalue())
    if app.statuscode:
        raise ValueError(plain.strip() or "Sphinx failed without a word")
    return [line for line in plain.splitlines() if line.strip()]
