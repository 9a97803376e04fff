"""Pages show what their code prints, no public name is left out, and the site holds together without a network."""

import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import types
import urllib.parse

import pytest

import jaxtls as jt
from jaxtls import docs
from jaxtls.docs import docstrings, layout, reference
from jaxtls.docs.site import NEEDED
from jaxtls.reproduce import FIGURES

from . import pages

FOLDER = pathlib.Path(docs.__file__).parent
PAGES = sorted((FOLDER / "pages").rglob("*.md"))
WITH_CODE = [page for page in PAGES if "```python" in page.read_text() and page.stem != "performance"]
# The others take longer to compile.
QUICK = ("damped", "fits", "migration", "network", "solid")


@pytest.mark.parametrize(
    "page", [pytest.param(p, marks=() if p.stem in QUICK else pytest.mark.slow, id=p.stem) for p in WITH_CODE]
)
def test_code_prints_what_is_shown(page):
    pages.run(page)


def test_the_guide_shows_the_plan_of_the_readme():
    """The same program, which the README's own test runs in every round; that of the guide takes longer."""
    plan = re.compile(r"^Plan: .*\n  .*$", re.M)
    shown = plan.findall((FOLDER / "pages" / "guide" / "lindblad.md").read_text())
    assert len(shown) == 1 and shown == plan.findall(layout.source("README.md").read_text())


def test_every_model_and_name_has_its_place():
    listed = [*reference.MODELS, *" ".join(names for _, names in reference.TOPICS.values()).split()]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) == set(reference.public())
    table = (FOLDER / "pages" / "figures.md").read_text()
    assert re.findall(r"^\| `([\w-]+)`", table, re.M) == list(FIGURES)


def test_pages_link_to_pages():
    """Links between Markdown files; those to the reference and the notebooks, which the build makes, by name."""
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
            name = pathlib.PurePath(link).stem
            if "://" in link:
                continue
            if "api/" in link:
                made = {*reference.MODELS, *reference.TOPICS, *reference.ROOMS, "index"}
                assert name in made, f"{page.name}: {link}"
            elif "notebooks/" in link or "gallery/" in link:
                where = layout.source("notebooks") / link.removeprefix("../").removeprefix("notebooks/")
                assert where.is_file(), f"{page.name}: {link}"
            else:
                assert (page.parent / link).is_file(), f"{page.name}: {link}"


def test_equations_are_equations_and_the_rest_is_text():
    rst = "\n".join(docstrings.to_rst([
        "Of $x_i$ and `jt.fit`.", "", r"    $$\chi^2 = \sum_i x_i$$", "", "    Gamma = |g|_1^2", "",
        "Arguments:", "    a, b: of *any* kind", "        A. Scardicchio says.", "", "Source: J. Doe_.",
    ]))  # fmt: skip
    assert ":math:`x_i`" in rst and ":py:obj:`jt.fit <jaxtls.fit>`" in rst
    assert "   Gamma = |g|_1^2" in rst and r"\*any\*" in rst and r"\A. Scardicchio" in rst and r"Doe\_" in rst
    assert "``a``, ``b``" in rst and ":Source:" in rst


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch, capsys):
    from jaxtls.__main__ import main

    monkeypatch.setattr("jaxtls.docs.site.NEEDED", ("no_such_package",))
    assert main(["docs", "anywhere"]) == 2
    assert "pip install 'jaxtls[docs]'" in capsys.readouterr().err
    assert not pathlib.Path("anywhere").exists()


# --- the site --------------------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """Anchors, links and what is loaded."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.ids |= {a["id"]} if a.get("id") else set()
        if tag == "a" and a.get("href"):
            self.links.append(a["href"])
        if tag in ("script", "img", "iframe", "object") and a.get("src"):
            self.loads.append(a["src"])
        if tag == "link" and a.get("rel") in ("stylesheet", "icon", "preload"):
            self.loads.append(a["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in NEEDED:
        pytest.importorskip(name)
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "jaxtls", "docs", str(out), "--quiet"]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert not said.stderr, said.stderr
    return out, {path: Page(path.read_text(encoding="utf-8")) for path in sorted(out.rglob("*.html"))}


@pytest.mark.slow
def test_the_site_links_to_itself_and_needs_no_network(site):
    out, found = site
    broken, outside = [], []
    for path, page in found.items():
        for link in page.links + page.loads:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                outside += [link] if link in page.loads else []
                continue
            file = path if not parts.path else pathlib.Path(os.path.normpath(path.parent / parts.path))
            fragment = urllib.parse.unquote(parts.fragment)
            if not file.is_file() or (fragment and file in found and fragment not in found[file].ids):
                broken.append(f"{path.relative_to(out)}: {link}")
    assert not broken and not outside
    for path in found:
        text = re.sub(r"<(script|style|code|pre)\b.*?</\1>", " ", path.read_text(encoding="utf-8"), flags=re.S)
        assert not re.findall(r"\\(?:frac|sqrt|mathrm|sum|hbar|omega)\b", re.sub(r"<[^>]*>", " ", text)), path
    styles = "".join(path.read_text(encoding="utf-8", errors="replace") for path in out.rglob("*.css"))
    assert not re.search(r"(@import\s+|url\()\s*[\"']?(https?:)?//", styles)


MEMBERS = (types.FunctionType, property, classmethod, staticmethod)


@pytest.mark.slow
def test_the_site_has_names_notebooks_and_a_search(site):
    out, found = site
    anchors = set().union(*(page.ids for page in found.values()))
    assert {f"jaxtls.{name}" for name in reference.public()} <= anchors
    methods = {
        f"jaxtls.{name}.{method}"
        for name in reference.MODELS
        for method, value in vars(getattr(jt, name)).items()
        if not method.startswith("_") and isinstance(value, MEMBERS) and value.__doc__
    }
    assert methods <= anchors
    for notebook in layout.source("notebooks").glob("*.ipynb"):
        text = (out / "notebooks" / f"{notebook.stem}.html").read_text(encoding="utf-8")
        stored = [o for c in json.loads(notebook.read_text())["cells"] for o in c.get("outputs", ())]
        assert text.count("<img") >= sum("image/png" in output.get("data", {}) for output in stored)
    assert "EntropicSpring" in (out / "searchindex.js").read_text(encoding="utf-8")


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("page", ["index", "guide/network", "api/fits", "notebooks/glass", "search"])
def test_a_browser_shows_a_page_without_errors(site, page):
    out, _ = site
    address = f"{(out / page).with_suffix('.html').as_uri()}{'?q=entropic' if page == 'search' else ''}"
    flags = ["--headless", "--disable-gpu", "--no-sandbox", "--enable-logging=stderr", "--virtual-time-budget=8000"]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom"]
    done = subprocess.run([BROWSER, *flags, address], capture_output=True, text=True, timeout=120)
    faults = [line for line in done.stderr.splitlines() if "CONSOLE" in line and re.search("error|refused", line, re.I)]
    assert done.returncode == 0 and not faults
    shown = re.sub(r"<(script|style|code|pre)\b.*?</\1>", " ", done.stdout, flags=re.S)
    assert not re.findall(r"\\(?:frac|sqrt|mathrm|sum|hbar)\b", re.sub(r"<[^>]*>", " ", shown))
    if page == "search":
        assert "EntropicSpring" in done.stdout
