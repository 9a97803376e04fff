"""What benchmarks have written: read, compared, as tables in Markdown, as pictures of work against precision."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
WARN, FAIL = 1.3, 1.7
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
PAGE = Path(__file__).parent / "README.md"
# What a reader sees first: the README has the first five of these that were measured, one row of each kind.
HEADLINES = (
    r"chain of 8 levels: jit\(vmap\)",
    r"driven chain of 32 levels: jit\(grad\)",
    r"Kerr oscillator, 100 levels: d<n>",
    r"entropic spring, N = 3, span t = 0..31.4",
    r"one open realization: mean concurrence, N = 60, f = 0.3",
    r"1000 pairs of TLSs",
)
PEERS = {"dynamiqs": "dynamiqs", "QuTiP": "qutip", "NumPy": "NumPy"}
OTHERS = (*PEERS.values(), "SciPy")


def load(path: Path) -> list[dict]:
    """Documents of a file, or of every JSON file in a folder."""
    paths = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not paths:
        raise SystemExit(f"{path} holds no JSON files; python -m benchmarks writes them.")
    return [json.loads(one.read_text()) for one in paths]


def rows(documents: Iterable[Mapping]) -> Iterator[dict]:
    for document in documents:
        yield from document["rows"]


# --- comparing two runs ----------------------------------------------------------------------------------------------


def compare(old: Path, new: Path) -> tuple[str, bool]:
    """Our warm times of the rows that both hold, as text, and whether none is slower by more than `FAIL`."""
    before = {_key(row): row for row in rows(load(old)) if row["warm"]}
    lines, worst = [], 0.0
    for row in rows(load(new)):
        known = before.get(_key(row))
        if known is None or not row["warm"] or row["name"].startswith(OTHERS):
            continue
        ratio = row["warm"] / known["warm"]
        worst = max(worst, ratio)
        word = "FAIL" if ratio > FAIL else "warn" if ratio > WARN else ""
        lines.append(f"{word:4s}  {ratio:7.2f}x  {known['warm']:.3g} -> {row['warm']:.3g} s  {_title(row)}")
    if not lines:
        return "no row is in both", False
    return "\n".join([*lines, f"{len(lines)} rows, slowest ratio {worst:.2f}"]), worst <= FAIL


def _key(row: Mapping) -> tuple:
    return (
        row["case"],
        row["name"],
        json.dumps(row["size"], sort_keys=True),
        row["note"] if "frame" in row["note"] else "",
    )


def _title(row: Mapping) -> str:
    size = " ".join(f"{name}={value}" for name, value in row["size"].items())
    return f"{row['case']}: {row['name']} {size}"


# --- tables -------------------------------------------------------------------------------------------------------


def table(documents: Iterable[Mapping]) -> str:
    """Markdown: every case that stands beside another library, the fastest variant of each, or beside its gradient."""
    lines = [f"| | jaxtls | {' | '.join(PEERS)} | measured |", "|---" * (len(PEERS) + 3) + "|"]
    for document in documents:
        for case, members in _cases(document).items():
            ours = next((row for row in members if row["name"].startswith("jaxtls") and row["warm"]), None)
            peers = [_fastest(members, start) for start in PEERS.values()]
            if ours is not None and any(peers):
                cells = [case, _cell(ours), *(_cell(row, ours) if row else "" for row in peers)]
            elif base := next((row for row in members if row["name"] == row["ratio_to"] == "value"), None):
                costs = "; ".join(_alone(row, base) for row in members)
                cells = [f"{document['benchmark']}: {case}", costs, *("" for _ in PEERS)]
            else:
                continue
            lines.append(f"| {' | '.join(cells)} | {document['created'][:10]} |")
    return "\n".join(lines)


def headlines(whole: str, count: int = 5) -> str:
    """The table's head and its first rows of each of `HEADLINES`."""
    head, rule, *body = whole.splitlines()
    found = (next((row for row in body if re.match(rf"\| {title}", row)), None) for title in HEADLINES)
    return "\n".join([head, rule, *[row for row in found if row][:count]])


