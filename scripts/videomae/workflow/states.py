"""The state of each step of each variant, read from the steps' files and logs.

The final table, `videomae status` and the report use this module.
"""

import csv
import json
import shutil
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from videomae import results_location
from videomae.errors import last_words, one_line
from videomae.results_location import INPUTS
from videomae.verify import summary
from videomae.workflow import run_lock

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
    "the log ends without a reason: the job was killed, perhaps for lack of memory, or the disk is "
    "full ({:,.1f} MB are free)"
)
# The end of a variant's status, by the last step of the run.
ENDS = {None: "", "push": ", pushed", "push_plan": ", not pushed (dry run)"}
FAILED = "FAILED"
# Steps whose results are outdated, as (step, variant).
Outdated = Container[tuple[str, str]]


class StepState(NamedTuple):
    """The state of one step of one variant.

    ``state`` is done, running, FAILED, interrupted or waiting; ``said`` is the reason, or the last
    line of a running step.
    """

    state: str
    said: str = ""
    log: Path | None = None


def step_state(results: Path, output: str, log: Path, done: bool = True) -> StepState:
    """Return the state of the job that writes a file among the results, and a log.

    ``done`` is False if the file exists but is outdated.
    """
    if results_location.are_here(results) and run_lock.log_is_held(log):
        return StepState("running", last_line(log), log)
    if done and (results / output).exists():
        return StepState("done")
    if reason := last_words(log):
        return StepState(FAILED, reason, log)
    if log.exists() and not (results / output).exists() and log.stat().st_size:
        free = shutil.disk_usage(results if results_location.are_here(results) else ".").free / 1e6
        return StepState("interrupted", SILENT.format(free), log)
    return StepState("waiting")


@dataclass(frozen=True)
class State:
    """The state of one variant: ``failed`` is the failed step, ``reason`` one line."""

    variant: str
    status: str
    report: dict[str, Any]
    seconds: float
    failed: str | None = None
    reason: str = ""
    log: Path | None = None


def state(variant: str, results: Path, push: str | None, outdated: Outdated = frozenset()) -> State:
    """Return the state of a variant: its first unfinished step, and the reason in its log.

    ``push`` is the last step if the run pushes. A step is done if its file exists, is no older
    than that of the step before, and is not outdated; so is a download whose file was removed after
    all was done. Files after the first unfinished step belong to an earlier run and are ignored.
    """
    steps = {step: STEPS[step] for step in STEPS if step == push or step not in ENDS}
    seconds = sum(took(results / f"benchmarks/{step}/{variant}.tsv")[0] for step in steps)
    report: dict[str, Any] = {}
    before = 0.0
    for step, pattern in steps.items():
        file = results / pattern.format(variant)
        if removed(results, step, variant) and (step, variant) not in outdated:
            continue
        made = file.stat().st_mtime if file.exists() else -1.0
        if made < before or (step, variant) in outdated:
            return _unfinished(State(variant, "", report, seconds), step, results, file)
        before = made
        if step == "verify":
            report = json.loads(file.read_text())
    status = summary.shown(report) + ENDS[push] + summary.notes(report)
    return State(variant, status, report, seconds)


def removed(results: Path, step: str, variant: str) -> bool:
    """Return whether a step's file is missing because the run removed it at its end."""
    gone = not (results / STEPS[step].format(variant)).exists()
    return step == "download" and gone and (results / f"discarded/{variant}.txt").exists()


def _unfinished(state: State, step: str, results: Path, file: Path) -> State:
    """Return the state with the reason in the step's log, or in that of a missing input."""
    logs = [results / f"logs/{step}/{state.variant}.log"]
    if step == "convert" and _failed_later(logs[0], verifying := _log_of_verify(logs[0])):
        # As one job on a cluster both fail together, and the first one's output is deleted.
        step, logs = "verify", [verifying]
    if step in ("convert", "verify"):
        logs += _logs_of_missing_inputs(results)
    found = (step_state(results, str(file.relative_to(results)), log, done=False) for log in logs)
    told = next((one for one in found if one.state in (FAILED, "interrupted")), None)
    if told is None:
        return replace(state, status=f"{step} not done")
    if step == "verify" and told.log == logs[0]:
        with suppress(OSError, ValueError):  # none was written, or there was no space for it
            report = json.loads((results / f"logs/verify/{state.variant}.json").read_text())
            state = replace(state, report=report)
    return replace(state, status=f"FAILED at {step}", failed=step, log=told.log, reason=told.said)


def _log_of_verify(log: Path) -> Path:
    return log.parents[1] / "verify" / log.name


def _failed_later(log: Path, later: Path) -> bool:
    """Return whether only the log of a later step, written after this one, gives a reason."""
    if not (log.exists() and last_words(later)) or last_words(log):
        return False
    return log.stat().st_mtime <= later.stat().st_mtime


def _logs_of_missing_inputs(results: Path) -> Iterator[Path]:
    """Yield the logs of missing shared inputs (clip, mask, labels)."""
    for kind in INPUTS:
        for log in sorted((results / f"logs/{kind}").rglob("*.log")):
            name = log.relative_to(results / "logs").with_suffix("")
            if not (results / "inputs" / name).exists():
                yield log


def last_line(log: Path) -> str:
    """Return the last line of a log that is not empty, without control characters."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((one_line(line) for line in reversed(lines) if line.strip()), "")


def took(benchmark: Path) -> tuple[float, float]:
    """Return a step's duration in seconds and peak memory in MB; 0 without a measurement."""
    # The file is incomplete if the disk was full, or if the step was too quick to measure.
    with suppress(OSError, ValueError, KeyError), benchmark.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
        memory = [float(row["max_rss"]) for row in rows if row["max_rss"] not in ("", "-", "NA")]
        return sum(float(row["s"]) for row in rows), max(memory, default=0.0)
    return 0.0, 0.0


def table(
    variants: Iterable[str],
    results: Path,
    push: str | None,
    outdated: Outdated = frozenset(),
) -> str:
    """Return the table of all variants, then one paragraph for each failed one."""
    states = [state(variant, results, push, outdated) for variant in variants]
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
    headers = ("variant", "status", "max difference", "allowed", "recorded difference", "seconds")
    lines = [
        tabulate(rows, headers, disable_numparse=True, colalign=("left",) * 2 + ("right",) * 4)
    ]
    for one in states:
        if one.failed:
            lines.append(f"\n{one.variant} failed at {one.failed} ({one.log}):\n  {one.reason}")
    return "\n".join(lines)


def _figure(value: float | str | None) -> str:
    return f"{value:.1e}" if isinstance(value, float) else str(value or "")
