"""Draw what was measured: a bar for each median, a line from the least to the most."""

import statistics
from pathlib import Path

from tests.bench.measuring import Seconds


def draw(measured: dict[str, Seconds], path: Path) -> None:
    """Draw every part beside the others, as SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    height = 1 + 0.4 * max(map(len, measured.values()))
    figure, axes = pyplot.subplots(
        1, len(measured), figsize=(6 * len(measured), height), squeeze=False
    )
    for axis, (title, taken) in zip(axes[0], measured.items(), strict=True):
        middle = [statistics.median(seconds) for seconds in taken.values()]
        spread = [
            [m - min(seconds) for m, seconds in zip(middle, taken.values(), strict=True)],
            [max(seconds) - m for m, seconds in zip(middle, taken.values(), strict=True)],
        ]
        axis.barh(list(taken), middle, xerr=spread, color="#4878a8")
        axis.invert_yaxis()
        axis.set(title=title, xlabel="seconds: median, least and most")
    figure.tight_layout()
    figure.savefig(path)
