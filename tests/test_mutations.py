"""Wrong conversions fail verification; a part of the catalogue that `make mutations` runs whole."""

from pathlib import Path

import pytest
from videomae.architecture import read_architecture
from videomae.checkpoint import open_checkpoint

from tests.conftest import DATA
from tests.mutations.catalogue import Mutation, catalogue
from tests.mutations.score import SUBJECTS, Subject

OF_TENSORS = ("zeroed", "times 1.001", "of next layer", "transposed")


def mutations(name: str) -> list[Mutation]:
    opened = open_checkpoint(DATA / f"trained/{name}.pth")
    return catalogue(read_architecture(opened.shapes, opened.args, SUBJECTS[name]))


def quick(name: str) -> list[Mutation]:
    """Give the known faults, and every fifth change of a kind of tensor."""
    known = [m for m in mutations(name) if not m.name.endswith(OF_TENSORS)]
    return known + [m for m in mutations(name) if m.name.endswith(OF_TENSORS)][::5]


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    workplace: Path = tmp_path_factory.mktemp("mutations")
    return {name: Subject(name, workplace) for name in SUBJECTS}


@pytest.mark.parametrize("name", SUBJECTS)
def test_right_folder_passes(name: str, subjects: dict[str, Subject]) -> None:
    report = subjects[name].verify(subjects[name].right)
    assert report.passed, report.failure()


@pytest.mark.parametrize(
    ("name", "mutation"),
    [pytest.param(name, m, id=f"{name}-{m.name}") for name in SUBJECTS for m in quick(name)],
)
def test_wrong_folder_fails_with_a_message_that_leads_to_the_cause(
    name: str, mutation: Mutation, subjects: dict[str, Subject]
) -> None:
    outcome = subjects[name].mutate(mutation)
    assert outcome.caught_by
    assert outcome.leads_to_the_cause, [c.message for c in outcome.report.checks if not c.passed]


@pytest.mark.parametrize("name", SUBJECTS)
def test_catalogue_names_each_mutation_once(name: str) -> None:
    names = [mutation.name for mutation in mutations(name)]
    assert len(names) == len(set(names)) > 80


def test_change_that_changes_nothing_is_not_called_caught(subjects: dict[str, Subject]) -> None:
    """The score can fail: a mutation that leaves the folder right is reported as missed."""
    nothing = Mutation("nothing", lambda draft: draft, "")
    assert subjects["v1-cls"].mutate(nothing).caught_by == []
