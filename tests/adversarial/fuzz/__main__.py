"""Print what hostile files come to: ``python -m tests.adversarial.fuzz [--seed N] [--count N]``."""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tabulate import tabulate

from tests.adversarial.fuzz.catalogue import Catalogue
from tests.adversarial.fuzz.runner import Case, Verdict

HOW = ("refused", "right", "BAD")


def main() -> int:
    """Try the cases; exit code 1 if one ends badly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=600, help="how many (default: %(default)s)")
    parser.add_argument("--only", default="", help="kinds and mutations with this in their names")
    parser.add_argument("--say", action="store_true", help="print every message")
    arguments = parser.parse_args()
    ended: list[tuple[Case, Verdict]] = []
    with tempfile.TemporaryDirectory() as workplace:
        catalogue = Catalogue(Path(workplace))
        for case in catalogue.cases(arguments.seed, arguments.count):
            if arguments.only not in f"{case.kind}: {case.mutation}":
                continue
            verdict = catalogue.attempt(case)
            ended.append((case, verdict))
            if arguments.say or verdict.how == "BAD":
                print(f"{verdict.how} {case}: {verdict.said}", flush=True)
    print(_table(ended))
    total = Counter(verdict.how for _, verdict in ended)
    print(", ".join([f"{len(ended)} hostile files", *(f"{total[how]} {how}" for how in HOW)]))
    return 1 if total["BAD"] else 0


def _table(ended: list[tuple[Case, Verdict]]) -> str:
    """Count how each mutation of each kind of file ended."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for case, verdict in ended:
        counts.setdefault((case.kind, case.mutation), Counter())[verdict.how] += 1
    rows = [(*key, n.total(), *(n[how] for how in HOW)) for key, n in sorted(counts.items())]
    return tabulate(rows, ("file", "mutation", "tried", *HOW))


if __name__ == "__main__":
    sys.exit(main())
