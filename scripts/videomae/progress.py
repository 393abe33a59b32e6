"""Which variant is in which state?  Read from the files that the steps leave, and their logs."""

import csv
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

from videomae import remote, statuses
from videomae.errors import last_words
from videomae.settings import INPUTS

# Each step, and the file that exists once it is done.
STEPS = {
    "download": "checkpoints/{}.pth",
    "receipt": "checkpoints/{}.json",
    "convert": "models/{}/model.safetensors",
    "verify": "verification/{}.json",
    "card": "models/{}/README.md",
    "push": "pushed/{}.json",
    "push_plan": "push_plan/{}.txt",
}
SILENT = (
    "its log ends without a reason: it was killed, perhaps for lack of memory, or could not write "
    "there, where {:,.1f} MB are free"
)
# What is added to what was verified, by the last step that is asked for: one that pushes, or none.
ENDS = {None: "", "push": ", pushed", "push_plan": ", not pushed (dry run)"}
# Steps that a run should have done and has not, as (step, variant).
Undone = Set[tuple[str, str]]


@dataclass(frozen=True)
class State:
    """How far one variant is: ``failed`` names the step, ``reason`` says why in a line."""

    variant: str
    status: str
    report: dict[str, Any]
    seconds: float
    failed: str | None = None
    reason: str = ""
    log: Path | None = None


def state(
    variant: str,
    results: Path,
    push: str | None,
    undone: Undone = frozenset(),
    began: float = math.inf,
) -> State:
    """Find the first step of a variant that is not done, and what its log says.

    ``push`` is the last step, if one that pushes is asked for. A step is done if its file is there
    and the run, which ``began`` then (seconds since the epoch), has not left it undone. What stands
    behind the first that isn't is of an earlier run and not looked at.
    """
    steps = {step: STEPS[step] for step in STEPS if step == push or step not in ENDS}
    seconds = sum(took(results / f"benchmarks/{step}/{variant}.tsv")[0] for step in steps)
    report: dict[str, Any] = {}
    for step, pattern in steps.items():
        if (step, variant) in undone or not (results / pattern.format(variant)).exists():
            return _unfinished(State(variant, "", report, seconds), step, results, began)
        if step == "verify":
            report = json.loads((results / pattern.format(variant)).read_text())
    status = statuses.shown(report) + ENDS[push] + statuses.notes(report)
    return State(variant, status, report, seconds)


def _unfinished(state: State, step: str, results: Path, began: float) -> State:
    """Find out why a step is not done: its own log says, or that of an input it waits for."""
    logs = [results / f"logs/{step}/{state.variant}.log"]
    if step == "convert" and _failed_later(logs[0], verifying := _log_of_verify(logs[0])):
        # As one job on a cluster the two fall together: what the first had done is deleted.
        step, logs = "verify", [verifying]
    if step in ("convert", "verify"):
        logs += _logs_of_missing_inputs(results)
    told = next(((log, reason) for log in logs if (reason := last_words(log))), None)
    if told is None and logs[0].exists() and logs[0].stat().st_mtime >= began:
        free = shutil.disk_usage(results if remote.are_here(results) else ".").free / 1e6
        told = (logs[0], SILENT.format(free))
    if told is None:
        return replace(state, status=f"{step} not done")
    if step == "verify" and told[0] == logs[0]:
        with suppress(OSError, ValueError):  # none was written, or there was no space for it
            report = json.loads((results / f"logs/verify/{state.variant}.json").read_text())
            state = replace(state, report=report)
    return replace(state, status=f"FAILED at {step}", failed=step, log=told[0], reason=told[1])


def _log_of_verify(log: Path) -> Path:
    return log.parents[1] / "verify" / log.name


def _failed_later(log: Path, later: Path) -> bool:
    """Tell whether a log gives no reason, and one of a later step, written after it, does."""
    if not (log.exists() and last_words(later)) or last_words(log):
        return False
    return log.stat().st_mtime <= later.stat().st_mtime


def _logs_of_missing_inputs(results: Path) -> Iterator[Path]:
    """Give the logs of shared inputs (clip, mask, labels) that are not there."""
    for kind in INPUTS:
        for log in sorted((results / f"logs/{kind}").rglob("*.log")):
            name = log.relative_to(results / "logs").with_suffix("")
            if not (results / "inputs" / name).exists():
                yield log


def took(benchmark: Path) -> tuple[float, float]:
    """Give the seconds that a step took and the most memory, in MB; 0 where none was written."""
    # There was no space for it, or the step was too quick for its memory to be seen.
    with suppress(OSError, ValueError, KeyError), benchmark.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
        memory = [float(row["max_rss"]) for row in rows if row["max_rss"] not in ("", "-", "NA")]
        return sum(float(row["s"]) for row in rows), max(memory, default=0.0)
    return 0.0, 0.0


def table(
    variants: Iterable[str],
    results: Path,
    push: str | None,
    undone: Undone = frozenset(),
    began: float = math.inf,
) -> str:
    """Draw the table of all variants, then one paragraph for each that failed."""
    states = [state(variant, results, push, undone, began) for variant in variants]
    rows = [
        (
            one.variant,
            one.status,
            _figure(one.report.get("max_abs_difference")),
            _figure(one.report.get("tolerance")),
            _figure(one.report.get("recorded", {}).get("max_abs_difference")),
            f"{one.seconds:.0f}" if one.seconds else "",
        )
        for one in states
    ]
    headers = ("variant", "status", "max difference", "allowed", "recorded differ by", "seconds")
    lines = [
        tabulate(rows, headers, disable_numparse=True, colalign=("left",) * 2 + ("right",) * 4)
    ]
    for one in states:
        if one.failed:
            lines.append(f"\n{one.variant} failed at {one.failed} ({one.log}):\n  {one.reason}")
    return "\n".join(lines)


def _figure(value: float | str | None) -> str:
    return f"{value:.1e}" if isinstance(value, float) else str(value or "")
