"""Print how many kills the workflow survives: ``python -m tests.adversarial.faults``."""

import argparse
import itertools
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tabulate import tabulate

from tests.adversarial.faults import disks, edits
from tests.adversarial.faults.kills import WAYS, Kill, Outcome, survive
from tests.adversarial.faults.scene import undisturbed


def main() -> int:
    """Kill so many runs at random moments; exit code 1 if one does not come right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--disks", type=int, default=8, help="sizes of a full disk to try (root)")
    parser.add_argument("--edits", type=int, default=12, help="runs after an edit to kill")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place:
        right, seconds = undisturbed(Path(place, "undisturbed"))
        print(f"undisturbed: {seconds:.1f} s, {len(right)} files")
        faults = _full_disks(Path(place), right, arguments.disks)
        for number, way in zip(range(arguments.kills), itertools.cycle(WAYS)):
            kill = Kill(*way, after=draw.uniform(0, seconds))
            outcome = survive(kill, Path(place, str(number)), right)
            outcomes.append(_told(f"{number}", outcome))
        if arguments.edits:
            outcomes += _edits(Path(place, "edits"), arguments.edits, draw)
    print(_table(outcomes))
    return 1 if faults or any(outcome.faults for outcome in outcomes) else 0


def _full_disks(place: Path, right: dict[str, bytes], number: int) -> int:
    """Try disks of so many sizes up to what a run needs; give how many tries went wrong."""
    needed = sum(map(len, right.values())) // 1000
    wrong = 0
    for whole in (False, True):
        for step in range(number):
            full = disks.Full(needed * (step + 1) // number, whole)
            faults = disks.survive(full, place / f"{full}", right)
            wrong += bool(faults)
            print(f"{full}", *(f"FAULT {fault}" for fault in faults), sep="\n", flush=True)
    print(f"full disks survived: {2 * number - wrong} of {2 * number}")
    return wrong


def _edits(place: Path, number: int, draw: random.Random) -> list[Outcome]:
    """Kill so many runs over finished results whose config.yaml was edited."""
    before = edits.finished(place)
    print(f"after an edit, undisturbed: {before.seconds:.1f} s", flush=True)
    kills = [
        Kill(*way, after=draw.uniform(0, before.seconds))
        for _, way in zip(range(number), itertools.cycle(WAYS), strict=False)
    ]
    return [
        _told(f"edit {at}", edits.survive(kill, place / str(at), before))
        for at, kill in enumerate(kills)
    ]


def _told(name: str, outcome: Outcome) -> Outcome:
    """Print how a kill went."""
    print(f"{name}: {outcome.kill} after {outcome.kill.after:.1f} s in {outcome.step}", flush=True)
    for fault in outcome.faults:
        print(f"FAULT {fault}", flush=True)
    return outcome


def _table(outcomes: list[Outcome]) -> str:
    """Count the survived and the tried kills by step and way."""
    cells: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for outcome in outcomes:
        for step in (outcome.step, "all"):
            for way in (str(outcome.kill), "all"):
                cells[step, way].append(not outcome.faults)
    steps, ways = (
        sorted({key[part] for key in cells}, key=lambda name: (name == "all", name))
        for part in (0, 1)
    )
    rows = [
        (step, *(f"{sum(cells[step, way])}/{len(cells[step, way])}" for way in ways))
        for step in steps
    ]
    return tabulate(rows, ("killed in", *ways))


if __name__ == "__main__":
    sys.exit(main())
