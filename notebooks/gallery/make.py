"""The pictures of the README, from figures made before:

    python -m jaxtls reproduce --all --out figures
    python notebooks/gallery/make.py figures

A sheet for each paper (two for the glass), and top.png: the spring's impurity beside the glass's concurrence, from wang-taylor-1.csv and
artiaco-3.csv.
"""

import csv
import pathlib
import sys

import numpy as np
from PIL import Image

from jaxtls import plot

HERE = pathlib.Path(__file__).parent
# Rows of figures, scaled to one height.
SHEETS = {
    "wang-taylor": (("wang-taylor-1", "wang-taylor-4"), ("wang-taylor-2",)),
    "schlosshauer": (("schlosshauer-2", "schlosshauer-3"),),
    "blacker-tilbrook": (("blacker-tilbrook-1", "blacker-tilbrook-2"), ("blacker-tilbrook-3",)),
    "artiaco-closed": (("artiaco-3", "artiaco-5"), ("artiaco-4a", "artiaco-4b"), ("artiaco-6", "artiaco-11")),
    "artiaco-open": (("artiaco-7", "artiaco-9"), ("artiaco-8", "artiaco-10")),
    "defects": (("klimov-t1",), ("bergli-echo",), ("cho-t1",)),
}
WIDTH = 1000
COLOURS = 40


def sheet(rows: tuple[tuple[str, ...], ...], folder: pathlib.Path) -> Image.Image:
    """Figures in rows of the sheet's width."""
    placed, y = [], 0
    for row in rows:
        pictures = [Image.open(folder / f"{name}.png").convert("RGB") for name in row]
        height = round(WIDTH / sum(picture.width / picture.height for picture in pictures))
        x = 0
        for picture in pictures:
            width = round(picture.width * height / picture.height)
            placed.append((picture.resize((width, height), Image.Resampling.LANCZOS), (x, y)))
            x += width
        y += height
    whole = Image.new("RGB", (WIDTH, y), "white")
    for picture, corner in placed:
        whole.paste(picture, corner)
    return whole


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The columns of a CSV without their blank ends."""
    with open(path, encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return {name: np.array([float(x) for x in column if x]) for name, column in zip(header, zip(*rows), strict=True)}


def top(folder: pathlib.Path):
    """Two systems, one picture."""
    spring, glass = read(folder / "wang-taylor-1.csv"), read(folder / "artiaco-3.csv")
    fig = plot.figure(8.4, 3.0)
    left, right = fig.subplots(1, 2)
    counts = spring["n_spins"]
    for n, colour in zip(counts, plot.ramp(len(counts)), strict=True):
        left.plot(spring["t_over_period"], spring[f"impurity_N{n:g}"], color=colour, lw=1.4, label=f"{n:g}")
    left.set(xlabel="time  [periods]", ylabel=r"impurity $1 - \mathrm{Tr}\,\rho^2$", xlim=(0, 5), ylim=(0, None))
    left.set_title("an oscillator on N thermal TLSs dephases", fontsize=10)
    for n, colour in zip(glass["n_tls"], plot.ramp(len(glass["n_tls"])), strict=True):
        t, c, sem = glass["t"], glass[f"C_N{n:g}"], glass[f"C_N{n:g}_sem"]
        c = np.where(c > 2 * sem, c, np.nan)
        right.plot(t, c, color=colour, lw=1.4, label=f"{n:g}")
        right.fill_between(t, c - sem, c + sem, color=colour, alpha=0.3, lw=0)
    right.set(xscale="log", yscale="log", xlim=(1e-6, 1), ylim=(3e-5, 0.5))
    right.set(xlabel=r"time  [$\hbar/W$]", ylabel="concurrence per TLS")
    right.set_title("N TLSs of a glass get entangled in pairs", fontsize=10)
    for ax, where in ((left, "upper left"), (right, "lower center")):
        ax.legend(title="N", ncols=2, frameon=False, fontsize=8, title_fontsize=8, loc=where)
        plot.tidy(ax)
    return fig


def save(picture: Image.Image, name: str) -> None:
    """With few colours, which line drawings do not miss."""
    path = HERE / f"{name}.png"
    few = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size / 1000:.0f} kB")


def main(folder: pathlib.Path) -> None:
    canvas = top(folder).canvas
    canvas.draw()
    save(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"), "top")
    for name, rows in SHEETS.items():
        save(sheet(rows, folder), name)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
