"""What does a model make of a clip?  The pictures of a variant's page in the report."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch import Tensor

from videomae.convert import model_folder
from videomae.model.architecture import Kind
from videomae.model.pixels import of as pixels_of
from videomae.verify import clips
from videomae.verify.comparison import MASK_RATIO
from videomae.verify.reference import patch_statistics, patches

TIMES = 4  # frames that a strip shows, evenly over the clip
SIDE, GAP = 224, 6  # pixels of a frame in a strip, at least, and between two
TOP = 5
GREY = 0.5  # where a token is hidden


@dataclass(frozen=True)
class Pictures:
    """What a page shows: strips of frames by their captions, as data URIs, and the top labels."""

    strips: dict[str, str] = field(default_factory=dict)
    top: list[tuple[str, float]] = field(default_factory=list)


@torch.no_grad()
def draw(folder: Path, kind: Kind, clip: clips.Clip) -> Pictures:
    """Run a folder's model on a clip, uint8 (frames, height, width, 3), and draw what comes out.

    Of a longer or shorter clip as many frames are taken as the model needs, evenly.
    """
    transformers.utils.logging.disable_progress_bar()
    model = getattr(transformers, model_folder.CLASSES[kind]).from_pretrained(
        folder, dtype=torch.float32, trust_remote_code=False
    )
    processor = transformers.AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
    chosen = np.linspace(0, len(clip) - 1, model.config.num_frames).round().astype(int)
    pixels = processor(list(clip[chosen]), return_tensors="pt")["pixel_values"]
    usual = pixels_of(model_folder.read_json(folder / model_folder.PROCESSOR))
    frames = clips.denormalise(pixels, usual.mean, usual.std) / usual.largest
    frames = frames.clamp(0, 1)
    if kind == "pretraining":
        return Pictures(_reconstruction(model, pixels, frames))
    top = _top(model, pixels) if model.config.num_labels and kind == "classifier" else []
    return Pictures({"the clip": strip(frames)}, top)


def _reconstruction(model: Any, pixels: Tensor, frames: Tensor) -> dict[str, str]:
    """Draw the clip, what of it the model sees, and what it makes of the rest."""
    config = vars(model.config)
    mask = clips.tube_mask(config, MASK_RATIO)
    predicted = model(pixels, bool_masked_pos=mask).logits
    seen = f"visible to the model: {1 - mask.float().mean():.0%}"
    made = "reconstructed by the model"
    if config["norm_pix_loss"]:
        made += "; the mean and deviation of each patch are the original's"
    return {
        "original": strip(frames),
        seen: strip(hide(frames, mask, config)),
        made: strip(fill(frames, mask, predicted, config)),
    }


def hide(frames: Tensor, mask: Tensor, config: Mapping[str, Any]) -> Tensor:
    """Make the hidden tokens grey: (1, frames, channels, height, width), values in 0..1."""
    cut = patches(frames, config)
    return _joined(cut.masked_fill(mask[:, :, None, None], GREY), frames, config)


def fill(frames: Tensor, mask: Tensor, predicted: Tensor, config: Mapping[str, Any]) -> Tensor:
    """Put what was predicted, (1, hidden tokens, pixels x channels), where tokens are hidden.

    With ``norm_pix_loss`` a model predicts each patch without its mean and deviation, which are
    taken from the original, as the authors do for their pictures.
    """
    cut = patches(frames, config)
    found = predicted.reshape(-1, *cut.shape[2:])
    if config["norm_pix_loss"]:
        average, deviation = (each[mask] for each in patch_statistics(cut))
        found = found * deviation + average
    cut = cut.clone()
    cut[mask] = found.clamp(0, 1)
    return _joined(cut, frames, config)


def _joined(cut: Tensor, like: Tensor, config: Mapping[str, Any]) -> Tensor:
    """Put patches together again, the reverse of `patches`."""
    batch, time, channels, height, width = like.shape
    t, p = config["tubelet_size"], config["patch_size"]
    apart = cut.reshape(batch, time // t, height // p, width // p, t, p, p, channels)
    # batch, time, rows, columns, t, h, w, c -> batch, time, t, channels, rows, h, columns, w
    return apart.permute(0, 1, 4, 7, 2, 5, 3, 6).reshape(like.shape)


def _top(model: Any, pixels: Tensor) -> list[tuple[str, float]]:
    """Return the most likely labels with their probabilities."""
    probabilities = model(pixels).logits[0].softmax(-1)
    best = probabilities.topk(min(TOP, len(probabilities)))
    names = model.config.id2label
    return [
        (names[number], value)
        for value, number in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def strip(frames: Tensor) -> str:
    """Set some frames, (1, frames, 3, height, width) in 0..1, side by side; as a data URI."""
    times = np.linspace(0, frames.shape[1] - 1, min(TIMES, frames.shape[1])).round().astype(int)
    shown = (frames[0, times] * 255).round().byte().permute(0, 2, 3, 1).numpy()
    side = max(SIDE, shown.shape[1])
    picture = Image.new("RGB", (len(shown) * (side + GAP) - GAP, side), "white")
    for number, pixels in enumerate(shown):
        one = Image.fromarray(pixels).resize((side, side), Image.Resampling.NEAREST)
        picture.paste(one, (number * (side + GAP), 0))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
