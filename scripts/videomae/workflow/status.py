"""The table of `videomae status`: the state of each step, during a run or afterwards."""

import re
from contextlib import suppress
from pathlib import Path

from tabulate import tabulate

from videomae import results_location
from videomae.convert import model_folder
from videomae.errors import ConversionError
from videomae.verify import summary
from videomae.workflow import run_lock
from videomae.workflow.states import ENDS, FAILED, STEPS, StepState, removed, step_state


def table(directory: Path, results: Path | None = None) -> str:
    """Return the table of variants and steps, then last lines of running steps and reasons.

    For a verified variant the table shows the kind of verification. ``results`` is the results
    folder, by default the one in ``directory``.
    """
    results, alive = results or directory / results_location.HERE, run_lock.alive(directory)
    # Steps that push, and scoring, are shown only if one has run.
    steps = [step for step in STEPS if step not in ENDS or (results / f"logs/{step}").is_dir()]
    names = variants(results)
    cells = {(name, step): _cell(results, step, name) for name in names for step in steps}
    if (results / "logs/score").is_dir():
        steps.append("score")
        cells |= {(name, "score"): _scoring(results, name) for name in names}
    rows = [(name, *(cells[name, step].state for step in steps)) for name in names]
    lines = [f"{'a run is' if alive else 'no run is'} alive in {directory.absolute()}", ""]
    lines.append(tabulate(rows, ("variant", *steps), disable_numparse=True))
    for (name, step), cell in cells.items():
        if cell.said:
            does = "failed at" if cell.state == FAILED else "is at"
            lines.append(f"\n{name} {does} {step} ({cell.log}):\n  {cell.said}")
    return "\n".join(lines)


def variants(results: Path) -> list[str]:
    """Return the names of variants that have at least one file or log of a step."""
    found = set()
    for step, pattern in STEPS.items():
        before, after = str(results / pattern).split("{}")
        for path in results.glob(pattern.format("*")):
            found.add(str(path).removeprefix(before).removesuffix(after))
        found |= {path.stem for path in (results / f"logs/{step}").glob("*.log")}
    return sorted(found, key=_by_number)


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts epoch-2 before epoch-10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _cell(results: Path, step: str, name: str) -> StepState:
    cell = step_state(results, STEPS[step].format(name), results / f"logs/{step}/{name}.log")
    if cell.state == "done" and step == "verify":
        with suppress(OSError, ConversionError):  # a run may be replacing it
            report = model_folder.read_json(results / STEPS[step].format(name))
            return StepState(summary.shown(report) + summary.notes(report))
    if cell.state == "waiting" and removed(results, step, name):
        return StepState("done, removed")
    return cell


def _scoring(results: Path, name: str) -> StepState:
    """Return the state of a variant's scoring, which may be split into several jobs."""
    merged = step_state(results, f"scores/{name}.json", results / f"logs/merge/{name}.log")
    parts = []
    for log in sorted((results / f"logs/score/{name}").glob("*.log")):
        parts.append(step_state(results, f"scores/shards/{name}/{log.stem}.json", log))
    for cell in (merged, *parts):
        if cell.state in (FAILED, "running", "interrupted"):
            return cell
    done = sum(cell.state == "done" for cell in parts)
    return StepState(f"{done} parts done") if merged.state == "waiting" and done else merged
