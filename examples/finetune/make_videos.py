"""Write small synthetic videos of two classes, and lists of them: ``make_videos.py FOLDER``.

Moving stripes are vertical or horizontal. Each list has a line ``PATH LABEL`` for a video.
"""

import sys
from pathlib import Path

import av
import numpy as np

LABELS = ("vertical", "horizontal")
NUMBERS = {"train": range(24), "test": range(24, 36)}
FRAMES, SIDE = 16, 48


def write(path: Path, horizontal: bool, phase: int) -> None:
    """Write stripes that move four pixels a frame."""
    columns = np.arange(SIDE)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for frame in range(FRAMES):
            row = (255 * ((columns + 4 * frame + phase) // 8 % 2)).astype(np.uint8)
            grey = np.tile(row, (SIDE, 1))
            picture = np.stack([grey.T if horizontal else grey] * 3, axis=2)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def main(folder: Path) -> None:
    """Write all videos and both lists."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, numbers in NUMBERS.items():
        lines = []
        for number in numbers:
            label = number % len(LABELS)
            write(folder / f"{number}.mp4", label == 1, phase=5 * number)
            lines.append(f"{number}.mp4 {label}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
