"""Lays the pages out in one folder, as Sphinx reads them: ours, the README, notebooks, figures, the reference."""

from __future__ import annotations

import pathlib
import re
import shutil

from . import figures, reference

HERE = pathlib.Path(__file__).parent
# In a checkout these lie at its top; a wheel carries copies of them in this folder.
CHECKOUT = HERE.parent.parent
PLACES = {"notebooks/gallery/": "gallery/", "jaxtls/docs/pages/": "", "notebooks/": "notebooks/"}
NOTEBOOKS = {
    "conventions": "Units, basis states and signs",
    "entropic_spring": "An entropic spring",
    "spin_bath": "An oscillator in a bath of TLSs",
    "thermal_networks": "Networks and the second law",
    "resonator": "From a resonator's file to a figure",
    "telegraph": "A telegraph record",
    "glass": "A glass",
    "damped_oscillator": "A damped oscillator, quantised",
    "own_model": "A model of your own",
    "fitting": "What data do not say",
    "ensembles": "Averages over disorder",
}


def source(name: str) -> pathlib.Path:
    """Finds README.md or notebooks, of the checkout or of the wheel.

    Raises:
        FileNotFoundError: if neither holds it.

    Example:
        >>> source("notebooks").is_dir()
        True
    """
    for folder in (CHECKOUT, HERE):
        if (folder / name).exists() and (folder is HERE or (CHECKOUT / "pyproject.toml").is_file()):
            return folder / name
    raise FileNotFoundError(f"{name} is neither in {CHECKOUT} nor in {HERE}; install jaxtls anew")


def lay_out(folder: pathlib.Path) -> pathlib.Path:
    """Write all pages to a new folder."""
    shutil.copytree(HERE / "pages", folder)
    shutil.copytree(HERE / "static", folder / "_static")
    books = source("notebooks")
    names = [name for name in NOTEBOOKS if (books / f"{name}.ipynb").is_file()]
    names += sorted(path.stem for path in books.glob("*.ipynb") if path.stem not in NOTEBOOKS)
    (folder / "notebooks").mkdir()
    for name in names:
        shutil.copy(books / f"{name}.ipynb", folder / "notebooks")
    (folder / "notebooks" / "index.md").write_text(_contents(names), encoding="utf-8")
    (folder / "gallery").mkdir()
    for picture in (books / "gallery").glob("*.png"):
        shutil.copy(picture, folder / "gallery")
    index = folder / "index.md"
    readme = source("README.md").read_text(encoding="utf-8")
    index.write_text(front(readme) + index.read_text(encoding="utf-8"), encoding="utf-8")
    page = folder / "figures.md"
    page.write_text(page.read_text(encoding="utf-8") + figures.findings(), encoding="utf-8")
    reference.write(folder / "api")
    return folder


def front(readme: str) -> str:
    """Makes the README the first page: links to what is no page of the site become plain text.

    Example:
        >>> front("![A](notebooks/gallery/top.png) [guide](jaxtls/docs/pages/papers.md) [law](LICENSE)")
        '![A](gallery/top.png) [guide](papers.md) law'
    """

    def there(match: re.Match[str]) -> str:
        mark, text, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        for prefix, place in PLACES.items():
            if target.startswith(prefix):
                return f"{mark}[{text}]({place}{target.removeprefix(prefix)})"
        return text

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", there, readme)


def _contents(names: list[str]) -> str:
    rows = "\n".join(f"- [{NOTEBOOKS.get(name, name)}]({name}.ipynb)" for name in names)
    tree = "\n".join(names)
    return f"""\
# Notebooks

Each is run by the tests; here they are shown with what they printed and drew when they were written. The files are in
the project's folder `notebooks/`.

{rows}

```{{toctree}}
:hidden:

{tree}
```
"""
