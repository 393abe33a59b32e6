"""The line that says how far a run is, from what Snakemake's logger plugins are told."""

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_videomae import LogHandler
from videomae.workflow.progress_line import Progress


@pytest.fixture
def handler() -> LogHandler:
    return LogHandler(cast(Any, SimpleNamespace()), settings=None)


def tell(handler: LogHandler, **told: Any) -> None:
    handler.emit(logging.makeLogRecord({"name": "it", **told}))


def test_a_line_is_said_when_a_variant_is_done_or_fails_and_at_no_other_time(
    handler: LogHandler, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tell(handler, event=LogEvent.RUN_INFO, stats={"verify": 3, "convert": 3, "all": 1})
    for number, rule in enumerate(("convert", "verify", "convert", "clip", "page")):
        tell(handler, event=LogEvent.JOB_INFO, jobid=number, rule_name=rule)
    for number in (0, 3):
        tell(handler, event=LogEvent.JOB_FINISHED, job_id=number)
    tell(handler, event=LogEvent.JOB_ERROR, jobid=4)
    tell(handler, event=LogEvent.PROGRESS, done=1, total=2)
    assert caplog.messages == []
    tell(handler, event=LogEvent.JOB_ERROR, jobid=2)
    tell(handler, event=LogEvent.JOB_FINISHED, job_id=1)
    said = [message.partition(", ~")[0] for message in caplog.messages]
    assert said == ["0 of 3 verified, 1 failed", "1 of 3 verified, 1 failed"]


def test_error_in_it_stops_no_run(
    handler: LogHandler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(handler, event=LogEvent.RUN_INFO, stats={"verify": 1})
    tell(handler, event=LogEvent.JOB_INFO, jobid=0, rule_name="verify")

    def fail(*_: object) -> str:
        raise OSError("no space")

    monkeypatch.setattr(handler.progress, "finish", fail)
    tell(handler, event=LogEvent.JOB_FINISHED, job_id=0)
    assert "no space" in capsys.readouterr().err


def test_time_left_is_by_the_variants_that_this_run_has_done() -> None:
    progress = Progress({"verify": 3, "push": 4}, began=100.0)
    for job in range(4):
        progress.begin(job, "push")
    assert progress.line(10) == "0 of 4 pushed"
    assert progress.finish(0, 110.0) == "1 of 4 pushed, ~30 s left"
    assert progress.finish(1, 400.0) == "2 of 4 pushed, ~5 min left"
    assert progress.fail(2, 400.0) == "2 of 4 pushed, 1 failed, ~2 min left"
    assert progress.finish(3, 500.0) == "3 of 4 pushed, 1 failed"


def test_run_without_variants_says_nothing() -> None:
    progress = Progress({"page": 3}, began=0.0)
    progress.begin(0, "page")
    assert progress.finish(0, 1.0) is None
    assert progress.fail(0, 1.0) is None
