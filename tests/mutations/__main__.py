"""Print the score of verification: ``python -m tests.mutations``."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tabulate import tabulate

from tests.mutations.score import SUBJECTS, Outcome, Subject


def main() -> int:
    """Run the whole catalogue on every subject; exit code 1 if a wrong folder passes."""
    outcomes: list[Outcome] = []
    rights: list[float] = []
    with tempfile.TemporaryDirectory() as workplace:
        for name in SUBJECTS:
            subject = Subject(name, Path(workplace))
            right = subject.verify(subject.right)
            if not right.passed:
                sys.exit(f"the right folder of {name} fails: {right.failure()}")
            rights.append((right.max_abs_difference or 0) / (right.tolerance or 1))
            outcomes += [subject.mutate(mutation) for mutation in subject.mutations()]
    missed = [outcome for outcome in outcomes if not outcome.caught_by]
    misleading = [outcome for outcome in outcomes if not outcome.leads_to_the_cause]
    print(tabulate(_by_check(outcomes), ("check", "caught", "caught alone", "e.g. alone")))
    print(_margins(outcomes, rights))
    for outcome in missed:
        print(f"MISSED {outcome.subject}: {outcome.mutation.name}")
    for outcome in misleading:
        print(f"MISLEADING {outcome.subject}: {outcome.mutation.name} ({outcome.caught_by})")
    print(f"caught {len(outcomes) - len(missed)} of {len(outcomes)} wrong folders")
    return 1 if missed or misleading else 0


def _by_check(outcomes: list[Outcome]) -> list[tuple[str, int, int, str]]:
    """Count what each check caught, and what it alone did."""
    caught = Counter(check for outcome in outcomes for check in outcome.caught_by)
    alone: dict[str, list[str]] = {}
    for outcome in outcomes:
        if len(outcome.caught_by) == 1:
            alone.setdefault(outcome.caught_by[0], []).append(outcome.mutation.name)
    return [
        (check, count, len(alone.get(check, [])), next(iter(alone.get(check, [])), ""))
        for check, count in caught.most_common()
    ]


def _margins(outcomes: list[Outcome], rights: list[float]) -> str:
    """Say how far wrong outputs are from right ones, in units of the tolerance."""
    # What stays below the rounding of right folders did not change the outputs.
    changed = sorted(
        (outcome for outcome in outcomes if (outcome.difference or 0) > max(rights)),
        key=lambda outcome: outcome.difference or 0,
    )
    within = [outcome for outcome in changed if (outcome.difference or 0) <= 1]
    beyond = changed[len(within)]
    lines = [
        f"outputs of right folders differ by at most {max(rights):.2g} of the tolerance;",
        f"of {len(changed)} wrong folders with other outputs, {len(changed) - len(within)} differ "
        f"by more than it, the least by {_named(beyond)};",
        f"{len(within)} stay within, down to {_named(changed[0])}, and fail other checks",
    ]
    return "\n".join(["", *lines])


def _named(outcome: Outcome) -> str:
    return f"{outcome.difference:.2g} ({outcome.subject}: {outcome.mutation.name})"


if __name__ == "__main__":
    sys.exit(main())
