"""Which videos show what is right and wrong?  A strip of frames of some, for the report."""

import base64
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from videomae.score import decoding, views
from videomae.score.merge_views import BEST
from videomae.score.results import Outcome, Scored

EACH = 3  # of the right ones and of the wrong ones
TIMES = 4  # frames of a strip, evenly over the video
SIDE = 112  # pixels of a frame's shorter side


def choose(outcome: Outcome) -> list[Scored]:
    """Choose those that are wrong, then right, each by the scores that are the most sure."""
    read = [video for video in outcome.videos if video.prediction]
    sure = sorted(read, key=lambda video: -_best(video))
    wrong = [video for video in sure if video.prediction and not video.prediction.right]
    right = [video for video in sure if video.prediction and video.prediction.right]
    return wrong[:EACH] + right[:EACH]


def content(outcome: Outcome, chosen: Sequence[Scored], root: Path) -> Iterator[dict[str, Any]]:
    """Return each as JSON values: its path, its label, the likeliest classes, a picture."""
    for video in chosen:
        if video.prediction:
            scores, best = video.prediction.scores, video.prediction.order[:BEST]
            yield {
                "video": video.record.path,
                "label": outcome.names[video.label],
                "right": video.prediction.right,
                "top": [[outcome.names[number], float(scores[number])] for number in best],
                "picture": strip(root / video.record.path),
            }


def strip(path: Path) -> str:
    """Return frames of a video side by side, as a data URI of a JPEG."""
    read = decoding.read(path, _evenly, lambda frame: views.resize(frame, SIDE))
    picture = Image.fromarray(np.concatenate(list(read.frames.values()), axis=1))
    picture.save(file := io.BytesIO(), "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _evenly(total: int) -> list[int]:
    return [round(number) for number in np.linspace(0, total - 1, TIMES)]


def _best(video: Scored) -> float:
    return float(video.prediction.scores.max()) if video.prediction else 0.0
