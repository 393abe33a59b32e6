"""Which variant is in which state?  Read from the files that the steps leave, and their logs."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tabulate import tabulate

# Each step, and the file that exists once it is done.
STEPS = {
    "download": "checkpoints/{}.pth",
    "convert": "models/{}/model.safetensors",
    "verify": "verification/{}.json",
    "card": "models/{}/README.md",
    "push": "pushed/{}.json",
}
INPUTS = ("clip", "mask", "labels")


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


def state(variant: str, results: Path, push: bool) -> State:
    """Find the first step of a variant whose file is missing, and what its log says.

    What stands behind that step is of an earlier run and not looked at.
    """
    seconds = sum(_seconds(results / f"benchmarks/{step}/{variant}.tsv") for step in STEPS)
    report: dict[str, Any] = {}
    for step, pattern in STEPS.items():
        if step == "push" and not push:
            continue
        if not (results / pattern.format(variant)).exists():
            return _unfinished(State(variant, "", report, seconds), step, results)
        if step == "verify":
            report = json.loads((results / pattern.format(variant)).read_text())
    status = "pushed" if push else "verified"
    if report.get("rehearsal"):
        status += " (rehearsal weights)"
    return State(variant, status, report, seconds)


def _unfinished(state: State, step: str, results: Path) -> State:
    log = results / f"logs/{step}/{state.variant}.log"
    if not log.exists() and step in ("convert", "verify"):
        log = next(_failed_inputs(results), log)
    if not log.exists():
        return replace(state, status=f"{step} not run")
    report = results / f"logs/verify/{state.variant}.json"
    if step == "verify" and report.exists():
        state = replace(state, report=json.loads(report.read_text()))
    return replace(state, status=f"FAILED at {step}", failed=step, reason=last_words(log), log=log)


def _failed_inputs(results: Path) -> Iterator[Path]:
    """Give the logs of shared inputs (clip, mask, labels) that are not there."""
    for kind in INPUTS:
        for log in sorted((results / f"logs/{kind}").rglob("*.log")):
            name = log.relative_to(results / "logs").with_suffix("")
            if not (results / "inputs" / name).exists():
                yield log


def last_words(log: Path) -> str:
    """Give the reason that a log ends with: its last ``error:`` line, or else its last line."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else lines[-1] if lines else "no output"


def _seconds(benchmark: Path) -> float:
    if not benchmark.exists():
        return 0.0
    with benchmark.open(newline="") as file:
        return sum(float(row["s"]) for row in csv.DictReader(file, delimiter="\t"))


def table(variants: Iterable[str], results: Path, push: bool) -> str:
    """Draw the table of all variants, then one paragraph for each that failed."""
    states = [state(variant, results, push) for variant in variants]
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
