"""What does a folder compute in this Python's transformers, whichever release that is?

Runs in environments that hold one release with what it needs (`envs/releases/`), on folders of ours
and of others. Unlike `verification` it asks nothing of the file's form, only what a user of that
release gets: the classes, the function and the processor. What the release prints goes to the log.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from videomae import checkpoint, clips, folder, folding, imagenet, renaming
from videomae.architecture import Architecture
from videomae.checkpoint import Checkpoint
from videomae.errors import listing
from videomae.files import sha256
from videomae.lockstep import PIXEL_TOLERANCE, STEP_TOLERANCE, difference, run
from videomae.reference import Reference
from videomae.report import Check, Report, at_most
from videomae.stored import Values

AUTO = {
    "classifier": "AutoModelForVideoClassification",
    "pretraining": "AutoModelForPreTraining",
    "encoder": "AutoModel",
}

# The first that loads is taken: in some releases the first needs a torchvision that isn't there.
PROCESSORS = ("AutoImageProcessor", "VideoMAEImageProcessor")

# What the loader did with tensors' names, by transformers' keys, in the words of the table.
LOADED = {
    "unexpected_keys": "left over",
    "missing_keys": "missing",
    "mismatched_keys": "of another shape",
}


class Loading:
    """Loads one folder as a user of this release would; `run` gives the report."""

    def __init__(
        self,
        variant: str,
        opened: Checkpoint,
        architecture: Architecture,
        model_folder: Path,
        dtype: str,
    ) -> None:
        self.folder = model_folder
        self.architecture = architecture
        self.config = architecture.config
        folded = folding.fold(opened.entries, architecture).entries
        self.entries = opened.entries if dtype == "float32" else checkpoint.cast(folded, dtype)
        self.clip = clips.synthetic_clip(self.config["num_frames"], self.config["image_size"])
        self.report = Report(variant, rehearsal=opened.synthetic)
        self.report.facts = {"transformers": transformers.__version__}

    @torch.no_grad()
    def run(self) -> Report:
        """Load in every way, compute, compare; a folder that doesn't load ends it."""
        checks, facts = self.report.checks, self.report.facts
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        facts["sha256"] = {path.name: sha256(path) for path in files}
        model, loaded = self._load()
        checks += loaded
        if model is not None:
            checks += self._function(model)
        checks += self._processor()
        return self.report

    def _load(self) -> tuple[Any, list[Check]]:
        """Load by the model's class and by the Auto class, which must give the same."""
        name, auto = folder.CLASSES[self.architecture.kind], AUTO[self.architecture.kind]
        try:
            config = folder.read_json(self.folder / folder.CONFIG)
            folder.refuse_oversized(config, self.architecture)
            model, info = _class(name).from_pretrained(self.folder, output_loading_info=True)
            other = _class(auto).from_pretrained(self.folder)
        except Exception as error:  # whatever this release raises, the folder is of no use in it
            return None, [Check("loads", False, message=f"it does not load: {error}")]
        self.report.facts["loader"] = {
            words: sorted(renaming.merge_layers(sorted(map(_name, info.get(key, ())))))
            for key, words in LOADED.items()
        }
        message = "" if _same(model, other) else f"{auto} loads something else than {name}"
        return model.float().eval(), [Check("loads", not message, message=message)]

    def _function(self, model: Any) -> Iterator[Check]:
        """Compare with the authors' network step by step; say what in the config explains it."""
        widened = Values(checkpoint.cast(self.entries, "float32"))
        try:
            ran = run(model, Reference(widened, self.architecture), [self.clip])
        except Exception as error:  # a model built wrongly can fail anywhere
            yield Check("function", False, message=f"the folder's model does not run: {error}")
            return
        self.report.max_abs_difference, self.report.tolerance = ran.difference(), ran.tolerance()
        self.report.layers = ran.comparison.differences
        message = "; ".join(filter(None, [ran.comparison.first_parting(), self._config(model)]))
        yield at_most("function", ran.difference(), ran.tolerance(), message)
        yield at_most("every layer", ran.comparison.largest(), STEP_TOLERANCE, message)

    def _config(self, model: Any) -> str:
        """Name the values of the loaded config that are not the checkpoint's."""
        held = {name: value for name in self.config if (value := _value(model, name)) is not None}
        expected = {name: value for name, value in self.config.items() if name in held}
        return listing(folder.wrong_values(held, expected, self.architecture.origin))

    def _processor(self) -> Iterator[Check]:
        """Load the processor by the first class that can, and compare its pixels."""
        refusals = {}
        for name in PROCESSORS:
            try:
                processor = _class(name).from_pretrained(self.folder)
                pixels = processor(list(self.clip), return_tensors="pt")["pixel_values"]
                break
            except Exception as error:  # no such class, a library missing, a broken config
                refusals[name] = " ".join(str(error).split())
        self.report.facts["processor refusals"] = refusals
        if len(refusals) == len(PROCESSORS):
            message = f"it does not load: {refusals[PROCESSORS[-1]]}"
            yield Check("processor", False, message=message)
            return
        self.report.facts["processor"] = type(processor).__name__
        wanted = clips.normalise(self.clip, imagenet.MEAN, imagenet.STD)
        yield at_most("processor pixels", difference(pixels, wanted), PIXEL_TOLERANCE)


def _class(name: str) -> Any:
    return getattr(transformers, name)


def _name(key: Any) -> str:
    """Give the tensor's name; a mismatched one comes with its two shapes."""
    return str(key[0] if isinstance(key, tuple) else key)


def _value(model: Any, name: str) -> Any:
    value = getattr(model.config, name, None)
    return getattr(model.config, "qkv_bias", None) if value is None and name == "qv_bias" else value


def _same(one: Any, other: Any) -> bool:
    """Tell whether two models are of one class and hold the same tensors, bit by bit."""
    tensors: Mapping[str, Tensor] = other.state_dict()
    return type(one) is type(other) and all(
        renaming.same_bits(tensor, tensors[name]) for name, tensor in one.state_dict().items()
    )
