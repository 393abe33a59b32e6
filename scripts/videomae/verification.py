"""Does the folder compute what the checkpoint computes?  Checks that each stand on their own.

The folder is judged as transformers' ``from_pretrained`` loads it; the truth is the original state
dict and the independent forward pass in `reference`. A check never repairs and never skips
silently: it gives a value, its limit, and what to look at when it fails.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor

from videomae import (
    assumptions,
    checkpoint,
    clips,
    contents,
    folder,
    folding,
    imagenet,
    labels,
    options,
    precision,
    preprocessing,
    renaming,
    safetensors_file,
    truth,
    truth_file,
)
from videomae.architecture import Architecture, read_architecture, tokens
from videomae.checkpoint import Checkpoint
from videomae.data_sets import trained_on
from videomae.errors import ConversionError, listing
from videomae.files import sha256
from videomae.final_norm import eps_effect
from videomae.function_checks import losses, outputs_of_each_clip
from videomae.lockstep import (
    MASK_RATIO,
    OUTPUT_TOLERANCE,
    STEP_TOLERANCE,
    TRANSFORMERS_FINAL_NORM_EPS,
    Run,
    choose_device,
    difference,
    for_clips,
    forward,
    logits,
    positions,
    run,
    scale,
    worst,
)
from videomae.recorded import Recorded
from videomae.reference import BEFORE_FINAL_NORM, LOGITS, Reference, sinusoid_positions
from videomae.report import NOT_COMPARED, Check, Report, at_most
from videomae.stored import Entry, Values
from videomae.truth_file import TruthFile

POSITION_TOLERANCE = 1e-6  # absolute, of values in -1..1
EPS_EFFECT_LIMIT = 1e-2  # absolute; 1e-6 to 1.5e-4 on trained models
RECORDED_TOLERANCE = 1e-4  # absolute; what the script that recorded the values allowed
# Of the outputs' root mean square; up to 9e-3 and 9e-2 on trained tiny models.
ROUNDING_LIMITS = {"float16": 5e-2, "bfloat16": 3e-1}


class Verification:
    """Verifies one folder against one checkpoint; `run` gives the report."""

    def __init__(
        self,
        variant: str,
        path: Path,
        model_folder: Path,
        given: Mapping[str, Any],
        label_list: Path | None = None,
        recorded: Recorded | Path | None = None,
        recorded_outputs: str = "require",
        dtype: str | None = "float32",
        device: str = "cpu",
        weights: str | None = None,
        compare_labels: bool = True,
    ) -> None:
        self.folder = model_folder
        self.label_list = label_list
        self.compare_labels = compare_labels
        self.recorded = None if isinstance(recorded, Path) else recorded
        self.recorded_outputs = recorded_outputs
        self.checkpoint: Checkpoint = checkpoint.open_checkpoint(path, weights)
        self.architecture: Architecture = read_architecture(
            self.checkpoint.shapes, self.checkpoint.args, given
        )
        self.config = self.architecture.config
        self.truth = None
        if isinstance(recorded, Path) and recorded_outputs != "skip":
            self.truth = truth_file.read(recorded, self.architecture)
        found, agrees = precision.of_folder(model_folder)
        self.dtype = dtype or found
        self.precision = None if dtype else agrees
        self.device = choose_device(device)
        self.folded = folding.fold(self.checkpoint.entries, self.architecture)
        # As the folder is to hold them.
        self.stored = checkpoint.cast(self.folded.entries, self.dtype)
        self.processed: Tensor | None = None  # the usual clip, as the folder's processor gives it
        self.report = Report(variant, rehearsal=self.checkpoint.synthetic)
        if recorded and recorded_outputs == "skip":
            self.report.recorded = {"status": "skipped"}

    @torch.no_grad()
    def run(self, say: Callable[[object], None] = lambda _: None) -> Report:
        """Run every check that can still say something; a folder that doesn't load ends it.

        ``say`` is called with the name of each step as it begins, and each check as it is made.
        """
        transformers.utils.logging.disable_progress_bar()
        transformers.utils.logging.set_verbosity_error()
        for made in self._steps():
            if isinstance(made, Check):
                self.report.checks.append(made)
            say(made)
        self.report.facts = self._facts()
        return self.report

    def _steps(self) -> Iterator[str | Check]:
        """Give what each step is, and then its checks."""
        yield "comparing config and processor"
        yield from self._files()
        yield from self._config()
        yield from self._processor()
        yield f"comparing {folder.WEIGHTS} with {len(self.stored)} tensors"
        if self.precision:
            yield self.precision
        yield from self._file()
        yield "loading the folder"
        model, loaded = self._load()
        yield from loaded
        if model is not None:
            yield f"comparing the model that was loaded with {len(self.stored)} tensors"
            yield self._loaded_config(model)
            yield from self._tensors(model)
            yield from self._positions(model)
            yield f"proof on {len(clips.PROVING)} clips"
            model.to(self.device)
            yield from self._function(model)
            if self.truth:
                yield f"outputs recorded in {self.truth.path}"
                yield from self._truth(self.truth, model)
            kind = type(model)
            if self.recorded and self.recorded.config:
                model = None  # before another is loaded: two would take twice the memory
                gc.collect()
            if self.recorded:
                yield "recorded outputs"
            yield from self._recorded(kind, model)
        yield "hashing the folder"

    # -- the folder's files ------------------------------------------------------------------------

    def _files(self) -> Iterator[Check]:
        """Look for files that loaders read and a conversion does not write."""
        found = list(contents.strangers(self.folder)) if self.folder.is_dir() else []
        message = f"files that should not be there: {listing(found)}" if found else ""
        yield Check("files", not found, message=message)

    def _expected_config(self) -> dict[str, Any]:
        names = labels.id2label(self.architecture.num_labels or 0, self.label_list)
        if not self.compare_labels:
            with suppress(ConversionError, OSError):
                names = self._own_labels()
        return folder.model_config(self.architecture, names, self.checkpoint.synthetic, self.dtype)

    def _own_labels(self) -> dict[int, str]:
        config = folder.read_json(self.folder / folder.CONFIG)
        return labels.of_config(config, self.architecture.num_labels or 0)

    def _config(self) -> Iterator[Check]:
        """Compare every value of config.json with what the checkpoint and the person say."""
        expected = self._expected_config()
        label_maps = {name: expected.pop(name, None) for name in ("id2label", "label2id")}
        try:
            found = folder.read_json(self.folder / folder.CONFIG)
        except (ConversionError, OSError) as error:
            yield Check("config", False, message=str(error))
            return
        also = label_maps if self.architecture.kind == "classifier" else {}
        wrong = contents.config_faults(found, expected, self.architecture.origin, also)
        yield Check("config", not wrong, message=listing(wrong))
        if self.architecture.kind == "classifier":
            yield self._labels(found, label_maps)

    def _labels(self, found: dict[str, Any], expected: dict[str, Any]) -> Check:
        """Compare the labels, or without a list look whether there is one for each class."""
        if self.compare_labels:
            wrong = [name for name, value in expected.items() if found.get(name) != value]
            message = _label_message(found, expected, wrong[0]) if wrong else ""
            return Check("labels", not wrong, message=message)
        try:
            number = len(self._own_labels())
        except ConversionError as error:
            return Check("labels", False, message=str(error))
        message = f"{NOT_COMPARED}, as no list was given; there are {number}, all different"
        return Check("labels", True, message=message)

    def _processor(self) -> Iterator[Check]:
        """Compare the processor's config, and the pixels that each class makes of frames."""
        expected = folder.processor_config(self.architecture)
        clip = clips.synthetic_clip(self.config["num_frames"], self.config["image_size"])
        try:
            found = folder.read_json(self.folder / folder.PROCESSOR)
            wrong = contents.processor_faults(found, expected)
            yield Check("processor config", not wrong, message=listing(wrong))
            for number, processor in enumerate(preprocessing.processors(self.folder)):
                name = "video processor" if number else "processor"
                yield from preprocessing.checks(processor, expected, name)
                if not number:
                    self.processed = preprocessing.pixels(processor, clip)
        except Exception as error:  # whatever a broken processor raises, it is not usable
            yield Check("processor", False, message=f"it does not load, or does not run: {error}")

    def _file(self) -> Iterator[Check]:
        """Hold the weights file against the checkpoint: every name, both biases, bit by bit."""
        try:
            metadata = safetensors_file.metadata(self.folder / folder.WEIGHTS)
            held = Values(safetensors_file.entries(self.folder / folder.WEIGHTS))
        except (ConversionError, OSError) as error:
            yield Check("weights file", False, message=f"{folder.WEIGHTS} {error}")
            return
        rows = renaming.renames(self.architecture)
        missing = [name for row in rows for name in row.targets if name not in held]
        wrong = f"missing {listing(renaming.merge_layers(missing))}" if missing else ""
        if metadata.get("format") != "pt":
            wrong = f"metadata's format is {metadata.get('format')!r}, should be 'pt'"
        yield Check("weights file", not wrong, message=wrong)
        yield self._same_tensors("weights file, bit by bit", held, self.stored)

    # -- the loaded model --------------------------------------------------------------------------

    def _load(self) -> tuple[Any, list[Check]]:
        """Load as a user would; anything the loader left over, left out or misfitted fails.

        In float32, so that of a narrower folder the rounding is the only thing to differ.
        """
        name = folder.CLASSES[self.architecture.kind]
        try:
            config = folder.read_json(self.folder / folder.CONFIG)
            folder.refuse_oversized(config, self.architecture)
            model, info = getattr(transformers, name).from_pretrained(
                self.folder,
                dtype=torch.float32,
                output_loading_info=True,
                trust_remote_code=False,
            )
        except Exception as error:  # whatever the loader raises, the folder is not usable
            return None, [Check("load report", False, message=f"{name} does not load: {error}")]
        left = {key: sorted(map(str, names)) for key, names in info.items() if names}
        message = "; ".join(f"{k}: {listing(renaming.merge_layers(v))}" for k, v in left.items())
        return model.eval(), [Check("load report", not left, message=message)]

    def _loaded_config(self, model: Any) -> Check:
        """Compare the config that transformers made of config.json, to the last value."""
        expected = self._expected_config()
        if self.architecture.kind == "classifier":
            names = expected["id2label"]
            expected["id2label"] = {int(number): name for number, name in names.items()}
        defaults = type(model.config)().to_dict()
        wrong = contents.loaded_faults(model.config.to_dict(), expected, defaults)
        return Check("loaded config", not wrong, message=listing(wrong))

    def _tensors(self, model: torch.nn.Module) -> Iterator[Check]:
        """Turn the loaded model's tensors back into the checkpoint's, bit by bit."""
        expected = checkpoint.cast(self.stored, "float32")
        yield self._same_tensors("loaded tensors, bit by bit", model.state_dict(), expected)

    def _positions(self, model: Any) -> Iterator[Check]:
        """Compare all positions, of which the proof's smaller clips take the leading ones."""
        number = tokens(self.config)
        for owner, table in positions(model).items():
            expected = sinusoid_positions(number, table.shape[-1])
            name = f"positions of {type(owner).__name__}"
            message = f"{list(table.shape)} of them, or other values than {list(expected.shape)}"
            yield at_most(name, difference(table, expected), POSITION_TOLERANCE, message)

    def _same_tensors(
        self, name: str, held: Mapping[str, Tensor], expected: Mapping[str, Entry]
    ) -> Check:
        values, differing = Values(expected), []
        try:
            for key, tensor in renaming.restore(held, self.architecture):  # one at a time
                if not renaming.same_bits(tensor, values[key]):
                    differing.append(f"{key} (by {difference(tensor, values[key]):.2g})")
        except ConversionError as error:
            return Check(name, False, message=str(error))
        message = f"{len(differing)} of {len(expected)} tensors differ: {listing(differing)}"
        return Check(name, not differing, message=message if differing else "")

    def _function(self, model: Any) -> Iterator[Check]:
        """Run both on the proof's clips: every step in lockstep, every element of the outputs."""
        # In float32 the original tensors, so that folding is proven and not presumed.
        exact = self.dtype == "float32"
        reference = self._reference(self.checkpoint.entries if exact else self.stored)
        proving = clips.proving(self.config)
        try:
            ran = run(model, reference, proving)
        except Exception as error:  # a model built wrongly can fail anywhere
            yield Check("function", False, message=f"the folder's model does not run: {error}")
            return
        if not ran.expected.isfinite().all():
            sizes = {n: t.abs().max().item() for n, t in self.checkpoint.tensors.items()}
            name, largest = (worst(sizes), sizes[worst(sizes)])
            message = f"the authors' network itself gives NaN or infinity; {name} has {largest:.3g}"
            yield Check("function", False, message=message)
            return
        report, parting = self.report, ran.comparison.first_parting()
        report.max_abs_difference, report.tolerance = ran.difference(), ran.tolerance()
        frames, size = proving[0].shape[:2]
        report.proven_on = {"clips": list(clips.PROVING), "frames": frames, "image_size": size}
        report.layers = ran.comparison.differences
        report.preprocessing_difference = self._preprocessing_difference(model)
        yield from outputs_of_each_clip("function", ran)
        yield at_most("every layer", ran.comparison.largest(), STEP_TOLERANCE, parting)
        if self.architecture.kind == "pretraining":
            yield from losses(model, reference, ran)
        if self.architecture.kind == "encoder":  # whose users may hide tokens, or not
            yield from outputs_of_each_clip(
                "function, masked", run(model, reference, proving, masked=True)
            )
        effect = eps_effect(reference, ran.comparison.expected[BEFORE_FINAL_NORM], ran.expected)
        report.eps_effect, report.eps_bound = effect.measured, asdict(effect)
        message = (
            f"transformers' eps in the final norm moves the outputs by {report.eps_effect:.3g} "
            f"(limit {EPS_EFFECT_LIMIT:g}), so it can't compute what the authors' network computes"
        )
        yield at_most("eps effect", report.eps_effect, EPS_EFFECT_LIMIT, message)
        if not exact:
            yield from self._rounding_effect(ran)

    def _preprocessing_difference(self, model: Any) -> float | None:
        """Tell how far the folder's own processor moves the outputs, the model being the same."""
        if self.processed is None:
            return None
        clip = clips.synthetic_clip(self.config["num_frames"], self.config["image_size"])
        pixels = clips.normalise(clip, imagenet.MEAN, imagenet.STD)
        if self.processed.shape != pixels.shape:  # nor would the model take them
            return float("inf")
        if torch.equal(self.processed, pixels):
            return 0.0
        mask = None
        if self.architecture.kind == "pretraining":
            mask = clips.tube_mask(self.config, MASK_RATIO).to(self.device)
        with for_clips(model, self.config["image_size"], tokens(self.config)):
            both = [forward(model, one.to(self.device), mask) for one in (self.processed, pixels)]
        return difference(*map(logits, both))

    def _reference(self, entries: Mapping[str, Entry]) -> Reference:
        return Reference(
            Values(checkpoint.cast(entries, "float32")), self.architecture, self.device
        )

    def _rounding_effect(self, ran: Run) -> Iterator[Check]:
        """Tell how far rounding the weights alone moves the outputs from the checkpoint's."""
        original = self._logits(self.checkpoint.entries, ran)
        effect = difference(original, ran.expected)
        self.report.rounding_effect = effect
        limit = ROUNDING_LIMITS[self.dtype] * scale(ran.expected)
        yield at_most("rounding effect", effect, limit)
        if self.folded.notes:  # before rounding, which would hide what folding does
            effect = difference(self._logits(self.folded.entries, ran), original)
            yield at_most("folding", effect, OUTPUT_TOLERANCE * scale(original))

    def _logits(self, entries: Mapping[str, Entry], ran: Run) -> Tensor:
        """Compute the authors' network on other tensors, of the same clips and mask."""
        steps = self._reference(entries).steps(ran.pixels, ran.mask, TRANSFORMERS_FINAL_NORM_EPS)
        return dict(steps)[LOGITS]

    def _truth(self, file: TruthFile, model: Any) -> Iterator[Check]:
        """Compare the reference and the folder with what the training code gave."""
        original = self._reference(self.checkpoint.entries)
        stored = None if self.dtype == "float32" else self._reference(self.stored)
        compared = truth.Truth(file, original, stored)
        try:
            most_rounding = ROUNDING_LIMITS.get(self.dtype, 0.0)
            yield from compared.checks(model, self.report, EPS_EFFECT_LIMIT, most_rounding)
        except Exception as error:  # a model built wrongly can fail anywhere
            yield Check(truth.CHECK, False, message=f"{file.path} can't be compared: {error}")

    # -- recorded outputs --------------------------------------------------------------------------

    def _recorded(self, kind: Any, model: Any | None) -> Iterator[Check]:
        """Compare with recorded outputs, on a model under the conditions they were recorded in.

        ``model`` is one that is loaded already; without it one of the class ``kind`` is loaded.
        """
        recorded = self.recorded
        if recorded is None or self.recorded_outputs == "skip":
            return
        try:
            model = model or recorded.load(kind, self.folder, self.device)
            differences = recorded.differences(model, self.folder, self.config)
        except Exception as error:  # a clip or mask of other sizes can fail anywhere
            files = f"the clip {recorded.clip} and the mask {recorded.mask}"
            message = f"they can't be compared, for {files}: {error}"
            yield Check("recorded outputs", False, message=message)
            return
        furthest = worst(differences)
        agrees = differences[furthest] <= RECORDED_TOLERANCE
        self.report.recorded = {
            "status": "agrees" if agrees else "differs",
            "max_abs_difference": differences[furthest],
            "tolerance": RECORDED_TOLERANCE,
            "conditions": {"clip": recorded.clip, "mask": recorded.mask, **recorded.config},
        }
        yield Check(
            "recorded outputs",
            agrees or self.recorded_outputs == "warn",
            differences[furthest],
            RECORDED_TOLERANCE,
            "" if agrees else self._recorded_message(recorded, furthest, differences[furthest]),
        )

    def _recorded_message(self, recorded: Recorded, name: str, largest: float) -> str:
        message = f"{name} differ from the recorded ones by {largest:.3g}"
        if not all(check.passed for check in self.report.checks):
            return message
        return (
            f"only the recorded outputs differ: {name} by {largest:.3g} (limit "
            f"{RECORDED_TOLERANCE:g}), while the folder computes the checkpoint's function to "
            f"{self.report.max_abs_difference:.3g}. The checkpoint, the clip "
            f"{recorded.clip} or the mask {recorded.mask} may not be those of the recording; "
            "`recorded_outputs: warn` accepts this and the card says so"
        )

    def _compared_with(self) -> str | None:
        """Tell what the labels were compared with; None where there are none."""
        if self.architecture.kind != "classifier":
            return None
        if not self.compare_labels:
            return NOT_COMPARED
        return str(self.label_list) if self.label_list else labels.NONE

    def _facts(self) -> dict[str, Any]:
        """Gather what else a reader of the report wants to know."""
        files = [path for name in folder.CONVERTED if (path := self.folder / name).is_file()]
        return {
            "kind": self.architecture.kind,
            "classes": self.architecture.num_labels,
            "dtype": self.dtype,
            "device": str(self.device),
            "parameters": sum(entry.numel() for entry in self.stored.values()),
            "folded": list(self.folded.notes),
            "config": dict(self.config),
            "origin": dict(self.architecture.origin),
            "assumptions": assumptions.assumed(
                self.architecture, self.checkpoint.args, self.checkpoint.entries
            ),
            "unknown_options": options.unknown(self.checkpoint.args, self.architecture.kind),
            "container": self.checkpoint.container,
            "labels": self._compared_with(),
            "data_set": trained_on(self.checkpoint.args, self.architecture.num_labels),
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
