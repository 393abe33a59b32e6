"""How far a run is, from what Snakemake says of its jobs."""

import logging
from pathlib import Path
from typing import Any

import pytest
from snakemake.logging import LogEvent
from videomae.totals import Totals, totals


def say(listener: Totals, **told: Any) -> None:
    listener.emit(logging.makeLogRecord(told))


def begin(listener: Totals, number: int, rule: str, variant: str | None) -> None:
    wildcards = {"variant": variant} if variant else {}
    say(listener, event=LogEvent.JOB_INFO, jobid=number, rule_name=rule, wildcards=wildcards)


def test_a_line_is_said_when_a_variant_is_done_or_fails_and_at_no_other_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listener = Totals("verify", {"one": 1.0, "two": 1.0, "three": 2.0}, {"one"})
    begin(listener, 1, "convert", "two")
    begin(listener, 2, "verify", "two")
    begin(listener, 3, "convert", "three")
    begin(listener, 4, "clip", None)
    say(listener, event=LogEvent.JOB_FINISHED, job_id=1)
    say(listener, event=LogEvent.JOB_FINISHED, job_id=4)
    say(listener, event=LogEvent.PROGRESS, done=1, total=2)
    assert capsys.readouterr().err == ""
    say(listener, event=LogEvent.JOB_ERROR, jobid=3)
    assert capsys.readouterr().err == "1 of 3 verified, 1 failed\n"
    say(listener, event=LogEvent.JOB_FINISHED, job_id=2)
    assert capsys.readouterr().err == "2 of 3 verified, 1 failed\n"


def test_time_left_is_by_the_work_that_is_done_in_this_run() -> None:
    listener = Totals("push", {"before": 9.0, "now": 1.0, "later": 3.0}, {"before"})
    assert listener.line(10) == "1 of 3 pushed"
    listener.done.add("now")
    assert listener.line(10) == "2 of 3 pushed, ~30 s left"
    assert listener.line(100) == "2 of 3 pushed, ~5 min left"
    listener.failed.add("later")
    assert listener.line(100) == "2 of 3 pushed, 1 failed"


def test_variants_that_the_run_need_not_do_count_as_done(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/two.pth").write_bytes(bytes(100))
    listener = totals(["one", "two"], tmp_path, None, {("verify", "two"), ("card", "one")})
    assert listener.done == {"one"}
    assert listener.weights["two"] == 100
