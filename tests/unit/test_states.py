"""The final table: the first step that is not done, and why."""

import json
import os
from pathlib import Path

import pytest
from videomae.errors import last_words
from videomae.workflow.states import STEPS, state, table


def leave(results: Path, *steps: str) -> None:
    """Leave the files that these steps leave."""
    for step in steps:
        path = results / STEPS[step].format("it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"max_abs_difference": 1e-7, "tolerance": 1e-5}))


def log(results: Path, step: str, text: str) -> None:
    path = results / f"logs/{step}/it.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_first_missing_step_counts_whatever_stands_behind_it(tmp_path: Path) -> None:
    leave(tmp_path, "download", "receipt", "verify", "card")
    log(tmp_path, "convert", "reading\nerror: something is wrong\n")
    found = state("it", tmp_path, push=None)
    assert (found.status, found.reason) == ("FAILED at convert", "something is wrong")
    assert found.report == {}


def test_outdated_step_counts_as_missing(tmp_path: Path) -> None:
    leave(tmp_path, "download", "receipt", "convert", "verify", "card")
    assert state("it", tmp_path, push=None).status == "verified"
    log(tmp_path, "verify", "ok     function\n")
    found = state("it", tmp_path, push=None, outdated={("verify", "it")})
    assert (found.status, found.report) == ("verify not done", {})


def test_step_whose_log_tells_nothing_was_killed(tmp_path: Path) -> None:
    leave(tmp_path, "download", "receipt")
    log(tmp_path, "convert", "state dict: model\n")
    found = state("it", tmp_path, push=None)
    assert found.status == "FAILED at convert"
    assert found.reason.startswith("the log ends without a reason: the job was killed")


def test_step_that_is_older_than_the_one_before_counts_as_missing(tmp_path: Path) -> None:
    leave(tmp_path, "download", "receipt", "convert", "verify", "card", "push")
    os.utime(tmp_path / "pushed/it.json", (1, 1))
    assert state("it", tmp_path, push="push").status == "push not done"


def test_failed_verification_shows_its_figures(tmp_path: Path) -> None:
    leave(tmp_path, "download", "receipt", "convert")
    log(tmp_path, "verify", "error: function: too far\n")
    (tmp_path / "logs/verify/it.json").write_text('{"max_abs_difference": 0.5}')
    text = table(["it"], tmp_path, push=None)
    assert "FAILED at verify" in text
    assert "5.0e-01" in text
    assert text.endswith("function: too far")


def test_reports_that_there_was_no_space_for_are_no_reason_to_show_nothing(tmp_path: Path) -> None:
    leave(tmp_path, "download", "receipt", "convert")
    log(tmp_path, "verify", "comparing\n")
    (tmp_path / "logs/verify/it.json").touch()
    for text in ("", "s\th:m:s\n0.", "s\n?"):
        benchmark = tmp_path / "benchmarks/verify/it.tsv"
        benchmark.parent.mkdir(parents=True, exist_ok=True)
        benchmark.write_text(text)
        assert "FAILED at verify" in table(["it"], tmp_path, push=None)


def test_push_is_a_step_only_where_it_is_on(tmp_path: Path) -> None:
    leave(tmp_path, "download", "receipt", "convert", "verify", "card")
    assert state("it", tmp_path, push="push").status == "push not done"
    leave(tmp_path, "push")
    assert state("it", tmp_path, push="push").status == "verified, pushed"
    assert state("it", tmp_path, push="push_plan").status == "push_plan not done"
    leave(tmp_path, "push_plan")
    assert state("it", tmp_path, push="push_plan").status == "verified, not pushed (dry run)"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("error: one\nerror: two\n", "two"),
        ("Traceback (most recent call last):\n  x\nKeyError: 'a'\n", "KeyError: 'a'"),
        ("all went well\n", None),
        (
            "comparing config\nFAILED config: it differs\ncomparing outputs on 3 clips\n",
            None,
        ),  # it goes on
        ("", None),
    ],
)
def test_last_words_are_the_reason(text: str, words: str | None, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(text)
    assert last_words(tmp_path / "a.log") == words
