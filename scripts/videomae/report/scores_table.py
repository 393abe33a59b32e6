"""How did scoring go, for each variant that a run was to score?"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from videomae.convert import model_folder
from videomae.errors import last_words
from videomae.files import sha256
from videomae.report import inputs
from videomae.score.settings import Asked

HEADERS = ("scored variant", "top-1 %", "95 % interval", "top-5 %", "videos", "unreadable")


def table(variants: Mapping[str, Asked], results: Path) -> str:
    """Draw a line for each variant, then why others failed; empty if none was to be scored.

    What was measured of another list of videos is not shown.
    """
    rows, failures = [], []
    for name, asked in variants.items():
        there = inputs.existing(name, results, inputs.SCORES)
        report = model_folder.read_json(there[0]) if there else {}
        if report and report["list_sha256"] == sha256(Path(asked.videos)):
            rows.append(_row(name, report))
            continue
        failed = next(_failures(name, results), None)
        rows.append((name, "not scored" if failed is None else "FAILED", "", "", "", ""))
        if failed:
            log, reason = failed
            failures.append(f"\n{name}: scoring failed ({log}):\n  {reason}")
    right = ("left", *["right"] * (len(HEADERS) - 1))
    drawn = tabulate(rows, HEADERS, disable_numparse=True, colalign=right) if rows else ""
    return "\n".join([drawn, *failures])


def _row(name: str, report: dict[str, Any]) -> tuple[str, ...]:
    top1, top5 = report["top1"], report["top5"]
    low, high = top1["interval_95"]
    figures = (f"{top1['percent']:.2f}", f"{low:.2f} to {high:.2f}", f"{top5['percent']:.2f}")
    return (name, *figures, f"{top1['of']:,}", f"{len(report['unreadable']):,}")


def _failures(name: str, results: Path) -> Iterator[tuple[Path, str]]:
    logs = sorted((results / f"logs/score/{name}").glob("*.log"))
    for log in [*logs, results / f"logs/merge/{name}.log"]:
        if reason := last_words(log):
            yield log, reason
