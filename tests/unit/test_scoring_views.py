"""The views of a video: frames, sizes, offsets and pixels, as the authors' code was recorded."""

import hashlib
import itertools
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from videomae.errors import ConversionError
from videomae.model import datasets, imagenet
from videomae.score import decoding, protocols, views
from videomae.score.protocols import PROTOCOLS, Protocol
from videomae.verify import clips

from tests import filmed
from tests.conftest import DATA

RECORDED: dict[str, Any] = json.loads((DATA / "views.json").read_text())
DENSE, SEGMENTS = PROTOCOLS["kinetics400"], PROTOCOLS["ssv2"]


def sha(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def normalised(view: views.Frame) -> Any:
    """Give a view's pixels as the authors arrange them: (3, frames, side, side)."""
    (pixels,) = clips.normalise(view, imagenet.MEAN, imagenet.STD)
    return pixels.transpose(0, 1).numpy()


@pytest.mark.parametrize("name", RECORDED["videos"])
def test_every_recorded_view_comes_out_equal_bit_by_bit(name: str, tmp_path: Path) -> None:
    facts = RECORDED["videos"][name]
    path = filmed.recorded(tmp_path, name, facts)
    rule = (filmed.frame(n, facts["width"], facts["height"]) for n in range(facts["frames"]))
    assert sha(np.stack(list(rule))) == facts["sha_rgb"]
    for protocol in (DENSE, SEGMENTS):
        expected = facts[protocol.name]
        protocol = replace(protocol, short_side=facts["short_side_size"])
        loaded = views.loaded(protocol, facts["frames"])
        assert loaded == expected["loaded"]
        assert views.clips(protocol, facts["frames"]) == expected["clips"]
        resize = partial(views.resize, short_side=protocol.short_side)
        video = decoding.read(path, partial(views.loaded, protocol), resize)
        assert (video.total, video.lacking) == (facts["frames"], "")
        height, width = video.frames[0].shape[:2]
        assert [width, height] == expected["resized_wh"]
        offsets = views.offsets(width, height, protocol.crops)
        cut = views.cut(protocol, video.total, video.frames)
        found = [
            [
                which // protocol.crops,
                which % protocol.crops,
                *offsets[which % protocol.crops],
                sha(cut.pixels[number]),
                sha(normalised(cut.pixels[number])),
            ]
            for which, number in enumerate(cut.which)
        ]
        assert found == expected["views"]


def test_frames_follow_the_recorded_rule_for_every_length() -> None:
    for total in range(1, 2001):
        last = -(-total // 4) - 1
        starts = [k * (max(last + 1, 16) - 16) // 4 for k in range(5)]
        dense = [[4 * min(start + i, last) for i in range(16)] for start in starts]
        assert views.clips(DENSE, total) == dense
        segments = [[total * (2 * i + k) // 32 for i in range(16)] for k in range(2)]
        assert views.clips(SEGMENTS, total) == segments


def test_one_clip_and_one_crop_are_in_the_middle() -> None:
    one = replace(DENSE, clips=1, crops=1)
    assert views.clips(one, 164)[0][0] == 4 * ((41 - 16) // 2)
    assert views.offsets(42, 32, 1) == [(5, 0)]
    assert views.clips(replace(SEGMENTS, clips=1), 160) == [list(range(0, 160, 10))]


@pytest.mark.parametrize("clips", [1, 2, 3, 7])
def test_any_number_of_clips_of_segments_has_its_frames(clips: int) -> None:
    found = views.clips(replace(SEGMENTS, clips=clips), 100)
    assert [len(clip) for clip in found] == [16] * clips
    assert sorted(itertools.chain(*found)) == [100 * i // (16 * clips) for i in range(16 * clips)]


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (replace(DENSE, clips=1), "divides by zero"),
        (replace(SEGMENTS, crops=1), "divides by zero"),
        (replace(SEGMENTS, clips=3), "clips of wrong lengths"),
    ],
)
def test_what_the_authors_code_cannot_do_is_refused_by_name(protocol: Protocol, words: str) -> None:
    with pytest.raises(ConversionError, match=words):
        protocols.refuse_untestable(protocol)


def test_protocols_are_those_that_cards_state() -> None:
    for title, name in protocols.OF_DATA_SET.items():
        stated, protocol = datasets.protocol(title), PROTOCOLS[name]
        if stated:
            assert (stated.clips, stated.crops) == (protocol.clips, protocol.crops)


@pytest.mark.parametrize("size", [(64, 48), (54, 72), (341, 255), (20, 26), (50, 50)])
def test_resizing_is_the_recorded_fixed_point(size: tuple[int, int]) -> None:
    """OpenCV's bilinear on uint8, as the protocol's README writes it out in integers."""
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    wide, high = views.resized(width, height, 32)
    assert np.array_equal(views.resize(noise, 32), _fixed_point(noise, wide, high))


def _fixed_point(image: views.Frame, width: int, height: int) -> Any:
    left, right, across, past = _weights(width, image.shape[1])
    across[past] = [2048, 0]
    rows = image[:, left] * across[:, :1] + image[:, right] * across[:, 1:]
    above, below, down, _ = _weights(height, image.shape[0])
    parts = [
        (weight[:, None, None] * (rows[at] >> 4)) >> 16
        for at, weight in ((above, down[:, 0]), (below, down[:, 1]))
    ]
    return ((parts[0] + parts[1] + 2) >> 2).astype(np.uint8)


def _weights(to: int, of: int) -> Any:
    source = np.float32((np.arange(to) + 0.5) * of / to - 0.5)
    first = np.floor(source).astype(int)
    part = source - first
    weights = np.rint(np.stack([1 - part, part], axis=1) * np.float32(2048)).astype(int)
    past = (first < 0) | (first >= of - 1)
    return first.clip(0, of - 1), (first + 1).clip(0, of - 1), weights, past


def test_a_frame_of_the_right_size_is_left_as_it_is() -> None:
    frame = filmed.frame(0, 42, 32)
    assert views.resize(frame, 32) is frame


def test_same_views_are_cut_once() -> None:
    protocol = replace(DENSE, short_side=32)
    frames = {number: filmed.frame(number, 32, 32) for number in views.loaded(protocol, 64)}
    cut = views.cut(protocol, 64, frames)
    assert len(cut.pixels) == 1
    assert cut.which == [0] * 15
    assert torch.from_numpy(cut.pixels).shape == (1, 16, 32, 32, 3)
