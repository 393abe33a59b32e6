"""Scoring by the command line, on tiny models and videos made here."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from videomae.model import imagenet
from videomae.score import decoding, views
from videomae.score.compute import Progress, ahead
from videomae.score.label_check import diagnosis
from videomae.score.logit_store import Kept, Record, State
from videomae.score.merge_views import Prediction, merged
from videomae.score.model import pixels
from videomae.score.protocols import PROTOCOLS
from videomae.verify import clips

from tests import filmed
from tests.conftest import CLI, Outcome, command

CLASSES = 7
TINY = replace(PROTOCOLS["kinetics400"], frames=4, short_side=32)


@pytest.fixture(scope="session")
def filmed_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of six videos and one file that is none; not to be written to."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(6):
        filmed.film(folder / f"v{number}.mkv", frames=5 + 9 * number, first=30 * number)
    (folder / "broken.mp4").write_bytes(b"none" * 500)
    return folder


Score = Callable[..., Outcome]


@pytest.fixture
def score(converted: dict[str, Path], filmed_videos: Path, tmp_path: Path) -> Score:
    """Give the command on a list of those videos; lines are ``NAME LABEL``, results in scores/."""

    def run(lines: list[str], *options: object, folder: Path | None = None) -> Outcome:
        (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
        return command(
            *("score", folder or converted["tiny-finetuned"], tmp_path / "list.csv"),
            *("--root", filmed_videos, "--output", tmp_path / "scores", "--device", "cpu"),
            *("--protocol", "kinetics400", *options),
        )

    return run


ALL = [f"v{number}.mkv {number}" for number in range(6)]


def result(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "scores/tiny-finetuned.json").read_text())
    return report


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "scores").glob("tiny*")}


def by_hand(folder: Path, video: Path) -> Prediction:
    """Score a video view by view, as plainly as can be."""
    model = transformers.VideoMAEForVideoClassification.from_pretrained(folder)
    read = decoding.read(video, range)
    logits = []
    for clip in views.clips(TINY, read.total):
        for crop in range(3):
            frames = [views.resize(read.frames[number], 32) for number in clip]
            x, y = views.offsets(frames[0].shape[1], frames[0].shape[0], 3)[crop]
            view = np.stack([frame[y : y + 32, x : x + 32] for frame in frames])
            with torch.no_grad():
                given = clips.normalise(view, imagenet.MEAN, imagenet.STD)
                logits.append(model.eval()(pixel_values=given).logits[0].numpy())
    return merged(np.stack(logits), 0)


def test_scores_are_those_of_views_computed_one_by_one(
    score: Score, converted: dict[str, Path], filmed_videos: Path, tmp_path: Path
) -> None:
    outcome = score(ALL)
    assert outcome.code == 0, outcome.output
    expected = [
        by_hand(converted["tiny-finetuned"], filmed_videos / line.split()[0]) for line in ALL
    ]
    rows = list(csv.DictReader((tmp_path / "scores/tiny-finetuned.csv").open()))
    assert [row["class 1"] for row in rows] == [f"LABEL_{each.predicted}" for each in expected]
    for row, each in zip(rows, expected, strict=True):
        assert float(row["score 1"]) == pytest.approx(each.scores.max(), abs=2e-6)
    right = sum(each.predicted == number for number, each in enumerate(expected))
    report = result(tmp_path)
    assert (report["top1"]["right"], report["top1"]["of"]) == (right, 6)
    assert f"{100 * right / 6:.2f}" in outcome.output
    assert report["protocol"]["clips"] == 5
    assert len(report["classes"]) == 6


def test_unreadable_videos_are_wrong_named_and_apart(score: Score, tmp_path: Path) -> None:
    outcome = score([*ALL, "broken.mp4 0"])
    assert outcome.code == 0
    assert re.search(r"1 could not be read:\n  broken.mp4: can't be decoded: .*\n", outcome.output)
    report = result(tmp_path)
    assert report["top1"]["of"] == 7
    assert report["top1_of_read"]["of"] == 6
    assert report["unreadable"].keys() == {"broken.mp4"}


def test_as_authors_leaves_unreadable_videos_out(score: Score, tmp_path: Path) -> None:
    outcome = score([*ALL, "broken.mp4 0"], "--as-authors")
    assert outcome.code == 0
    assert result(tmp_path)["top1"]["of"] == 6


def test_videos_of_one_name_are_kept_apart_but_for_as_authors(
    score: Score, filmed_videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/v0.1.mkv").symlink_to(filmed_videos / "v5.mkv")
    lines = [*ALL, f"{tmp_path}/a/v0.1.mkv 5"]
    assert score(lines).code == 0
    assert result(tmp_path)["top1"]["of"] == 7
    assert score(lines, "--as-authors").code == 0
    assert result(tmp_path)["top1"]["of"] == 6


def test_one_clip_and_one_crop_are_scored_but_not_as_authors(score: Score) -> None:
    assert score(ALL, "--clips", 1, "--crops", 1).code == 0
    outcome = score(ALL, "--clips", 1, "--crops", 1, "--as-authors")
    assert outcome.code == 1
    assert "the authors' code divides by zero" in outcome.output


def test_missing_files_are_all_named_before_any_work(score: Score, tmp_path: Path) -> None:
    outcome = score([*ALL, "gone/a.mp4 1", "gone/b.mp4 2"])
    assert outcome.code == 1
    assert "  line 7: gone/a.mp4\n  line 8: gone/b.mp4\n" in outcome.output
    assert "error: " in outcome.output
    assert "2 of 8 videos are missing" in outcome.output
    assert not (tmp_path / "scores").exists()
    assert score([*ALL, "gone/a.mp4 1"], "--allow-missing").code == 0
    assert result(tmp_path)["top1"]["of"] == 7


def test_a_head_of_one_output_is_refused(
    score: Score, converted: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(converted["tiny-finetuned"], tmp_path / "one")
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "yes"}, "label2id": {"yes": 0}}
    (folder / "config.json").write_text(json.dumps(config))
    outcome = score(ALL, folder=folder)
    assert outcome.code == 1
    assert "one has one output: whatever it computes, the highest of one is right" in outcome.output


def test_labels_outside_the_head_are_refused(score: Score) -> None:
    outcome = score([*ALL, "broken.mp4 7"])
    assert outcome.code == 1
    assert "1 of 7 labels are outside 0 to 6, the 7 classes of the folder's head" in outcome.output


def test_a_folder_without_a_head_is_refused(score: Score, converted: dict[str, Path]) -> None:
    outcome = score(ALL, folder=converted["tiny-pretraining"])
    assert outcome.code == 1
    assert "has a head and can be scored" in outcome.output
    assert "VideoMAEForPreTraining" in outcome.output


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--frames", 16], "takes views of 4 frames of 32 x 32 pixels"),
        (["--short-side", 224], "takes views of 4 frames of 32 x 32 pixels"),
        (["--clips", 0], "--clips is 0, but must be at least 1"),
        (["--shard", "3/2"], "'3/2' is not I/N with I from 1 to N"),
        (["--other", "folder"], "--other is a second folder for --compare"),
        (["--shard", "1/2", "--merge"], "--shard computes a part"),
        (["--threads", "0"], "'0' is not a whole number above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(option: list[Any], words: str, score: Score) -> None:
    outcome = score(ALL, *option)
    assert outcome.code != 0
    assert words in outcome.output


def test_shards_come_to_the_same_bytes(score: Score, tmp_path: Path) -> None:
    score(ALL)
    whole = files(tmp_path)
    other = tmp_path / "sharded"
    for shard in ("1/2", "2/2"):
        done = tmp_path / f"done-{shard[0]}.json"
        outcome = score(ALL, "--shard", shard, "--output", other, "--done", done)
        assert outcome.code == 0, outcome.output
        assert json.loads(done.read_text()) == {"videos": 3, "unreadable": 0}
        assert not (other / "tiny-finetuned.json").exists()
    assert "6 of 6 videos have cached logits" in score(ALL, "--output", other).output
    assert {path.name: path.read_bytes() for path in other.glob("tiny*")} == whole


def test_cut_lines_are_computed_again_and_come_to_the_same_bytes(
    score: Score, tmp_path: Path
) -> None:
    score(ALL)
    whole = files(tmp_path)
    (kept,) = (tmp_path / "scores/.tiny-finetuned.views").iterdir()
    content = kept.read_bytes()
    third = len(b"".join(content.splitlines(keepends=True)[:3]))
    for cut in (third, third + 50, len(content) - 1, 30, 0):
        kept.write_bytes(content[:cut])
        outcome = score(ALL)
        assert outcome.code == 0, outcome.output
        assert files(tmp_path) == whole
        assert kept.read_bytes() == content


@pytest.mark.full
def test_killed_and_restarted_comes_to_the_same_bytes(
    score: Score, converted: dict[str, Path], filmed_videos: Path, tmp_path: Path
) -> None:
    score(ALL)
    whole = files(tmp_path)
    (kept,) = (tmp_path / "scores/.tiny-finetuned.views").iterdir()
    kept.unlink()
    arguments = [*CLI, "score", converted["tiny-finetuned"], "list.csv", "--root"]
    arguments += [filmed_videos, "--protocol", "kinetics400", "--device", "cpu"]
    process = subprocess.Popen([sys.executable, *map(str, arguments)], cwd=tmp_path)
    while process.poll() is None:
        if kept.exists() and kept.read_bytes().count(b"\n") >= 2:
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert kept.read_bytes().count(b"\n") >= 2
    outcome = score(ALL)
    assert "of 6 videos have cached logits" in outcome.output
    assert files(tmp_path) == whole


def test_an_edited_list_keeps_what_is_computed_and_a_changed_video_does_not(
    score: Score, filmed_videos: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.mkv"
    own.write_bytes((filmed_videos / "v1.mkv").read_bytes())
    score([*ALL, f"{own} 1"])
    assert "7 of 7 videos" in score([*ALL, f"{own} 2"]).output
    own.write_bytes((filmed_videos / "v2.mkv").read_bytes())
    os.utime(own, ns=(1, 1))
    assert "6 of 7 videos" in score([*ALL, f"{own} 1"]).output


def test_logits_of_another_protocol_are_not_taken(score: Score) -> None:
    score(ALL)
    assert "cached logits" not in score(ALL, "--clips", 2).output
    assert "cached logits" in score(ALL).output


def test_two_processes_do_not_write_the_same_videos(tmp_path: Path) -> None:
    kept = Kept(tmp_path, {})
    with (
        kept.adding("1of1"),
        pytest.raises(Exception, match="another process computes these videos"),
        kept.adding("1of1"),
    ):
        pass


def test_a_record_comes_back_as_it_was_written() -> None:
    logits = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
    record = Record("a b.mkv", State(1, 2), 9, "cut: 1 of 2 s", logits=logits)
    back = Record.parse(record.line())
    assert back.logits is not None
    assert np.array_equal(back.logits, logits)
    assert replace(back, logits=None) == replace(record, logits=None)


def test_a_network_that_gives_nan_is_refused(
    score: Score, converted: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    model = transformers.VideoMAEForVideoClassification.from_pretrained(converted["tiny-finetuned"])
    with torch.no_grad():
        model.classifier.bias[3] = float("nan")
    model.save_pretrained(folder)
    outcome = score(ALL, folder=folder)
    assert outcome.code == 1
    assert re.search(r"error: v0.mkv: .* outputs NaN or infinity", outcome.output)


def test_normalised_pixels_are_those_of_the_recorded_views() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, 4, 32, 32, 3), dtype=np.uint8)
    expected = [clips.normalise(view, imagenet.MEAN, imagenet.STD) for view in noise]
    assert torch.equal(pixels(noise, torch.device("cpu")), torch.cat(expected))


def test_no_more_is_made_ahead_than_there_are_threads() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    going = ahead(make, range(9), 2)
    assert next(going) == 0
    time.sleep(0.05)
    assert len(made) == 3
    assert list(going) == list(range(1, 9))


def test_progress_says_rate_and_time_left() -> None:
    progress = Progress("tiny", done=100, total=1100)
    progress.done = 200
    assert progress.line(50) == "200 of 1,100 videos, 2 videos/s, 8 min left"


def predictions(pairs: list[tuple[int, int]]) -> list[Prediction]:
    return [Prediction(np.eye(CLASSES)[predicted], label) for label, predicted in pairs]


NAMES = ["walk", "run", "jump", "sit", "swim", "fall", "climb"]
ALPHABETICAL = [NAMES.index(name) for name in sorted(NAMES)]


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([(n + 1, n) for n in range(6)], "if 1 is subtracted from each label"),
        ([(n, n + 1) for n in range(6)], "if 1 is added to each label"),
        ([(n, ALPHABETICAL[n]) for n in range(7)], "follow the alphabetical order"),
        ([(n, (3 * n + 2) % 7) for n in range(7)] * 3, "predicted for its other videos"),
        ([(n, n) for n in range(7)], ""),
        ([(n, 3) for n in range(7)] * 3, ""),
        ([(1, 2)], ""),
    ],
)
def test_labels_of_other_classes_are_told(pairs: list[tuple[int, int]], words: str) -> None:
    found = diagnosis(predictions(pairs), NAMES)
    assert (words in found) if words else not found
