"""Where results are: in a folder here, or in object storage (really run: `make test-storage`)."""

import sys
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from videomae import results_location
from videomae.errors import ConversionError

from tests.conftest import command


def test_results_are_under_the_default_storage_if_there_is_one() -> None:
    assert results_location.address("results/", None, None) == "results"
    assert results_location.address("theirs/results/", None, None) == "theirs/results"
    assert (
        results_location.address("results/", "s3", "s3://bucket/run/") == "s3://bucket/run/results"
    )
    assert results_location.results("results") == Path("results")


@pytest.mark.parametrize(
    ("provider", "prefix"), [("gcs", "gcs://bucket/run"), ("s3", None), ("s3", "bucket/run")]
)
def test_storage_that_results_can_not_be_read_in_is_refused(
    provider: str, prefix: str | None
) -> None:
    with pytest.raises(ConversionError, match=f"storage '{provider}' under .*s3://BUCKET/FOLDER"):
        results_location.address("results/", provider, prefix)


def test_what_reads_storage_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpathlib", None)
    outcome = command("status", "--results", "s3://bucket/run/results")
    assert outcome.code == 1
    assert outcome.output.splitlines()[-1].startswith(
        "error: reading s3://bucket/run/results needs"
    )


def test_files_have_the_same_names_wherever_they_are() -> None:
    for results in (Path("results"), PurePosixPath("bucket/run/results")):
        there: Any = results / "logs/a.log"
        within: Any = results
        assert results_location.names([there], within) == ["results/logs/a.log"]
        assert results_location.place("results/logs/a.log", within) == there
