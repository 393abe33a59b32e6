"""Videos that anyone can make, by the rule that the recorded views are of."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.stream import Disposition
from videomae.score.views import Frame

RATE = 25
# Without loss, so that the pixels are the rule's.
LOSSLESS = {
    "libx264rgb": {"crf": "0", "preset": "ultrafast", "threads": "1"},
    "libvpx-vp9": {"lossless": "1", "deadline": "realtime", "threads": "1"},
}


def frame(number: int, width: int, height: int) -> Frame:
    """Make a frame: (height, width, 3)."""
    y, x, c = np.ogrid[:height, :width, :3]
    t = number
    return np.asarray(
        (7 * t + (c + 1 + t % 5) * x + 2 * (3 - c) * y + (x * y) // 4) % 256, dtype=np.uint8
    )


def film(
    path: Path,
    width: int = 64,
    height: int = 48,
    frames: int = 20,
    codec: str = "libx264rgb",
    pix_fmt: str = "rgb24",
    container: Mapping[str, str] | None = None,
    first: int = 0,
    times: Sequence[int] | None = None,
) -> Path:
    """Write a video of the rule's frames from the ``first`` on, at the ``times`` in frames."""
    options = LOSSLESS.get(codec, {})
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", container_options=dict(container or {})) as file:
        stream = cast(av.VideoStream, file.add_stream(codec, rate=RATE, options=dict(options)))
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        for number in range(frames):
            made = av.VideoFrame.from_ndarray(frame(first + number, width, height), format="rgb24")
            made.pts, made.time_base = times[number] if times else number, Fraction(1, RATE)
            file.mux(stream.encode(made))
        file.mux(stream.encode())
    return path


def recorded(folder: Path, name: str, facts: Mapping[str, int]) -> Path:
    """Make one of the videos that views were recorded of."""
    of = (folder / name, facts["width"], facts["height"], facts["frames"])
    return film(*of, codec="ffv1", pix_fmt="bgr0") if name.startswith("ffv1") else film(*of)


def sound(path: Path) -> Path:
    """Write a file with sound alone."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), dtype=np.int16), format="s16", layout="mono"
        )
        silence.rate = 8000
        file.mux(stream.encode(silence))
        file.mux(stream.encode())
    return path


def turned(path: Path, source: Path, degrees: int) -> Path:
    """Copy a video, with metadata that says it is to be turned."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


def sound_with_cover(path: Path) -> Path:
    """Write an mp4 file of sound and a cover picture."""
    with av.open(str(path), "w") as file:
        audio = file.add_stream("aac", rate=8000)
        picture = file.add_stream("mjpeg", rate=1)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
        picture.disposition = Disposition.attached_pic
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), dtype=np.float32), format="fltp", layout="mono"
        )
        silence.rate = 8000
        made = av.VideoFrame.from_ndarray(frame(0, 64, 48), format="rgb24").reformat(
            format="yuvj420p"
        )
        for packets in (audio.encode(silence), audio.encode(), picture.encode(made)):
            file.mux(packets)
        file.mux(picture.encode())
    return path
