"""What does the report draw?  Each plot as SVG, the same for the same figures."""

import io
import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Where a difference of 0 is drawn, which a logarithmic axis does not have: of a step, of an output.
NO_DIFFERENCE, NO_SHARE = 1e-9, 1e-4
ENDLESS = 1e3  # where an infinite one is, or NaN
NAMED = 60  # so many variants have room for their names
TICKS = 14  # so many of a network's steps are named
COLOURS = {"download": "#8a94a6", "convert": "#d9822b", "verify": "#2f6f9f", "push": "#4d8f63"}
RIGHT, WRONG = "#2f6f9f", "#c8443f"


def layers(differences: Mapping[str, float], limit: float) -> str:
    """Draw each step's difference from the authors' network, of its scale, and the tolerance."""
    figure, axes = _axes(8, 3.4)
    values = [_drawn(value, NO_DIFFERENCE) for value in differences.values()]
    colours = [RIGHT if value <= limit else WRONG for value in values]
    axes.scatter(range(len(values)), values, c=colours, s=18, zorder=3)
    axes.axhline(limit, color=WRONG, linestyle="--", linewidth=1, label=f"allowed: {limit:g}")
    axes.set_yscale("log")
    axes.set_ylim(NO_DIFFERENCE / 2, 10 * max(limit, *values))
    shown = range(0, len(values), math.ceil(len(values) / TICKS))
    names = list(differences)
    axes.set_xticks(shown, [names[one] for one in shown], rotation=35, ha="right", fontsize=7)
    axes.set_xlabel("steps of the network, in the order of computation")
    axes.set_ylabel("largest difference,\nrelative to the step's values")
    axes.legend(loc="upper right")
    return _svg(figure)


def differences(shares: Mapping[str, tuple[float | None, float | None]]) -> str:
    """Draw each variant's largest differences, divided by the allowed difference, beside its name.

    One is from the authors' network, the other from recorded outputs; None where not compared.
    """
    named = len(shares) <= NAMED
    figure, axes = _axes(8, 1.4 + 0.27 * min(len(shares), NAMED))
    for column, (label, marker) in enumerate(
        (("from the original checkpoint", "o"), ("from recorded outputs", "D"))
    ):
        found = [(row, pair[column]) for row, pair in enumerate(shares.values())]
        points = [(row, _drawn(value, NO_SHARE)) for row, value in found if value is not None]
        colours = [RIGHT if value <= 1 else WRONG for _, value in points]
        axes.scatter(
            [value for _, value in points],
            [row for row, _ in points],
            marker=marker,
            facecolors="white" if column else colours,
            edgecolors=colours,
            s=28,
            label=label,
            zorder=3,
        )
    axes.axvline(1, color=WRONG, linestyle="--", linewidth=1, label="allowed")
    axes.set_xscale("log")
    axes.set_xlim(left=NO_SHARE / 2)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_yticks(range(len(shares)) if named else [], list(shares) if named else [], fontsize=8)
    axes.set_xlabel("largest difference of any output, divided by the allowed difference")
    figure.legend(loc="outside lower center", ncols=3)
    return _svg(figure)


def by_size(points: Mapping[str, Sequence[tuple[float, float]]], quantity: str) -> str:
    """Draw what each step takes against the size of the checkpoint, from (bytes, value)."""
    figure, axes = _axes(8, 4.2)
    known = {step: places for step, places in points.items() if places}
    for step, places in known.items():
        sizes, values = [size / 1e6 for size, _ in places], [value for _, value in places]
        axes.scatter(sizes, values, s=24, label=step, color=COLOURS.get(step), zorder=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("size of the checkpoint, MB")
    axes.set_ylabel(quantity)
    if known:
        figure.legend(loc="outside lower center", ncols=len(known))
    return _svg(figure)


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure((width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(color="#e6e6e6")
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _drawn(value: float, least: float) -> float:
    return max(value, least) if math.isfinite(value) else ENDLESS


def _svg(figure: Figure) -> str:
    """Return a figure as an SVG element for HTML, without a date and without random ids."""
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "videomae", "font.size": 9}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
