"""How far is each step of each variant?  Told from what a run leaves, while it goes on or after."""

import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from videomae import folder, liveness, placed, remote, statuses
from videomae.errors import ConversionError, last_words, one_line
from videomae.progress import ENDS, STEPS

FAILED = "FAILED"


class Cell(NamedTuple):
    """A step's state, and where there is more to tell, what its log says."""

    state: str
    said: str = ""
    log: Path | None = None


def table(directory: Path, results: Path | None = None) -> str:
    """Draw the table of variants and steps, then what running steps say and why others failed.

    Where a variant is verified, the table says against what. ``results`` are those of the run in
    ``directory``, where they are in that too without it.
    """
    results, alive = results or directory / remote.HERE, liveness.alive(directory)
    # Those that push are shown where one has run, and so is scoring.
    steps = [step for step in STEPS if step not in ENDS or (results / f"logs/{step}").is_dir()]
    names = variants(results)
    cells = {
        (name, step): _cell(directory, results, step, name, alive)
        for name in names
        for step in steps
    }
    if (results / "logs/score").is_dir():
        steps.append("score")
        cells |= {(name, "score"): _scoring(directory, results, name, alive) for name in names}
    rows = [(name, *(cells[name, step].state for step in steps)) for name in names]
    lines = [f"a run is {'alive' if alive else 'not alive'} in {directory.absolute()}", ""]
    lines.append(tabulate(rows, ("variant", *steps), disable_numparse=True))
    for (name, step), cell in cells.items():
        if cell.said:
            does = "failed at" if cell.state == FAILED else "is at"
            lines.append(f"\n{name} {does} {step} ({cell.log}):\n  {cell.said}")
    return "\n".join(lines)


def variants(results: Path) -> list[str]:
    """Name the variants of which there is anything: a file of a step, or its log."""
    found = set()
    for step, pattern in STEPS.items():
        before, after = str(results / pattern).split("{}")
        for path in results.glob(pattern.format("*")):
            found.add(str(path).removeprefix(before).removesuffix(after))
        found |= {path.stem for path in (results / f"logs/{step}").glob("*.log")}
    return sorted(found, key=_by_number)


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sort epoch-2 before epoch-10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _cell(directory: Path, results: Path, step: str, name: str, alive: bool) -> Cell:
    log = results / f"logs/{step}/{name}.log"
    output = STEPS[step].format(name)
    cell = _state(directory, results, output, log, alive)
    if cell.state == "done" and step == "verify":
        with suppress(OSError, ConversionError):  # a run may be replacing it
            report = folder.read_json(results / output)
            return Cell(statuses.shown(report) + statuses.notes(report))
    if cell.state == "waiting" and _discarded(results, step, name):
        return Cell("done, removed")
    return cell


def _scoring(directory: Path, results: Path, name: str, alive: bool) -> Cell:
    """Give the state of a variant's scoring, whose parts may be jobs of their own."""
    merge = results / f"logs/merge/{name}.log"
    merged = _state(directory, results, f"scores/{name}.json", merge, alive)
    parts = []
    for log in sorted((results / f"logs/score/{name}").glob("*.log")):
        shard = f"scores/shards/{name}/{log.stem}.json"
        parts.append(_state(directory, results, shard, log, alive))
    for cell in (merged, *parts):
        if cell.state in (FAILED, "running", "interrupted"):
            return cell
    done = sum(cell.state == "done" for cell in parts)
    return Cell(f"{done} parts done") if merged.state == "waiting" and done else merged


def _state(directory: Path, results: Path, output: str, log: Path, alive: bool) -> Cell:
    """Give a job's state, and the reason if it has failed, or what it said last if it runs."""
    begun = placed.note("incomplete", _noted(directory, results) / output)
    if (directory / begun).exists():
        return Cell("running", _last_line(log), log) if alive else Cell("interrupted")
    if (results / output).exists():
        return Cell("done")
    if reason := last_words(log):
        return Cell(FAILED, reason, log)
    return Cell("waiting")


def _noted(directory: Path, results: Path) -> Path:
    """Give what Snakemake, running in the directory, calls the folder of the results."""
    if not remote.are_here(results):
        return results
    place, start = results.absolute(), directory.absolute()
    return place.relative_to(start) if place.is_relative_to(start) else results


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((one_line(line) for line in reversed(lines) if line.strip()), "")


def _discarded(results: Path, step: str, name: str) -> bool:
    return step == "download" and (results / f"discarded/{name}.txt").exists()
