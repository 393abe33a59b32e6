"""How far a transfer is: what is said, how often, and by what the hub's client tells it."""

import io
import re
import sys
import time
from types import SimpleNamespace

import pytest
from huggingface_hub.utils._xet_progress_reporting import XetDownloadProgressReporter
from videomae.cli import discard
from videomae.cli.main import main
from videomae.network.progress import Progress, bar


def test_line_comes_at_the_start_four_times_a_minute_and_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    progress = Progress("base")
    for second in range(51):
        now = 100.0 + second
        progress(second * 10_000_000, 500_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "base: 0.0 of 500.0 MB",
        "base: 150.0 of 500.0 MB, 10.0 MB/s, 35 s left",
        "base: 300.0 of 500.0 MB, 10.0 MB/s, 20 s left",
        "base: 450.0 of 500.0 MB, 10.0 MB/s, 5 s left",
        "base: 500.0 of 500.0 MB, 10.0 MB/s",
    ]


@pytest.mark.parametrize(
    ("before", "done", "total", "line"),
    [
        (0, 1_000_000_000, 5_000_000_000, "1.0 of 5.0 GB, 20.0 MB/s, 3 min left"),
        (500_000_000, 1_000_000_000, 5_000_000_000, "1.0 of 5.0 GB, 10.0 MB/s, 7 min left"),
        (0, 2_000_000, None, "2.0 MB, 40.0 kB/s"),
        (700, 700, 700, "0.7 of 0.7 kB"),
    ],
)
def test_speed_is_of_what_this_try_brought(
    before: int, done: int, total: int | None, line: str
) -> None:
    progress = Progress("base")
    progress(before, total)
    assert progress.line(done, total, 50) == line


def test_of_xets_two_bars_the_one_of_the_file_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Progress, "seconds", 0)
    bars = XetDownloadProgressReporter(
        reconstruction_desc="file",
        total=3_000_000,
        log_level=30,
        name="huggingface_hub.xet_get",
        tqdm_class=bar(Progress("base")),
    )
    report = {"total_bytes_completion_rate": None, "total_transfer_bytes_completion_rate": None}
    with bars:
        for come in (1_000_000, 3_000_000):
            bars.update_progress(
                SimpleNamespace(
                    total_bytes=3_000_000,
                    total_bytes_completed=come,
                    total_transfer_bytes_completed=come // 2,
                    **report,
                )
            )
    said = re.findall(r"base: (\S+) of 3.0 MB", capsys.readouterr().err)
    assert said == ["0.0", "1.0", "3.0"]


def test_command_that_is_written_to_a_log_is_written_there_line_by_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(log))
    monkeypatch.setattr(discard, "run", lambda _: print("reading"))
    main(["discard", "a.pth", "a.txt"])
    assert log.getvalue() == b"reading\n"
