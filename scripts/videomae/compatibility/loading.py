"""Tests a folder with the installed release of transformers.

Runs in environments that hold one release with what it needs (`envs/releases/`), on folders of ours
and of others. Unlike `verify.proof` it does not ask for our own form of a folder, only for what a
user of that release gets: the classes, the function, the labels, the processor, the pipeline. What
the release prints goes to the log.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from videomae.checkpoint import reader
from videomae.checkpoint.lazy_tensor import Values
from videomae.checkpoint.reader import Checkpoint
from videomae.checkpoint.tensor_names import merge_layers
from videomae.convert import folding, model_folder, weight_mapping
from videomae.errors import listing
from videomae.files import sha256
from videomae.model import labels
from videomae.model.architecture import Architecture
from videomae.verify import clips
from videomae.verify.checks import (
    allowed_contents,
    fine_tuning_start,
    pipeline_scores,
    processor_pixels,
)
from videomae.verify.checks.model_outputs import outputs_of_each_clip, outputs_of_its_kind
from videomae.verify.comparison import STEP_TOLERANCE, Run, run
from videomae.verify.reference import Reference
from videomae.verify.report import NOT_COMPARED, Check, Report, at_most

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
        folder: Path,
        dtype: str,
        label_list: Path | None = None,
        compare_labels: bool = False,
    ) -> None:
        self.folder = folder
        self.architecture = architecture
        self.config = architecture.config
        folded = folding.fold(opened.entries, architecture)
        exact = {n: entry for n, entry in opened.entries.items() if n not in folded.rounded}
        self.stored = reader.cast(folded.entries, dtype)
        self.unstored: set[str] = set()  # what this release has beside them
        self.entries = exact if dtype == "float32" else self.stored
        self.clip = clips.synthetic_clip(self.config["num_frames"], self.config["image_size"])
        self.compare_labels = compare_labels or label_list is not None
        self.names = labels.id2label(architecture.num_labels or 0, label_list)
        self.expected = model_folder.model_config(architecture, self.names, opened.synthetic, dtype)
        self.report = Report(variant, rehearsal=opened.synthetic)
        self.report.facts = {"transformers": transformers.__version__}
        if architecture.num_labels and not self.compare_labels:
            self.report.facts["labels"] = NOT_COMPARED

    @torch.no_grad()
    def run(self) -> Report:
        """Load in every way, compute, compare; a folder that doesn't load ends it."""
        checks, facts = self.report.checks, self.report.facts
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        facts["sha256"] = {path.name: sha256(path) for path in files}
        model, loaded = self._load()
        checks += loaded
        ran = None
        if model is not None:
            reference = Reference(Values(reader.cast(self.entries, "float32")), self.architecture)
            ran, made = self._function(model, reference)
            checks += made
            checks += self._loaded_config(model)
        checks += self._contents()
        checks += self._processor()
        names = model.config.id2label if model else {}
        if ran and self.architecture.num_labels:
            checks.append(fine_tuning_start.other_head(self.folder, model))
        del model  # before the pipeline loads another: both would take twice the memory
        if ran and self.architecture.kind == "pretraining":
            checks += fine_tuning_start.checks(
                self.folder,
                self.stored,
                self.architecture,
                torch.device("cpu"),
                self.report,
                self.unstored,
            )
        if ran and self.architecture.num_labels:
            checks += self._pipeline(names, ran.expected[0])
        return self.report

    def _contents(self) -> Iterator[Check]:
        """Look for what loaders of this or another release read and nothing here compares."""
        found = list(allowed_contents.foreign_files(self.folder))
        yield Check("files", not found, message=f"not compared: {listing(found)}" if found else "")
        config, processor = (
            allowed_contents.read_if_there(self.folder / name)
            for name in (model_folder.CONFIG, model_folder.PROCESSOR)
        )
        config = allowed_contents.without_traces_of_training(config, self.architecture)
        defaults: dict[str, Any] = transformers.VideoMAEConfig().to_dict()
        known = model_folder.processor_config(self.architecture)
        for name, wrong in (
            (model_folder.CONFIG, allowed_contents.foreign_keys(config, self.expected, defaults)),
            (model_folder.PROCESSOR, allowed_contents.foreign_processor_keys(processor, known)),
        ):
            message = f"keys that may change what loaders do: {listing(wrong)}" if wrong else ""
            yield Check(f"keys of {name}", not wrong, message=message)

    def _load(self) -> tuple[Any, list[Check]]:
        """Load by the model's class and by the Auto class, which must give the same."""
        name, auto = model_folder.CLASSES[self.architecture.kind], AUTO[self.architecture.kind]
        try:
            config = model_folder.read_json(self.folder / model_folder.CONFIG)
            model_folder.refuse_oversized(config, self.architecture)
            model, info = _class(name).from_pretrained(
                self.folder, output_loading_info=True, trust_remote_code=False
            )
            others = {auto: _class(auto).from_pretrained(self.folder, trust_remote_code=False)}
            if allowed_contents.has_pickled_twin(self.folder):
                others["without safetensors it"] = _class(name).from_pretrained(
                    self.folder, use_safetensors=False, trust_remote_code=False
                )
        except Exception as error:  # whatever this release raises, the folder is of no use in it
            return None, [Check("loads", False, message=f"the folder does not load: {error}")]
        self.unstored = set(map(_name, info.get("missing_keys", ())))
        self.report.facts["loader"] = {
            words: sorted(merge_layers(sorted(map(_name, info.get(key, ())))))
            for key, words in LOADED.items()
        }
        unlike = [way for way, other in others.items() if not _same(model, other)]
        message = f"{', '.join(unlike)} loads something else than {name}" if unlike else ""
        return model.float().eval(), [Check("loads", not unlike, message=message)]

    def _loaded_config(self, model: Any) -> Iterator[Check]:
        """Compare what this release made of config.json, and the labels."""
        expected = {n: v for n, v in self.expected.items() if n not in labels.MAPS}
        held = allowed_contents.without_traces_of_training(
            model.config.to_dict(), self.architecture
        )
        held["qv_bias"] = held.get("qv_bias", held.get("qkv_bias"))
        found = {name: value for name, value in held.items() if name not in labels.MAPS}
        defaults = type(model.config)().to_dict()
        wrong = allowed_contents.loaded_faults(found, expected, defaults)
        yield Check("loaded config", not wrong, message=listing(wrong))
        if self.architecture.kind == "classifier":
            wrong = labels.faults(
                model.config.id2label,
                model.config.label2id,
                self.names if self.compare_labels else None,
            )
            yield Check("labels", not wrong, message=listing(wrong))

    def _function(self, model: Any, reference: Reference) -> tuple[Run | None, list[Check]]:
        """Compare with the authors' network step by step; say what in the config explains it."""
        try:
            ran = run(model, reference, [self.clip])
            return ran, [*self._of_full_clip(model, ran), *self._of_small_clips(model, reference)]
        except Exception as error:  # a model built wrongly can fail anywhere
            message = f"the folder's model does not run: {error}"
            return None, [Check("function", False, message=message)]

    def _of_full_clip(self, model: Any, ran: Run) -> Iterator[Check]:
        self.report.max_abs_difference, self.report.tolerance = ran.difference(), ran.tolerance()
        self.report.layers = ran.comparison.differences
        message = "; ".join(filter(None, [ran.comparison.first_parting(), self._config(model)]))
        yield at_most("function", ran.difference(), ran.tolerance(), message)
        yield at_most("every layer", ran.comparison.largest(), STEP_TOLERANCE, message)

    def _of_small_clips(self, model: Any, reference: Reference) -> Iterator[Check]:
        """Run the clips of a proof, which show faults that the usual one hides."""
        proving = clips.proving(self.config)
        ran = run(model, reference, proving)
        yield from outputs_of_each_clip("function, small", ran)
        yield from outputs_of_its_kind(model, reference, ran, proving)

    def _config(self, model: Any) -> str:
        """Return the values of the loaded config that differ from the checkpoint's."""
        held = {name: value for name in self.config if (value := _value(model, name)) is not None}
        expected = {name: value for name, value in self.config.items() if name in held}
        return listing(model_folder.wrong_values(held, expected, self.architecture.origin))

    def _processor(self) -> Iterator[Check]:
        """Load the processors that this release gives users, and compare their pixels."""
        refusals: dict[str, str] = {}
        self.report.facts["processor refusals"] = refusals
        try:
            loaded = processor_pixels.processors(self.folder, PROCESSORS, refusals)
            self.report.facts["processor"] = type(loaded[0]).__name__
            for number, processor in enumerate(loaded):
                name = "video processor" if number else "processor"
                size, usual = self.config["image_size"], self.architecture.pixels
                yield from processor_pixels.pixel_checks(processor, size, name, usual)
        except Exception as error:  # no such class, a library missing, a broken config
            message = f"the processor does not load or run: {' '.join(str(error).split())}"
            yield Check("processor", False, message=message)

    def _pipeline(self, names: Mapping[int, str], expected: Tensor) -> Iterator[Check]:
        """Classify a video file by transformers' pipeline, if this environment can."""
        if self.report.facts["processor refusals"]:
            self.report.facts["pipeline"] = "not tried: this release loads no processor for it"
            return
        made = pipeline_scores.check(self.folder, self.clip, names, expected)
        if isinstance(made, Check):
            yield made
        else:
            self.report.facts["pipeline"] = f"not tried: {made}"


def _class(name: str) -> Any:
    return getattr(transformers, name)


def _name(key: Any) -> str:
    """Return the tensor's name; a mismatched one comes with its two shapes."""
    return str(key[0] if isinstance(key, tuple) else key)


def _value(model: Any, name: str) -> Any:
    value = getattr(model.config, name, None)
    return getattr(model.config, "qkv_bias", None) if value is None and name == "qv_bias" else value


def _same(one: Any, other: Any) -> bool:
    """Return whether two models are of one class and hold the same tensors, bit by bit."""
    tensors: Mapping[str, Tensor] = other.state_dict()
    return type(one) is type(other) and all(
        weight_mapping.same_bits(tensor, tensors[name]) for name, tensor in one.state_dict().items()
    )
