"""Puts faults into right folders, and into transformers, and counts which checks fail."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videomae.checkpoint import reader
from videomae.compatibility.loading import Loading
from videomae.convert import model_folder, weight_mapping
from videomae.model import labels
from videomae.recognition.recognize import read_architecture
from videomae.verify.proof import Verification
from videomae.verify.report import Report

from tests.conftest import DATA
from tests.proof.mutations import library
from tests.proof.mutations.catalogue import Draft, Mutation, catalogue
from tests.proof.mutations.library import Fault

# The authors' trained checkpoints, and the heads that their files don't tell.
SUBJECTS: dict[str, dict[str, Any]] = {
    "v1-finetuned": {"num_attention_heads": 3},
    "v1-cls": {"num_attention_heads": 4},
    "v1-pretrained": {"num_attention_heads": 3, "decoder_num_attention_heads": 3},
}


@dataclass(frozen=True)
class Outcome:
    """What verification made of one wrong folder."""

    subject: str
    mutation: Mutation
    report: Report

    @property
    def caught_by(self) -> list[str]:
        """The checks that failed; none if the wrong folder passed."""
        return _failed(self.report)

    @property
    def leads_to_the_cause(self) -> bool:
        """Whether the messages of the failing checks hold the mutation's hint."""
        return any(
            self.mutation.hint in check.message for check in self.report.checks if not check.passed
        )

    @property
    def difference(self) -> float | None:
        """How far the outputs are, in tolerances; None where the model did not run."""
        if self.report.max_abs_difference is None or not self.report.tolerance:
            return None
        return self.report.max_abs_difference / self.report.tolerance


@dataclass(frozen=True)
class LibraryOutcome:
    """What `verify.py` and `load.py` made of a right folder in a transformers with a fault."""

    subject: str
    fault: Fault
    verified: Report
    loaded: Report

    @property
    def caught_by(self) -> dict[str, list[str]]:
        """The checks that failed, by command."""
        return {"verify": _failed(self.verified), "load": _failed(self.loaded)}


def _failed(report: Report) -> list[str]:
    return [check.name for check in report.checks if not check.passed]


class Subject:
    """A checkpoint with its right folder, to be made wrong in many ways."""

    def __init__(self, name: str, workplace: Path) -> None:
        self.name = name
        self.path = DATA / f"trained/{name}.pth"
        self.given = SUBJECTS[name]
        opened = reader.open_checkpoint(self.path)
        self.architecture = read_architecture(opened.shapes, opened.args, self.given)
        names = labels.id2label(self.architecture.num_labels or 0, None)
        self.right, self.wrong = workplace / name / "right", workplace / name / "wrong"
        model_folder.write_folder(
            self.right,
            model_folder.model_config(self.architecture, names, None),
            model_folder.processor_config(self.architecture),
            weight_mapping.convert(opened.tensors, self.architecture),
        )

    def verify(self, path: Path) -> Report:
        return Verification(self.name, self.path, path, self.given).run()

    def load(self, path: Path) -> Report:
        opened = reader.open_checkpoint(self.path)
        return Loading(self.name, opened, self.architecture, path, "float32").run()

    def faults(self) -> list[Fault]:
        return library.catalogue(
            self.architecture.kind, bool(self.architecture.config["use_mean_pooling"])
        )

    def with_fault(self, fault: Fault) -> LibraryOutcome:
        """Verify and load the right folder in a transformers with a fault."""
        with fault.put():
            return LibraryOutcome(self.name, fault, self.verify(self.right), self.load(self.right))

    def mutations(self) -> list[Mutation]:
        return catalogue(self.architecture)

    def mutate(self, mutation: Mutation) -> Outcome:
        """Make the wrong folder and verify it."""
        draft = Draft.load(self.right)
        mutation.change(draft)
        draft.save(self.wrong)
        return Outcome(self.name, mutation, self.verify(self.wrong))
