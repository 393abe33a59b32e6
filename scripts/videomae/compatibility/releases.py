"""The table of releases of transformers and folders, read from the jobs' results."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from videomae.errors import last_words, one_line

# Where a job leaves its report: in the first place if the folder is right, else only in the second.
RIGHT = "releases/{place}/{variant}/{release}.json"
REPORT = "logs/load/{place}/{variant}/{release}.json"
LOG = "logs/load/{place}/{variant}/{release}.log"
ENVIRONMENT_LOG = "logs/environment/{release}.log"

Cell = Mapping[str, Any]


def table(
    variants: Iterable[str], releases: Iterable[str], results: Path, place: str = "models"
) -> str:
    """Return the table of largest differences by variant and release, with remarks."""
    releases = list(releases)
    rows, remarks, failures = [], Remarks(), []
    for variant in variants:
        figures = []
        for release in releases:
            where = {"place": place, "variant": variant, "release": release}
            cell, failure = _read(results, where)
            figures.append(_figure(cell, failure))
            if failure:
                failures.append(f"{variant} in {release}: {failure}")
            for remark in said(cell):
                remarks.add(remark, release)
        rows.append((variant, *figures))
    title = "largest difference from the authors' network, in each release of transformers"
    drawn = tabulate(rows, ("variant", *releases), disable_numparse=True)
    return "\n".join([title, drawn, *remarks.lines(), *failures])


def existing(variant: str, results: Path) -> list[Path]:
    """Return the reports of the releases in which a converted folder gives the right outputs."""
    where = {"place": "models", "variant": variant, "release": "*"}
    found = results.glob(RIGHT.format(**where))
    return sorted(found, key=lambda path: _parts(path.stem))


def _parts(release: str) -> list[int]:
    return [int(number) for number in release.split(".")]


class Remarks:
    """What loaders say, each with the releases that say it."""

    def __init__(self) -> None:
        self.releases: dict[str, list[str]] = {}

    def add(self, remark: str, release: str) -> None:
        """Record a remark on a release."""
        known = self.releases.setdefault(remark, [])
        if release not in known:
            known.append(release)

    def lines(self) -> Iterator[str]:
        """Yield one line a remark."""
        for remark, releases in self.releases.items():
            yield f"{', '.join(releases)}: {remark}"


def said(cell: Cell) -> Iterator[str]:
    """Return a short remark on a release's behaviour beside the outputs; empty if none."""
    for words, names in cell.get("loader", {}).items():
        ends = sorted({name.split("attention.attention.")[-1] for name in names})
        if ends:
            yield one_line(f"{words}: {', '.join(ends)}")
    if "processor" in cell:
        for reason in cell["processor refusals"].values():
            yield one_line(f"{reason.split('.')[0]} ({cell['processor']} loads)")


def _read(results: Path, where: Mapping[str, str]) -> tuple[Cell, str]:
    """Return a cell's report and, unless it is right, the reason."""
    right, report, log = (results / name.format(**where) for name in (RIGHT, REPORT, LOG))
    if right.exists():
        return json.loads(right.read_text()), ""
    cell: Cell = json.loads(report.read_text()) if report.exists() else {}
    if reason := last_words(log):
        return cell, f"{reason} ({log})"
    log = results / ENVIRONMENT_LOG.format(**where)
    if reason := last_words(log):
        return {}, f"{reason} ({log})"
    return {}, "not loaded, since something before it failed or was not run"


def _figure(cell: Cell, failure: str) -> str:
    """Return the difference; WRONG with a failed check, and a dash where nothing was loaded."""
    if not cell:
        return "-"
    value = cell["max_abs_difference"]
    figure = f"{value:.1e}" if isinstance(value, float) else str(value or "")
    return f"WRONG {figure}".strip() if failure else figure
