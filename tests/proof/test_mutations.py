"""Wrong conversions fail verification; a part of the catalogue that `make mutations` runs whole."""

from pathlib import Path

import pytest
from videomae.checkpoint.reader import open_checkpoint
from videomae.recognition.recognize import read_architecture

from tests.conftest import DATA
from tests.proof.mutations import library
from tests.proof.mutations.catalogue import Draft, Mutation, catalogue, strangers
from tests.proof.mutations.score import SUBJECTS, Subject

OF_TENSORS = ("zeroed", "times 1.001", "of next layer", "transposed")


def mutations(name: str) -> list[Mutation]:
    opened = open_checkpoint(DATA / f"trained/{name}.pth")
    return catalogue(read_architecture(opened.shapes, opened.args, SUBJECTS[name]))


def quick(name: str) -> list[Mutation]:
    """Give the known faults, and every fifth change of a kind of tensor."""
    once = () if name == "v1-finetuned" else {mutation.name for mutation in strangers()}
    known = [m for m in mutations(name) if not m.name.endswith(OF_TENSORS) and m.name not in once]
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


@pytest.mark.parametrize("mutation", [*strangers()][::2], ids=lambda mutation: mutation.name)
def test_file_or_key_that_changes_what_loaders_do_fails_in_load_too(
    mutation: Mutation, subjects: dict[str, Subject]
) -> None:
    subject = subjects["v1-cls"]
    draft = Draft.load(subject.right)
    mutation.change(draft)
    draft.save(subject.wrong)
    assert not subject.load(subject.wrong).passed


# -- faults in transformers ------------------------------------------------------------------------

ALL_FAULTS = {
    "v1-finetuned": library.catalogue("classifier", pooled=True),
    "v1-pretrained": library.catalogue("pretraining", pooled=False),
}
# Every third of those of classifiers, and what only pre-training has; `make mutations` tries all.
FAULTS = [("v1-finetuned", fault.name) for fault in ALL_FAULTS["v1-finetuned"][::3]] + [
    ("v1-pretrained", fault.name)
    for fault in ALL_FAULTS["v1-pretrained"]
    if fault.kinds == ("pretraining",)
]


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_fault_in_transformers_fails_verification_and_loading(
    name: str, fault: str, subjects: dict[str, Subject]
) -> None:
    put = next(one for one in ALL_FAULTS[name] if one.name == fault)
    assert all(subjects[name].with_fault(put).caught_by.values())


@pytest.mark.parametrize("name", ["v1-finetuned", "v1-pretrained"])
def test_change_of_transformers_that_changes_nothing_passes(
    name: str, subjects: dict[str, Subject]
) -> None:
    assert not any(subjects[name].with_fault(library.control()).caught_by.values())


def test_faults_of_transformers_are_many_and_named_once() -> None:
    names = [fault.name for fault in ALL_FAULTS["v1-finetuned"]]
    assert len(names) == len(set(names)) > 50


@pytest.mark.parametrize("name", SUBJECTS)
def test_catalogue_names_each_mutation_once(name: str) -> None:
    names = [mutation.name for mutation in mutations(name)]
    assert len(names) == len(set(names)) > 80


def test_change_that_changes_nothing_is_not_called_caught(subjects: dict[str, Subject]) -> None:
    """The score can fail: a mutation that leaves the folder right is reported as missed."""
    nothing = Mutation("nothing", lambda draft: draft, "")
    assert subjects["v1-cls"].mutate(nothing).caught_by == []
