"""How far is each step of each variant?  Told from what a run leaves, while it goes on or after."""

import re
from pathlib import Path

from tabulate import tabulate

from videomae import liveness, placed
from videomae.errors import last_words
from videomae.progress import STEPS

STEP_NAMES = ("download", "receipt", "convert", "verify", "card", "push")


def table(directory: Path) -> str:
    """Draw the table of variants and steps, then the reason and log of each failure."""
    results, alive = directory / "results", liveness.alive(directory)
    cells = {
        name: {step: _cell(directory, step, name, alive) for step in STEP_NAMES}
        for name in variants(results)
    }
    steps = [step for step in STEP_NAMES if step != "push" or (results / "logs/push").is_dir()]
    rows = [(name, *(cells[name][step][0] for step in steps)) for name in cells]
    lines = [f"a run is {'alive' if alive else 'not alive'} in {directory.absolute()}", ""]
    lines.append(tabulate(rows, ("variant", *steps), disable_numparse=True))
    for name, of in cells.items():
        for step, (_, reason) in of.items():
            if reason:
                log = results / f"logs/{step}/{name}.log"
                lines.append(f"\n{name} failed at {step} ({log}):\n  {reason}")
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


def _cell(directory: Path, step: str, name: str, alive: bool) -> tuple[str, str]:
    """Give one step's state, and the reason if it has failed."""
    output = Path("results", STEPS[step].format(name))
    if (directory / placed.note("incomplete", output)).exists():
        return ("running", "") if alive else ("interrupted", "")
    log = directory / f"results/logs/{step}/{name}.log"
    if (directory / output).exists():
        return "done", ""
    if reason := last_words(log):
        return "FAILED", reason
    return ("done, removed", "") if _discarded(directory, step, name) else ("waiting", "")


def _discarded(directory: Path, step: str, name: str) -> bool:
    return step == "download" and (directory / f"results/discarded/{name}.txt").exists()
