"""Decodes videos with PyAV, frame by frame; only the needed frames stay in memory.

As the authors' decoder (decord) gives them: RGB, turned as the file says, as many as there are.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from videomae.errors import one_line
from videomae.score.views import Frame

av.logging.set_level(av.logging.PANIC)  # what is wrong with a file is said once, by its name

# What a container says it lasts may differ a little from its last frame's end.
LACKING = 0.05


class UnreadableError(Exception):
    """A file without a readable video; the text says why."""


class Video(NamedTuple):
    """A video's frames by their number, of how many, and what its end lacks if it is cut."""

    frames: dict[int, Frame]
    total: int
    lacking: str


def read(
    path: Path,
    wanted: Callable[[int], Iterable[int]],
    change: Callable[[Frame], Frame] = lambda frame: frame,
) -> Video:
    """Return the wanted frames of a video, each changed after it is decoded.

    Raises `UnreadableError` for a file without them.
    """
    try:
        total, lacking = _counted(path)
        frames, decoded = _decoded(path, set(wanted(total)), change)
        if decoded not in (0, total):  # packets that show nothing, or that show more than one
            total = decoded
            frames, decoded = _decoded(path, set(wanted(total)), change)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise UnreadableError(f"can't be decoded: {_said(error)}") from error
    if not decoded:
        raise UnreadableError("no frame can be decoded")
    if len({frame.shape for frame in frames.values()}) > 1:
        raise UnreadableError("its frames have different sizes")
    return Video(frames, total, lacking)


def _counted(path: Path) -> tuple[int, str]:
    """Return the number of frames without decoding, and what a truncated file lacks.

    An mp4 that lacks frames of its own table is refused, as by decord. Other containers tell only
    how long they last, and decord takes what is there.
    """
    with av.open(str(path)) as container:
        stream = _stream(container)
        count, end = 0, 0.0
        for packet in container.demux():
            if packet.size and packet.stream is stream:
                count += 1
            if packet.size and packet.pts is not None and packet.time_base:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if not count:
            raise UnreadableError("the video has no frames")
        if count < stream.frames:
            raise UnreadableError(f"truncated: it has {count} of {stream.frames} frames")
        declared = (container.duration or 0) / av.time_base
        begin = max(container.start_time or 0, 0) / av.time_base
        cut = declared - (end - begin) > max(LACKING * declared, 0.5)
        return count, f"truncated: it has {end - begin:.1f} of {declared:.1f} s" if cut else ""


def _decoded(
    path: Path, wanted: set[int], change: Callable[[Frame], Frame]
) -> tuple[dict[int, Frame], int]:
    """Decode all frames, convert and hold the wanted ones, and count them."""
    frames: dict[int, Frame] = {}
    number = -1
    with av.open(str(path)) as container:
        for number, frame in enumerate(_shown(container)):
            if number in wanted:
                frames[number] = change(_pixels(frame))
    return frames, number + 1


def _shown(container: InputContainer) -> Iterator[VideoFrame]:
    stream = _stream(container)
    stream.thread_count = 1  # videos are decoded in threads already
    for frame in container.decode(stream):
        if isinstance(frame, VideoFrame):
            yield frame


def _stream(container: InputContainer) -> av.VideoStream:
    if not container.streams.video:
        held = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise UnreadableError(f"the file has no video, only {held}")
    return container.streams.video[0]


def _pixels(frame: VideoFrame) -> Frame:
    """Turn a frame into RGB, and by quarters as its metadata says; PyAV counts them as np.rot90."""
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _said(error: Exception) -> str:
    """Return the decoder's reason without the path, and without a log that threads share."""
    return one_line(getattr(error, "strerror", None) or str(error), most=300)