def _cases(document: Mapping) -> dict[str, list[dict]]:
    """Rows by case and whatever sizes tell its members apart."""
    found: dict[str, list[dict]] = {}
    shared = ("dimension", "times", "pairs", "levels", "modes", "t", "problems", "trajectories")
    for row in document["rows"]:
        own = {k: v for k, v in row["size"].items() if k not in shared and f"{k} = {v}" not in row["case"]}
        title = ", ".join([row["case"], *(f"{name} = {value:g}" for name, value in own.items())])
        found.setdefault(title, []).append(row)
    return found


def _fastest(members: list[dict], start: str) -> dict | None:
    timed = [row for row in members if row["name"].startswith(start) and row["warm"]]
    return min(timed, key=lambda row: row["warm"], default=None)


def _alone(row: Mapping, value: Mapping) -> str:
    """A value without a peer, or what its gradient costs beside it, with what each adds to the memory."""
    memory = "" if row["peak_mib"] is None else f", {_rounded(row['peak_mib'])} MiB"
    return f"{_cell(row)}{memory}" if row is value else f"{row['name']} {_cell(row, value)}{memory}"


def _cell(row: Mapping, ours: Mapping | None = None) -> str:
    error = max((row["error"] or {"": None}).values(), key=lambda value: value or 0.0)
    first = f" ({_rounded(row['first'], 2)})" if row["first"] else ""
    accuracy = f", {error:.0e}" if error else ""
    ratio = f" = {_rounded(row['warm'] / ours['warm'])}×" if ours else ""
    if "jaxtls_warm" in row["extra"]:  # measured at equal error, too
        ratio += f" ({_rounded(row['ratio'])}×)"
    return f"{_rounded(row['warm'], 2)}{first}{accuracy}{ratio}"


def _rounded(value: float, digits: int = 3) -> str:
    return f"{float(f'{value:.{digits}g}'):g}"


def write_table(readme: Path, text: str) -> None:
    """Replace what stands between the two marks of a Markdown file."""
    page = readme.read_text()
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise SystemExit(f"{readme} needs one {BEGIN} and one {END}; the table goes between them.")
    before, rest = page.split(BEGIN)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


# --- work against precision ------------------------------------------------------------------------------------------


def plot(documents: Iterable[Mapping], folder: Path) -> list[Path]:
    """A picture for each case of the `precision` parts: error against warm seconds."""
    from matplotlib.figure import Figure

    from jaxtls.plot import figure, tidy

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for document in documents:
        if document["parts"] != ["precision"]:
            continue
        fig: Figure = figure(7.5, 4.0)
        ax = fig.add_subplot()
        names = dict.fromkeys(row["name"] for row in document["rows"] if row["warm"])
        for name, marker in zip(names, "osD^vP*X"):
            points = [row for row in document["rows"] if row["name"] == name and row["warm"]]
            errors = [max(max(row["error"].values()), 1e-16) for row in points]
            ax.loglog([row["warm"] for row in points], errors, marker=marker, label=name)
        ax.set(xlabel="warm seconds", ylabel="largest error", title=document["rows"][0]["case"])
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        tidy(ax)
        path = folder / f"{document['benchmark']}-precision-{document['environment']['device']}.png"
        fig.savefig(path, dpi=110)
        written.append(path)
    return written


def summary(arguments: Any) -> int:
    """`compare`, `table` and `plot` of the command line."""
    if arguments.benchmark == "compare":
        text, good = compare(arguments.old, arguments.new)
        print(text)
        return 0 if good else 1
    if arguments.benchmark == "plot":
        print("written: " + ", ".join(map(str, plot(load(arguments.results), arguments.results))))
        return 0
    shown = (d for d in load(arguments.results) if not d["quick"] and d["parts"] != ["precision"])
    text = table(shown)
    if arguments.write is None:
        print(text)
    else:
        if arguments.write.resolve() != PAGE:
            write_table(arguments.write, headlines(text))
        write_table(PAGE, text)
        print(f"written to {arguments.write} and {PAGE}")
    return 0
