"""Hostile files; a part of what `make fuzz` tries, and whether the harness sees what is bad."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.adversarial.fuzz.catalogue import Catalogue
from tests.adversarial.fuzz.mutators import BYTES
from tests.adversarial.fuzz.runner import CANARY, Limits, attempt, refusal
from tests.conftest import Outcome

FEW = 24  # each a fork of this process


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return Catalogue(tmp_path_factory.mktemp("fuzz"))


def test_hostile_files_are_refused_clearly_or_converted_rightly(catalogue: Catalogue) -> None:
    slow = ("bomb", "snakemake")
    cases = [c for c in catalogue.cases(7, 2 * FEW) if not any(s in repr(c) for s in slow)][:FEW]
    verdicts = {case: catalogue.attempt(case) for case in cases}
    assert len(verdicts) == FEW
    assert not {case: verdict for case, verdict in verdicts.items() if verdict.how == "BAD"}
    assert {verdict.how for verdict in verdicts.values()} == {"refused", "right"}


def test_every_mutation_has_its_turn_and_a_seed_gives_the_same_file(catalogue: Catalogue) -> None:
    turns = {(kind, name) for kind, held in catalogue.kinds.items() for name in held.mutations}
    assert {(case.kind, case.mutation) for case in catalogue.cases(1, 600)} == turns
    flip = BYTES["bytes flipped"]
    assert flip(Random(1), bytes(100)) == flip(Random(1), bytes(100)) != flip(Random(2), bytes(100))


# -- what is bad is seen ---------------------------------------------------------------------------


def prints(output: str, code: int = 1) -> Callable[[], str | None]:
    return lambda: refusal(Outcome(code, output), "file")


def leaves(name: str) -> Callable[[], str | None]:
    def run() -> str:
        Path(name).touch()
        return "file: refused"

    return run


def remembers() -> None:
    bytearray(b"x") * 2**28


def fails() -> None:
    raise ValueError


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (fails, "ValueError"),
        (
            prints("Traceback (most recent call last):\n  File x\nKeyError"),
            "exit code 1: Traceback",
        ),
        (prints("error: file: killed", -9), "exit code -9"),
        (prints("file: no"), "does not begin with error"),
        (prints("error: file: one\ntwo"), "does not begin with error"),
        (prints("error: file: \x1b[2J"), "not one printable line"),
        (prints("error: a fault"), "does not name file"),
        (prints("error: file: MemoryError"), "gives no reason"),
        (prints(f"error: file: {'x' * 5000}"), "5006 characters"),
        (leaves("out"), r"left behind: \['outer/folder/out'\]"),
        (leaves("../x"), r"left behind: \['outer/x'\]"),
        (leaves(f"../{CANARY}"), "code was executed"),
        (lambda: time.sleep(60), "still running after 1 s"),
        (remembers, "GiB of memory"),
        (lambda: os._exit(3), "the process was lost"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "the process was lost"),
    ],
)
def test_bad_ends_are_seen(run: Callable[[], str | None], said: str) -> None:
    # Taking memory may take seconds on a busy machine; only the sleeper needs the short limit.
    limits = Limits(seconds=1 if said.startswith("still") else 30, memory=2**27)
    verdict = attempt(1, lambda _, folder: (folder / "file").touch(), run, limits)
    assert verdict.how == "BAD"
    assert re.search(said, verdict.said), verdict.said


def test_refusals_and_right_results_are_told_apart() -> None:
    def write(_: Random, folder: Path) -> None:
        (folder / "file").touch()

    assert attempt(1, write, prints("seen\nerror: file: no")).how == "refused"
    assert attempt(1, write, prints("done", 0)).how == "right"


def test_wrong_folder_is_seen(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    from videomae.checkpoint import lazy_tensor, reader

    case = next(
        c for c in catalogue.cases(1, 600) if c.mutation == "bytes appended" and "zip (f" in c.kind
    )
    assert catalogue.attempt(case).how == "right"

    def rounded(entries, _dtype):  # type: ignore[no-untyped-def]
        return {name: lazy_tensor.read(entry).half().float() for name, entry in entries.items()}

    monkeypatch.setattr(reader, "cast", rounded)
    verdict = catalogue.attempt(case)
    assert (verdict.how, verdict.said) == ("BAD", "converted into other tensors than the file has")
