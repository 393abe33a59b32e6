"""Compares a model with recorded outputs, under the conditions of the recording."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from videomae.errors import ConversionError
from videomae.verify import clips
from videomae.verify.checks.function import EPS_EFFECT_LIMIT, POSITIONS_LIMIT, ROUNDING_LIMITS
from videomae.verify.comparison import difference, forward, logits, with_values, worst
from videomae.verify.expected import ExpectedNetwork
from videomae.verify.report import Check, Report
from videomae.verify.training_outputs import checks
from videomae.verify.training_outputs.npz_file import TruthFile

RECORDED_TOLERANCE = 1e-4  # absolute; what the script that recorded the values allowed


@dataclass(frozen=True)
class Recorded:
    """Outputs that someone recorded, and the conditions under which they did.

    ``config`` overrides the folder's config for this check alone: the script that recorded the
    thirteen had another eps, and 16 heads for the small models.
    """

    logits: Tensor
    shape: list[int]
    losses: dict[bool, float]
    clip: str
    mask: str | None
    image_mean: list[float]
    image_std: list[float]
    config: dict[str, Any]

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> "Recorded":
        """Return the recorded outputs of an entry in config.yaml, with all conditions."""
        names = {"norm_pix": True, "raw_pix": False}
        try:
            leading = torch.tensor(entry["logits"], dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConversionError(f"recorded.logits: not numbers, or even rows: {error}") from error
        return cls(
            leading,
            list(entry["shape"]),
            {names[name]: value for name, value in entry.get("loss", {}).items()},
            entry["clip"],
            entry.get("mask"),
            entry["image_mean"],
            entry["image_std"],
            entry.get("config", {}),
        )

    @property
    def files(self) -> dict[str, str]:
        """Return the paths of the clip and the mask, without those that are computed."""
        clip = {} if self.clip == "synthetic" else {"clip": str(self.clip)}
        computed = self.mask is None or str(self.mask).startswith("synthetic:")
        return clip if computed else {**clip, "mask": str(self.mask)}

    def load(self, kind: Any, folder: Path, device: torch.device) -> Any:
        """Load a folder's model of a class with the overrides; raises what transformers raises."""
        config = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=False, **self.config
        )
        model = kind.from_pretrained(
            folder, dtype=torch.float32, config=config, trust_remote_code=False
        )
        return model.eval().to(device)

    def differences(self, model: Any, folder: Path, config: dict[str, Any]) -> dict[str, float]:
        """Run a model with the overrides and compare all that was recorded.

        Raises whatever a clip or mask of other sizes makes transformers raise.
        """
        pixels, mask = self._inputs(model, folder, config)
        pixels, mask = pixels.to(model.device), None if mask is None else mask.to(model.device)
        output = forward(model, pixels, mask)
        found = {"logits": self._of_logits(logits(output))}
        for norm_pix_loss, expected in self.losses.items():
            if norm_pix_loss != model.config.norm_pix_loss:
                with with_values(model.config, norm_pix_loss=norm_pix_loss):
                    loss = forward(model, pixels, mask).loss.item()
            else:
                loss = output.loss.item()
            found[f"loss with norm_pix_loss={norm_pix_loss}"] = abs(loss - expected)
        return found

    def _inputs(
        self, model: Any, folder: Path, config: dict[str, Any]
    ) -> tuple[Tensor, Tensor | None]:
        """Make or load the clip and mask, and normalise by the folder's processor as recorded."""
        if self.clip == "synthetic":
            clip = clips.synthetic_clip(config["num_frames"], config["image_size"])
        else:
            clip = clips.load_clip(self.clip)
        processor = transformers.AutoImageProcessor.from_pretrained(folder, trust_remote_code=False)
        normalisation = {"image_mean": self.image_mean, "image_std": self.image_std}
        pixels = processor(list(clip), return_tensors="pt", **normalisation)["pixel_values"]
        if not isinstance(model, transformers.VideoMAEForPreTraining):
            return pixels, None
        if self.mask is None:
            raise ConversionError("recorded.mask is needed for the outputs of pre-training")
        if self.mask.startswith("synthetic:"):
            return pixels, clips.tube_mask(config, float(self.mask.partition(":")[2]))
        return pixels, clips.load_mask(self.mask)

    def _of_logits(self, logits: Tensor) -> float:
        """Compare the leading logits of the first item; infinite for another shape."""
        if list(logits.shape) != self.shape:
            return float("inf")
        leading = logits[0].cpu()[tuple(slice(size) for size in self.logits.shape)]
        return difference(leading, self.logits)


def check(
    recorded: Recorded,
    kind: Any,
    model: Any | None,
    folder: Path,
    network: ExpectedNetwork,
    report: Report,
    required: bool = True,
) -> Check:
    """Compare with recorded outputs, on a model under the conditions they were recorded in.

    ``model`` is one that is loaded already; without it one of the class ``kind`` is loaded. Unless
    it is ``required``, outputs that differ pass, and ``report`` says so.
    """
    try:
        model = model or recorded.load(kind, folder, network.device)
        differences = recorded.differences(model, folder, network.config)
    except Exception as error:  # a clip or mask of other sizes can fail anywhere
        files = f"the clip {recorded.clip} and the mask {recorded.mask}"
        message = f"the outputs can't be compared with {files}: {error}"
        return Check("recorded outputs", False, message=message)
    name = worst(differences)
    largest = differences[name]
    agrees = largest <= RECORDED_TOLERANCE
    report.recorded = {
        "status": "agrees" if agrees else "differs",
        "max_abs_difference": largest,
        "tolerance": RECORDED_TOLERANCE,
        "conditions": {"clip": recorded.clip, "mask": recorded.mask, **recorded.config},
    }
    message = "" if agrees else _difference_message(recorded, name, largest, report)
    passed = agrees or not required
    return Check("recorded outputs", passed, largest, RECORDED_TOLERANCE, message)


def _difference_message(recorded: Recorded, name: str, largest: float, report: Report) -> str:
    """Return the message; if all other checks passed, it suspects the recording."""
    if not report.passed:
        return f"{name} differ from the recording by {largest:.3g}"
    return (
        f"only the recorded outputs differ: {name} by {largest:.3g} (limit "
        f"{RECORDED_TOLERANCE:g}), but the folder's outputs match the checkpoint to "
        f"{report.max_abs_difference:.3g}. The recording may come from another checkpoint, another "
        f"clip than {recorded.clip} or another mask than {recorded.mask}; to accept this and state "
        "it in the card, set recorded_outputs: warn"
    )


def training_code_checks(
    file: TruthFile, model: Any, network: ExpectedNetwork, report: Report
) -> Iterator[Check]:
    """Compare the reference and a loaded model with what the training code gave."""
    original = network.reference(network.original)
    # What the folder holds differs from the original by its dtype, or by exact positions.
    differs = network.rounded or network.rounded_tables
    stored = network.reference(network.stored) if differs else None
    compared = checks.Truth(file, original, stored)
    try:
        most_rounding = ROUNDING_LIMITS.get(network.dtype, POSITIONS_LIMIT)
        yield from compared.checks(model, report, EPS_EFFECT_LIMIT, most_rounding)
    except Exception as error:  # a model built wrongly can fail anywhere
        yield Check(checks.CHECK, False, message=f"{file.path} can't be compared: {error}")
