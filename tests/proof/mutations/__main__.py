"""Print the score of verification: ``python -m tests.proof.mutations``."""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import transformers
from tabulate import tabulate

from tests.proof.mutations import families, library
from tests.proof.mutations.score import SUBJECTS, LibraryOutcome, Outcome, Subject


def main() -> int:
    """Run every catalogue; exit code 1 if something wrong passes, or something right fails."""
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as workplace:
        subjects = [Subject(name, Path(workplace)) for name in SUBJECTS]
        return sum(table(subjects) for table in TABLES)


def folders(subjects: list[Subject]) -> int:
    """Print what verification makes of wrong folders; give how many it misses or misleads on."""
    outcomes: list[Outcome] = []
    rights: list[float] = []
    for subject in subjects:
        right = subject.verify(subject.right)
        if not right.passed:
            sys.exit(f"the right folder of {subject.name} fails: {right.failure()}")
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
    print(f"caught {len(outcomes) - len(missed)} of {len(outcomes)} wrong folders\n")
    return len(missed) + len(misleading)


def faults_of_transformers(subjects: list[Subject]) -> int:
    """Print which checks fail in a transformers with a fault; give how many faults pass."""
    outcomes: list[LibraryOutcome] = []
    for subject in subjects:
        if any(failed := subject.with_fault(library.control()).caught_by.values()):
            sys.exit(f"without a fault in transformers {subject.name} fails: {list(failed)}")
        outcomes += [subject.with_fault(fault) for fault in subject.faults()]
    missed = [one for one in outcomes if not all(one.caught_by.values())]
    rows: dict[str, dict[str, str]] = {}
    for one in outcomes:
        first = {command: next(iter(checks), "-") for command, checks in one.caught_by.items()}
        rows.setdefault(one.fault.name, first)
    heads = ("fault in transformers", "verify fails first in", "load fails first in")
    print(tabulate([(name, *by.values()) for name, by in rows.items()], heads))
    for one in missed:
        print(f"MISSED {one.subject}: {one.fault.name} ({one.caught_by})")
    caught = len(outcomes) - len(missed)
    print(f"caught {caught} of {len(outcomes)}: {len(rows)} faults, in each of the networks\n")
    return len(missed)


def other_networks(_: list[Subject]) -> int:
    """Print what refusing files of other networks says; give how many are taken, or misled on."""
    with tempfile.TemporaryDirectory() as workplace:
        found, right = (run(Path(workplace)) for run in (families.outcomes, families.controls))
    wrong = [one for one in found if not one.caught or not one.leads_to_cause]
    wrong += [one for one in right if one.caught]
    rows = [(one.name, "yes" if one.caught else "NO", one.words[:100]) for one in found]
    print(tabulate(rows, ("network", "refused", "by the words")))
    for one in wrong:
        print(f"WRONG {one.name}: {one.said}")
    print(f"refused {sum(one.caught for one in found)} of {len(found)} files of other networks,")
    print(f"converted and verified {sum(not one.caught for one in right)} of {len(right)} others\n")
    return len(wrong)


TABLES: tuple[Callable[[list[Subject]], int], ...] = (
    folders,
    faults_of_transformers,
    other_networks,
)


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
    beyond = changed[len(within) :]
    lines = [
        f"outputs of right folders differ by at most {max(rights):.2g} of the tolerance;",
        f"of {len(changed)} wrong folders with other outputs, {len(beyond)} differ "
        f"by more than it, the least by {_named(beyond[0])};",
        f"{len(within)} stay within, down to {_named(changed[0])}, and fail other checks",
    ]
    return "\n".join(["", *lines])


def _named(outcome: Outcome) -> str:
    return f"{outcome.difference:.2g} ({outcome.subject}: {outcome.mutation.name})"


if __name__ == "__main__":
    sys.exit(min(main(), 1))
