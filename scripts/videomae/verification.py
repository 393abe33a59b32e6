"""Does the folder compute what the checkpoint computes?  Checks that each stand on their own.

The folder is judged as transformers' ``from_pretrained`` loads it; the truth is the original state
dict and the independent forward pass in `reference`. A check never repairs and never skips
silently: it gives a value, its limit, and what to look at when it fails.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors import SafetensorError, safe_open
from torch import Tensor

from videomae import checkpoint, clips, folder, imagenet, labels, renaming
from videomae.architecture import Architecture, read_architecture
from videomae.checkpoint import Checkpoint
from videomae.errors import ConversionError, listing
from videomae.files import sha256
from videomae.lockstep import STEP_TOLERANCE, difference, lockstep, scale
from videomae.reference import BEFORE_FINAL_NORM, LOGITS, Reference
from videomae.report import Check, Report, at_most

# transformers builds fc_norm and the decoder's norm with PyTorch's default eps, whatever the config
# says; the authors use 1e-6 there too. No weights can undo that, so like is compared with like.
TRANSFORMERS_FINAL_NORM_EPS = 1e-5

OUTPUT_TOLERANCE = 1e-5  # of the outputs' root mean square; right folders stay below 1e-6
LOSS_TOLERANCE = 1e-5  # relative
EPS_EFFECT_LIMIT = 1e-2  # absolute; 1e-6 to 1.5e-4 on trained models
RECORDED_TOLERANCE = 1e-4  # absolute; what the script that recorded the values allowed
PIXEL_TOLERANCE = 1e-5  # absolute, in normalised pixels, of which one grey level is 0.017

MASK_RATIO = 0.9  # what the authors pre-train with


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
        """Read an entry of config.yaml, its conditions already filled in."""
        names = {"norm_pix": True, "raw_pix": False}
        return cls(
            torch.tensor(entry["logits"]),
            list(entry["shape"]),
            {names[name]: value for name, value in entry.get("loss", {}).items()},
            entry["clip"],
            entry.get("mask"),
            entry["image_mean"],
            entry["image_std"],
            entry.get("config", {}),
        )


class Verification:
    """Verifies one folder against one checkpoint; `run` gives the report."""

    def __init__(
        self,
        variant: str,
        path: Path,
        model_folder: Path,
        given: Mapping[str, Any],
        label_list: Path | None = None,
        recorded: Recorded | None = None,
        recorded_outputs: str = "require",
    ) -> None:
        self.folder = model_folder
        self.label_list = label_list
        self.recorded = recorded
        self.recorded_outputs = recorded_outputs
        self.checkpoint: Checkpoint = checkpoint.open_checkpoint(path)
        self.architecture: Architecture = read_architecture(
            self.checkpoint.shapes, self.checkpoint.args, given
        )
        self.config = self.architecture.config
        self.report = Report(variant, rehearsal=self.checkpoint.synthetic)

    @torch.no_grad()
    def run(self) -> Report:
        """Run every check that can still say something; a folder that doesn't load ends it."""
        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        checks = self.report.checks
        checks += self._config()
        checks += self._processor()
        checks += self._file()
        model, loaded = self._load()
        checks += loaded
        if model is not None:
            checks += self._tensors(model)
            checks += self._function(model)
            checks += self._recorded(model)
        self.report.facts = self._facts()
        return self.report

    # -- the folder's files ------------------------------------------------------------------------

    def _config(self) -> Iterator[Check]:
        """Compare every value of config.json with what the checkpoint and the person say."""
        names = labels.id2label(self.architecture.num_labels or 0, self.label_list)
        expected = folder.model_config(self.architecture, names, self.checkpoint.synthetic)
        label_maps = {name: expected.pop(name, None) for name in ("id2label", "label2id")}
        try:
            found = folder.read_json(self.folder / folder.CONFIG)
        except (ConversionError, OSError) as error:
            yield Check("config", False, message=str(error))
            return
        wrong = [
            f"{name} is {found.get(name)!r}, should be {value!r} ({self._origin(name)})"
            for name, value in expected.items()
            if found.get(name) != value
        ]
        yield Check("config", not wrong, message=listing(wrong))
        if self.architecture.kind == "classifier":
            wrong = [name for name, value in label_maps.items() if found.get(name) != value]
            message = _label_message(found, label_maps, wrong[0]) if wrong else ""
            yield Check("labels", not wrong, message=message)

    def _origin(self, name: str) -> str:
        return self.architecture.origin.get(name, "as in the authors' code")

    def _processor(self) -> Iterator[Check]:
        """Load the processor and compare its pixels with the authors' normalisation of the clip."""
        expected = folder.processor_config(self.architecture)
        clip = clips.synthetic_clip(self.config["num_frames"], self.config["image_size"])
        wanted = clips.normalise(clip, imagenet.MEAN, imagenet.STD)
        try:
            found = folder.read_json(self.folder / folder.PROCESSOR)
            processor = transformers.AutoImageProcessor.from_pretrained(self.folder)
            pixels = processor(list(clip), return_tensors="pt")["pixel_values"]
        except Exception as error:  # whatever a broken processor raises, it is not usable
            yield Check("processor", False, message=f"it does not load: {error}")
            return
        wrong = [
            f"{name} is {found.get(name)!r}, should be {value!r}"
            for name, value in expected.items()
            if found.get(name) != value
        ]
        yield Check("processor config", not wrong, message=listing(wrong))
        yield at_most("processor pixels", difference(pixels, wanted), PIXEL_TOLERANCE)

    def _file(self) -> Iterator[Check]:
        """Hold the weights file against the checkpoint: every name, both biases, bit by bit."""
        try:
            with safe_open(self.folder / folder.WEIGHTS, framework="pt") as file:
                metadata = file.metadata() or {}
                held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            yield Check("weights file", False, message=f"{folder.WEIGHTS} can't be read: {error}")
            return
        rows = renaming.renames(self.architecture)
        missing = [name for row in rows for name in row.targets if name not in held]
        wrong = f"missing {listing(renaming.merge_layers(missing))}" if missing else ""
        if metadata.get("format") != "pt":
            wrong = f"metadata's format is {metadata.get('format')!r}, should be 'pt'"
        yield Check("weights file", not wrong, message=wrong)
        yield self._same_tensors("weights file, bit by bit", held)

    # -- the loaded model --------------------------------------------------------------------------

    def _load(self) -> tuple[Any, list[Check]]:
        """Load as a user would; anything the loader left over, left out or misfitted fails."""
        name = folder.CLASSES[self.architecture.kind]
        try:
            model, info = getattr(transformers, name).from_pretrained(
                self.folder, output_loading_info=True
            )
        except Exception as error:  # whatever the loader raises, the folder is not usable
            return None, [Check("load report", False, message=f"{name} does not load: {error}")]
        left = {key: sorted(map(str, names)) for key, names in info.items() if names}
        message = "; ".join(f"{k}: {listing(renaming.merge_layers(v))}" for k, v in left.items())
        return model.eval(), [Check("load report", not left, message=message)]

    def _tensors(self, model: torch.nn.Module) -> Iterator[Check]:
        """Turn the loaded model's tensors back into the checkpoint's, bit by bit."""
        yield self._same_tensors("loaded tensors, bit by bit", model.state_dict())

    def _same_tensors(self, name: str, held: Mapping[str, Tensor]) -> Check:
        try:
            restored = renaming.restore(held, self.architecture)
        except ConversionError as error:
            return Check(name, False, message=str(error))
        original = self.checkpoint.tensors
        differing = [
            f"{key} (by {difference(restored[key], tensor):.2g})"
            for key, tensor in original.items()
            if not renaming.same_bits(restored[key], checkpoint.widen(tensor))
        ]
        message = f"{len(differing)} of {len(original)} tensors differ: {listing(differing)}"
        return Check(name, not differing, message=message if differing else "")

    def _function(self, model: torch.nn.Module) -> Iterator[Check]:
        """Run both on the same pixels: every step in lockstep, every element of the outputs."""
        tensors = {name: checkpoint.widen(t) for name, t in self.checkpoint.tensors.items()}
        reference = Reference(tensors, self.architecture)
        clip = clips.synthetic_clip(self.config["num_frames"], self.config["image_size"])
        pixels = clips.normalise(clip, imagenet.MEAN, imagenet.STD)
        pretraining = self.architecture.kind == "pretraining"
        mask = clips.tube_mask(self.config, MASK_RATIO) if pretraining else None
        steps = reference.steps(pixels, mask, TRANSFORMERS_FINAL_NORM_EPS)
        try:
            with lockstep(model, steps) as comparison:
                output = _forward(model, pixels, mask)
        except Exception as error:  # a model built wrongly can fail anywhere
            yield Check("function", False, message=f"the folder's model does not run: {error}")
            return
        expected = comparison.expected[LOGITS]
        largest = difference(output.logits, expected)
        self.report.max_abs_difference = largest
        self.report.tolerance = OUTPUT_TOLERANCE * scale(expected)
        self.report.logits_shape = list(output.logits.shape)
        parting = comparison.first_parting()
        yield at_most("function", largest, self.report.tolerance, parting)
        yield at_most("every layer", comparison.largest(), STEP_TOLERANCE, parting)
        if mask is not None:
            yield from self._losses(model, reference, output, expected, pixels, mask)
        authors = reference.logits(comparison.expected[BEFORE_FINAL_NORM], 1e-6)
        self.report.eps_effect = difference(authors, expected)
        message = "transformers' eps in the final norm moves the outputs by this much"
        yield at_most("eps effect", self.report.eps_effect, EPS_EFFECT_LIMIT, message)

    def _losses(
        self,
        model: Any,
        reference: Reference,
        output: Any,
        logits: Tensor,
        pixels: Tensor,
        mask: Tensor,
    ) -> Iterator[Check]:
        """Compare both reconstruction losses, with normalised target pixels and without."""
        chosen = model.config.norm_pix_loss
        with _config(model, norm_pix_loss=not chosen):
            other = _forward(model, pixels, mask)
        found = {chosen: output.loss.item(), not chosen: other.loss.item()}
        for norm_pix_loss, expected in reference.losses(logits, pixels, mask).items():
            message = f"expected {expected:.7g}, found {found[norm_pix_loss]:.7g}"
            relative = abs(found[norm_pix_loss] / expected - 1)
            name = f"loss with norm_pix_loss={norm_pix_loss}"
            yield at_most(name, relative, LOSS_TOLERANCE, message)

    # -- recorded outputs --------------------------------------------------------------------------

    def _recorded(self, model: Any) -> Iterator[Check]:
        """Compare with recorded outputs, on a copy under the conditions they were recorded in."""
        recorded = self.recorded
        if recorded is None:
            return
        if self.recorded_outputs == "skip":
            self.report.recorded = {"status": "skipped"}
            return
        try:
            differences = self._recorded_differences(model, recorded)
        except Exception as error:  # a clip or mask of other sizes can fail anywhere
            message = f"they can't be compared: {error}"
            yield Check("recorded outputs", False, message=message)
            return
        worst = max(differences, key=lambda name: differences[name])
        agrees = differences[worst] <= RECORDED_TOLERANCE
        self.report.recorded = {
            "status": "agrees" if agrees else "differs",
            "max_abs_difference": differences[worst],
            "tolerance": RECORDED_TOLERANCE,
            "conditions": {"clip": recorded.clip, "mask": recorded.mask, **recorded.config},
        }
        yield Check(
            "recorded outputs",
            agrees or self.recorded_outputs == "warn",
            differences[worst],
            RECORDED_TOLERANCE,
            "" if agrees else self._recorded_message(worst, differences[worst]),
        )

    def _recorded_differences(self, model: Any, recorded: Recorded) -> dict[str, float]:
        if recorded.config:
            config = transformers.AutoConfig.from_pretrained(self.folder, **recorded.config)
            model = type(model).from_pretrained(self.folder, config=config).eval()
        pixels, mask = self._recorded_inputs(recorded)
        differences = {"logits": _slice_difference(_forward(model, pixels, mask).logits, recorded)}
        for norm_pix_loss, expected in recorded.losses.items():
            with _config(model, norm_pix_loss=norm_pix_loss):
                loss = _forward(model, pixels, mask).loss.item()
            differences[f"loss with norm_pix_loss={norm_pix_loss}"] = abs(loss - expected)
        return differences

    def _recorded_inputs(self, recorded: Recorded) -> tuple[Tensor, Tensor | None]:
        """Make or load the clip and mask, and normalise by the folder's processor as recorded."""
        if recorded.clip == "synthetic":
            clip = clips.synthetic_clip(self.config["num_frames"], self.config["image_size"])
        else:
            clip = clips.load_clip(recorded.clip)
        processor = transformers.AutoImageProcessor.from_pretrained(self.folder)
        normalisation = {"image_mean": recorded.image_mean, "image_std": recorded.image_std}
        pixels = processor(list(clip), return_tensors="pt", **normalisation)["pixel_values"]
        if self.architecture.kind == "classifier":
            return pixels, None
        if recorded.mask is None:
            raise ConversionError("recorded.mask is needed for the outputs of pre-training")
        if recorded.mask.startswith("synthetic:"):
            return pixels, clips.tube_mask(self.config, float(recorded.mask.partition(":")[2]))
        return pixels, clips.load_mask(recorded.mask)

    def _recorded_message(self, name: str, largest: float) -> str:
        message = f"{name} differ from the recorded ones by {largest:.3g}"
        if not all(check.passed for check in self.report.checks):
            return message
        return (
            f"only the recorded outputs differ: {name} by {largest:.3g} (limit "
            f"{RECORDED_TOLERANCE:g}), while the folder computes the checkpoint's function to "
            f"{self.report.max_abs_difference:.3g}. The checkpoint, the clip or the mask may not "
            "be those of the recording; `recorded_outputs: warn` accepts this and the card says so"
        )

    def _facts(self) -> dict[str, Any]:
        """Gather what else a reader of the report wants to know."""
        files = [path for name in folder.CONVERTED if (path := self.folder / name).is_file()]
        return {
            "kind": self.architecture.kind,
            "parameters": sum(tensor.numel() for tensor in self.checkpoint.tensors.values()),
            "config": dict(self.config),
            "origin": dict(self.architecture.origin),
            "container": self.checkpoint.container,
            "sha256": {path.name: sha256(path) for path in files},
            "versions": {
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "numpy": np.__version__,
            },
        }


