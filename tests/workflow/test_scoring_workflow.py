"""Scoring as steps of the workflow, and what config.yaml may ask of it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from videomae import files
from videomae.config.entry import Entry, Recorded
from videomae.config.models import Score
from videomae.errors import ConversionError
from videomae.report import scores_table
from videomae.score import settings
from videomae.score.settings import Asked

from tests import filmed
from tests.conftest import Workflow, jobs

LIST = "score={videos: list.csv, protocol: ucf101, shards: 2}"


@dataclass
class Variant:
    entry: Entry
    recorded: Recorded | None = None


def variant(**stated: Any) -> Variant:
    """Give a variant of which config.yaml states this."""
    entry = Entry.model_validate({"checkpoint": "own.pth", **stated})
    return Variant(entry, entry.recorded if isinstance(entry.recorded, Recorded) else None)


SOURCE = "https://example.org"
KINETICS = variant(labels="kinetics400")
SOMETHING = variant(published={"dataset": "Something-Something V2", "top1": 70.8, "source": SOURCE})
PRETRAINED = variant(recorded={"shape": [1, 1408, 1536], "logits": [0.5]})


@pytest.fixture
def videos(tmp_path: Path) -> str:
    (tmp_path / "list.csv").write_text("a.mkv 0\n")
    return str(tmp_path / "list.csv")


def test_table_has_what_was_scored_and_why_others_were_not(tmp_path: Path) -> None:
    assert scores_table.table({}, tmp_path) == ""
    videos = tmp_path / "list.csv"
    videos.write_text("a.mkv 0\n")
    share = {"percent": 62.5, "interval_95": [30.6, 86.3], "right": 5, "of": 8}
    report = {"top1": share, "top5": {**share, "percent": 87.5}, "unreadable": {"a.mkv": "empty"}}
    (tmp_path / "scores").mkdir()
    for name, sha256 in (("good", files.sha256(videos)), ("stale", "0" * 64)):
        measured = {**report, "list_sha256": sha256}
        (tmp_path / f"scores/{name}.json").write_text(json.dumps(measured))
    log = tmp_path / "logs/score/bad/1-of-2.log"
    log.parent.mkdir(parents=True)
    log.write_text("error: list.csv line 2: 400 is no class of the head\n")
    asked = Asked(str(videos), 1, [], [])
    said = scores_table.table(dict.fromkeys(("good", "stale", "bad"), asked), tmp_path)
    _, _, good, stale, bad, *failures = said.splitlines()
    assert good.split() == ["good", "62.50", "30.60", "to", "86.30", "87.50", "8", "1"]
    assert stale.split() == ["stale", "not", "scored"]
    assert bad.split() == ["bad", "FAILED"]
    assert failures[1:] == [
        f"bad: scoring failed ({log}):",
        "  list.csv line 2: 400 is no class of the head",
    ]


@pytest.mark.full
def test_parts_are_scored_and_merged_for_what_has_a_head(finished: Workflow) -> None:
    for number in range(3):
        filmed.film(finished.folder / f"v {number}.mkv", frames=4 + number)
    lines = [f'"v {number}.mkv" {number}\n' for number in range(3)]
    (finished.folder / "list.csv").write_text("".join(lines))
    planned = jobs(finished.run("scores", "--dry-run", "--config", LIST))
    parts = [f"{rule} own-{n}" for rule in ("merge", "score", "score") for n in range(2)]
    assert planned == sorted([*parts, "scores"])
    only = ("scores", "--config", "models=own-1", LIST)
    outcome = finished.run(*only)
    assert outcome.code == 0, outcome.output
    report = json.loads((finished.results / "scores/own-1.json").read_text())
    assert report["top1"]["of"] == 3
    assert re.search(r"^own-1 +[\d.]+ +[\d.]+ to [\d.]+ +[\d.]+ +3 +0$", outcome.output, re.M)
    assert report["protocol"]["name"] == "ucf101"
    assert report["classes"][1]["label"] == "label 1"
    assert jobs(finished.run(*only)) == []
    (finished.folder / "list.csv").write_text("".join(lines[:2]))
    assert jobs(finished.run(*only)) == ["merge own-1", *["score own-1"] * 2, "scores"]
    drawn = finished.run("pages", "results/models/own-1/README.md", "--config", "models=own-1")
    assert drawn.code == 0, drawn.output
    assert jobs(drawn) == ["card own-1", "overview", "page own-1", "pages"]
    page = (finished.results / "report/variants/own-1.html").read_text()
    assert "Measured accuracy" in page
    assert "2 videos of <code>list.csv</code>" in page
    assert page.count("frames of v ") == 2
    card = (finished.results / "models/own-1/README.md").read_text()
    assert "on the 2 videos of `list.csv`" in card
    log = (finished.results / "logs/score/own-1/1-of-2.log").read_text()
    assert "1 of 1 videos have cached logits" in log


def test_nothing_to_score_is_said(finished: Workflow) -> None:
    outcome = finished.run("scores", "--dry-run")
    assert outcome.code != 0
    assert "there is nothing to score" in outcome.output


def read(variants: dict[str, Variant], **score: Any) -> dict[str, settings.Asked]:
    return settings.read(Score.model_validate(score), variants, Path("none"))


def test_protocol_is_that_of_the_data_set(videos: str) -> None:
    found = read({"k": KINETICS, "p": PRETRAINED}, videos=videos)
    assert found.keys() == {"k"}
    assert found["k"].computed == ["--protocol=kinetics400", "--device=auto"]
    assert "--protocol=ssv2" in read({"s": SOMETHING}, videos=videos)["s"].computed
    assert "--published" in read({"s": SOMETHING}, videos=videos)["s"].merged
    several = {"k": KINETICS, "s": SOMETHING, "own": variant()}
    assert read(several, videos=videos, protocol="ssv2").keys() == {"s", "own"}


def test_options_go_to_the_steps_that_use_them(videos: str) -> None:
    options = {"clips": 2, "allow_missing": True, "as_authors": True, "shards": 3}
    found = read({"k": KINETICS}, videos=videos, **options)["k"]
    assert found.shards == 3
    assert found.computed[1:3] == ["--clips=2", "--allow-missing"]
    assert found.merged == ["--as-authors"]


def test_each_data_set_has_its_list(videos: str) -> None:
    both = {"k": KINETICS, "s": SOMETHING}
    assert read(both, videos={"ssv2": videos}).keys() == {"s"}
    with pytest.raises(ConversionError, match=r"is one list, .* belong to kinetics400, ssv2"):
        read(both, videos=videos)


def test_what_nothing_tells_is_asked_for(videos: str) -> None:
    with pytest.raises(
        ConversionError, match=r"score.protocol: the test protocol of own is unknown"
    ):
        read({"own": variant()}, videos=videos)
    with pytest.raises(ConversionError, match=r"score.videos: no such file: .*/gone.csv"):
        read({"k": KINETICS}, videos="gone.csv")
    assert settings.read(None, {"k": KINETICS}, Path("none")) == {}
