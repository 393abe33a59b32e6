"""How far is each step of each variant?  Told from what a run leaves, while it goes on or after."""

import re
from pathlib import Path

from tabulate import tabulate

from videomae import liveness, placed, remote
from videomae.errors import last_words, one_line
from videomae.progress import ENDS, STEPS

FAILED = "FAILED"


def table(directory: Path, results: Path | None = None) -> str:
    """Draw the table of variants and steps, then what running steps say and why others failed.

    ``results`` are those of the run in ``directory``, where they are in that too without it.
    """
    results, alive = results or directory / remote.HERE, liveness.alive(directory)
    # Those that push are shown where one has run.
    steps = [step for step in STEPS if step not in ENDS or (results / f"logs/{step}").is_dir()]
    names = variants(results)
    cells = {
        (name, step): _cell(directory, results, step, name, alive)
        for name in names
        for step in steps
    }
    rows = [(name, *(cells[name, step][0] for step in steps)) for name in names]
    lines = [f"a run is {'alive' if alive else 'not alive'} in {directory.absolute()}", ""]
    lines.append(tabulate(rows, ("variant", *steps), disable_numparse=True))
    for (name, step), (state, said) in cells.items():
        if said:
            does = "failed at" if state == FAILED else "is at"
            log = results / f"logs/{step}/{name}.log"
            lines.append(f"\n{name} {does} {step} ({log}):\n  {said}")
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


def _cell(directory: Path, results: Path, step: str, name: str, alive: bool) -> tuple[str, str]:
    """Give one step's state, and the reason if it has failed, or what it said last if it runs."""
    output, log = STEPS[step].format(name), results / f"logs/{step}/{name}.log"
    begun = placed.note("incomplete", _noted(directory, results) / output)
    if (directory / begun).exists():
        return ("running", _last_line(log)) if alive else ("interrupted", "")
    if (results / output).exists():
        return "done", ""
    if reason := last_words(log):
        return FAILED, reason
    return ("done, removed", "") if _discarded(results, step, name) else ("waiting", "")


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
