"""Decodes videos with PyAV, frame by frame; only the needed frames stay in memory.

As the authors' decoder (decord) gives them: RGB, turned as the file says, of the stream that
FFmpeg holds for the best, as many as there are. An MP4's edit list may hide frames: decord counts
them too, and gives the last one that is shown in their place.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame

from videomae.errors import one_line
from videomae.score.views import Frame

av.logging.set_level(av.logging.PANIC)  # what is wrong with a file is said once, by its name

# Logits that are cached depend on it: another number for each change of which frames a video has.
FRAMES = 2

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
        total, hidden, lacking = _counted(path)
        frames, decoded = _decoded(path, set(wanted(total)), change)
        # Packets that show nothing, or that show more than one.
        if decoded not in (0, total) and not hidden:
            total = decoded
            frames, decoded = _decoded(path, set(wanted(total)), change)
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise UnreadableError(f"can't be decoded: {_said(error)}") from error
    if not decoded:
        raise UnreadableError("no frame can be decoded")
    if len({frame.shape for frame in frames.values()}) > 1:
        raise UnreadableError("its frames have different sizes")
    return Video(frames, total, lacking)


def _counted(path: Path) -> tuple[int, int, str]:
    """Return the number of frames without decoding, of hidden ones, and what a cut file lacks.

    An mp4 that lacks frames of its own table is refused, as by decord. Other containers tell only
    how long they last, and decord takes what is there.
    """
    with _opened(path) as container:
        stream = _stream(container)
        count, hidden, end = 0, 0, 0.0
        for packet in container.demux():
            if packet.size and packet.stream is stream:
                count += 1
                hidden += packet.is_discard
            if packet.size and packet.pts is not None and packet.time_base:
                end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if not count:
            raise UnreadableError("the video has no frames")
        # An edit list takes frames out of the demuxer's table, and leaves the stream's own count.
        expected = min(stream.frames, len(stream.index_entries))
        if count < expected:
            raise UnreadableError(f"truncated: it has {count} of {expected} frames")
        declared = (container.duration or 0) / av.time_base
        begin = max(container.start_time or 0, 0) / av.time_base
        cut = declared - (end - begin) > max(LACKING * declared, 0.5)
        lacking = f"truncated: it has {end - begin:.1f} of {declared:.1f} s" if cut else ""
        return count, hidden, lacking


def _decoded(
    path: Path, wanted: set[int], change: Callable[[Frame], Frame]
) -> tuple[dict[int, Frame], int]:
    """Decode all frames, convert and hold the wanted ones, and count them.

    Of wanted frames that are not shown each is the last one that is.
    """
    frames: dict[int, Frame] = {}
    number, frame = -1, None
    with _opened(path) as container:
        for number, frame in enumerate(_shown(container)):
            if number in wanted:
                frames[number] = change(_pixels(frame))
        beyond = [each for each in wanted if each > number]
        if frame and beyond:
            frames |= dict.fromkeys(beyond, change(_pixels(frame)))
    return frames, number + 1


def _opened(path: Path) -> InputContainer:
    """Open a video; FFmpeg takes what comes before a colon in a relative path for a protocol."""
    return av.open(str(path.absolute()))


def _shown(container: InputContainer) -> Iterator[VideoFrame]:
    stream = _stream(container)
    stream.thread_count = 1  # videos are decoded in threads already
    for frame in container.decode(stream):
        if isinstance(frame, VideoFrame):
            yield frame


def _stream(container: InputContainer) -> av.VideoStream:
    stream = container.streams.best("video")
    cover = stream and stream.disposition & Disposition.attached_pic  # a picture beside the sound
    if not isinstance(stream, av.VideoStream) or cover:
        held: list[str] = sorted({each.type for each in container.streams} - {"video"})
        held += ["a cover picture"] if cover else []
        raise UnreadableError(f"the file has no video, only {', '.join(held) or 'nothing'}")
    return stream


def _pixels(frame: VideoFrame) -> Frame:
    """Turn a frame into RGB, and by quarters as its metadata says; PyAV counts them as np.rot90."""
    pixels = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _said(error: Exception) -> str:
    """Return the decoder's reason without the path, and without a log that threads share."""
    return one_line(getattr(error, "strerror", None) or str(error), most=300)
