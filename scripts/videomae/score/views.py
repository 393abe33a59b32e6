"""Selects the frames and pixels of each view.

Frames, sizes and offsets are those of the authors' kinetics.py (dense) and ssv2.py (segments) at
test time. The tests hold them, and the pixels, to what their code was recorded to give.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np

from videomae.score.protocols import Protocol

Frame = np.ndarray[Any, np.dtype[np.uint8]]  # (height, width, 3), RGB
# Of views: uint8 as they are cut, (views, frames, side, side, 3), or float32 as the network takes
# them, (views, frames, 3, side, side).
Pixels = np.ndarray[Any, np.dtype[Any]]

cv2.setNumThreads(0)  # videos are resized in threads already


class Offset(NamedTuple):
    """Where in a frame a crop begins, in pixels."""

    x: int
    y: int


def loaded(protocol: Protocol, total: int) -> list[int]:
    """Return the frames of a video of ``total`` that its clips are taken from, in order.

    Dense: every ``rate``-th, the last of them again until there are enough for a clip. Segments:
    the beginnings of as many equal parts as all clips have frames.
    """
    if protocol.sampling == "segments":
        parts = protocol.clips * protocol.frames
        return [total * part // parts for part in range(parts)]
    frames = list(range(0, total, protocol.rate))
    return frames + frames[-1:] * (protocol.frames - len(frames))


def clips(protocol: Protocol, total: int) -> list[list[int]]:
    """Return the frames of each clip of a video of ``total`` frames.

    Dense clips begin at equal distances, the last one ends with what is loaded; a single one is in
    the middle. Clips of segments take turns.
    """
    frames = loaded(protocol, total)
    if protocol.sampling == "segments":
        return [frames[clip :: protocol.clips] for clip in range(protocol.clips)]
    starts = _spread(len(frames) - protocol.frames, protocol.clips)
    return [frames[start : start + protocol.frames] for start in starts]


def resized(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Return width and height with the shorter side as asked, the longer one rounded down."""
    if width >= height:
        return short_side * width // height, short_side
    return short_side, short_side * height // width


def offsets(width: int, height: int, crops: int) -> list[Offset]:
    """Return where each square crop of a frame begins: along the longer side, at equal distances.

    Of a square frame all are the same; a single one is in the middle.
    """
    along = _spread(abs(width - height), crops)
    return [Offset(at, 0) if width > height else Offset(0, at) for at in along]


def _spread(room: int, number: int) -> list[int]:
    """Return so many offsets from 0 to ``room``, rounded down in floats as the authors do."""
    if number == 1:
        return [room // 2]
    return [int(each * (room / (number - 1))) for each in range(number)]


def resize(frame: Frame, short_side: int) -> Frame:
    """Resize by OpenCV's bilinear interpolation, without antialiasing; larger or smaller."""
    height, width = frame.shape[:2]
    size = resized(width, height, short_side)
    if size == (width, height):
        return frame
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


class Cut(NamedTuple):
    """The distinct views of a video, and the index of the view for each (clip, crop).

    Of a short or a square video many are the same, and one is enough for the model.
    """

    pixels: Pixels
    which: list[int]


def cut(protocol: Protocol, total: int, frames: Mapping[int, Frame]) -> Cut:
    """Cut the views of a video from its frames, resized already, by their number."""
    height, width = next(iter(frames.values())).shape[:2]
    taken = [
        (tuple(clip), offset)
        for clip in clips(protocol, total)
        for offset in offsets(width, height, protocol.crops)
    ]
    different = list(dict.fromkeys(taken))
    side = protocol.short_side
    pixels = np.empty((len(different), protocol.frames, side, side, 3), dtype=np.uint8)
    for view, (clip, (x, y)) in zip(pixels, different, strict=True):
        for place, number in enumerate(clip):
            view[place] = frames[number][y : y + side, x : x + side]
    return Cut(pixels, [different.index(view) for view in taken])