def _label_message(found: dict[str, Any], expected: dict[str, Any], name: str) -> str:
    """Name the first entry of a label map that is not as it should be."""
    held, wanted = found.get(name), expected[name]
    if not isinstance(held, dict):
        return f"{name} is {held!r}, should be a map of {len(wanted)} entries"
    for key, value in wanted.items():
        if held.get(key) != value:
            return f"{name}[{key!r}] is {held.get(key)!r}, should be {value!r}"
    return f"{name} has {len(held)} entries, should have {len(wanted)}"


def _forward(model: Any, pixels: Tensor, mask: Tensor | None) -> Any:
    return model(pixels) if mask is None else model(pixels, bool_masked_pos=mask)


@contextmanager
def _config(model: Any, **values: Any) -> Iterator[None]:
    """Set values of a loaded model's config for a while."""
    before = {name: getattr(model.config, name) for name in values}
    for name, value in values.items():
        setattr(model.config, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(model.config, name, value)


def _slice_difference(logits: Tensor, recorded: Recorded) -> float:
    """Compare the leading elements of the first item with recorded ones."""
    if list(logits.shape) != recorded.shape:
        return float("inf")
    leading = logits[0][tuple(slice(size) for size in recorded.logits.shape)]
    return difference(leading, recorded.logits)
