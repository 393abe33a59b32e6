"""What each choice changes, between the authors' way of testing and that of transformers' users."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from videomae.score import compare, preprocessing
from videomae.score.logit_store import Record, State
from videomae.score.protocols import PROTOCOLS
from videomae.score.video_list import Entry

from tests import filmed
from tests.conftest import command

PROTOCOL = replace(PROTOCOLS["kinetics400"], clips=3, crops=3)
SURE, LIKELY = 9.0, 1.0


def logits(*views: tuple[int, float]) -> Record:
    """Make a record of views that are each for one of four classes, by so much."""
    rows = [np.eye(4, dtype=np.float32)[number] * by for number, by in views]
    return Record("v", State(1, 1), logits=np.stack(rows).astype(np.float32))


# Of nine views, clips outer: one is very sure of class 0, the middle clip is for 2, its centre crop
# for 3, and the rest a little for 1.
AUTHORS = logits(
    *[(0, SURE), (1, LIKELY), (1, LIKELY)],
    *[(2, 2.0), (3, 1.5), (2, 2.0)],
    *[(1, LIKELY), (1, LIKELY), (1, LIKELY)],
)


@pytest.mark.parametrize("label", range(4))
def test_each_step_changes_one_choice_more(label: int) -> None:
    found = compare.compare(
        [Entry(1, "v", label)], PROTOCOL, {"v": AUTHORS}, {"v": logits((1, LIKELY))}
    )
    assert [each.step.choice for each in found] == ["none", "merge", "clips", "crops", "resize"]
    predicted = [1, 0, 2, 3, 1]
    assert [each.accuracy.top1.right for each in found] == [label == each for each in predicted]
    assert [each.otherwise for each in found] == [0, 1, 1, 1, 1]


def test_unreadable_videos_are_wrong_in_each_step() -> None:
    entries = [Entry(1, "v", 1), Entry(2, "u", 1)]
    unreadable = Record("u", State(1, 1), unreadable="no video")
    records = {"v": AUTHORS, "u": unreadable}
    found = compare.compare(entries, PROTOCOL, records, {**records, "v": logits((1, 1.0))})
    assert {each.accuracy.top1.of for each in found} == {2}


def test_transformers_way_is_the_processor_on_the_middle_clip(converted: dict[str, Path]) -> None:
    folder = converted["tiny-finetuned"]
    way = preprocessing.Transformers(
        replace(PROTOCOLS["kinetics400"], frames=4, short_side=32), folder
    )
    frames = {number: filmed.frame(number, 64, 48) for number in range(100)}
    assert way.wanted(100) == [40, 44, 48, 52]
    cut = way.cut(100, {number: frames[number] for number in way.wanted(100)})
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    expected = processor([frames[n] for n in (40, 44, 48, 52)], return_tensors="pt")
    assert torch.equal(torch.from_numpy(cut.pixels), expected["pixel_values"])


def test_both_folders_are_compared(converted: dict[str, Path], tmp_path: Path) -> None:
    own, other = converted["tiny-finetuned"], tmp_path / "other"
    model = transformers.VideoMAEForVideoClassification.from_pretrained(own)
    with torch.no_grad():
        model.classifier.bias += 100 * torch.eye(7)[3]
    model.save_pretrained(other)
    transformers.AutoImageProcessor.from_pretrained(own).save_pretrained(other)
    filmed.film(tmp_path / "v.mkv")
    (tmp_path / "list.csv").write_text("v.mkv 3\n")
    options = ("--root", tmp_path, "--output", tmp_path / "scores", "--device", "cpu")
    arguments = (own, tmp_path / "list.csv", "--protocol", "kinetics400", *options)
    outcome = command("score", *arguments, "--compare", "--other", other)
    assert outcome.code == 0, outcome.output
    found = json.loads((tmp_path / "scores/tiny-finetuned.compared.json").read_text())
    assert [step["top1"]["percent"] for step in found["other"]] == [100] * 5
    assert "weights:" in outcome.output
    change = 100 - found["tiny-finetuned"][0]["top1"]["percent"]
    assert f"{change:+.2f}" in outcome.output
