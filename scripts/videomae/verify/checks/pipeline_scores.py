"""Checks every label and score of transformers' pipeline for a video file."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import transformers
from torch import Tensor

from videomae.verify.clips import Clip
from videomae.verify.report import Check, at_most

SCORE_TOLERANCE = 1e-4  # absolute, of probabilities; right folders stay below 1e-6


def check(folder: Path, clip: Clip, names: Mapping[int, str], logits: Tensor) -> Check | str:
    """Compare the pipeline's scores of a clip, in a file, with those of its expected logits.

    The file has as many frames as the model takes, of the model's size, so that every way of
    choosing and resizing frames comes to the same pixels. Gives what is missing where the pipeline
    can't read videos in this environment.
    """
    try:
        guesses = _classify(folder, clip, len(names))
    except ImportError as error:
        return " ".join(str(error).split()).partition(".")[0]
    except Exception as error:  # whatever this release raises, a user meets it
        return Check(
            "pipeline", False, message=f"the pipeline fails: {' '.join(str(error).split())}"
        )
    scores = {guess["label"]: guess["score"] for guess in guesses}
    wanted = {names[number]: score for number, score in enumerate(logits.softmax(-1).tolist())}
    differences = {name: abs(scores.get(name, -1) - score) for name, score in wanted.items()}
    worst = max(differences, key=lambda name: differences[name])
    message = f"{worst!r} has a score of {scores.get(worst)}, should have {wanted[worst]:.6g}"
    return at_most("pipeline", differences[worst], SCORE_TOLERANCE, message)


def _classify(folder: Path, clip: Clip, classes: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as place:
        video = Path(place) / "clip.avi"
        _write(video, clip)
        pipeline = transformers.pipeline(
            "video-classification", model=str(folder), trust_remote_code=False
        )
        # Of a narrower folder the rounding of weights is known, not that of computing with them.
        pipeline.model.float()
        guesses: list[dict[str, Any]] = pipeline(str(video), top_k=classes)
    return guesses


def _write(video: Path, clip: Clip) -> None:
    """Write a clip as a video, without loss."""
    import av

    with av.open(str(video), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "bgr0"
        for frame in clip:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        file.mux(stream.encode(None))
