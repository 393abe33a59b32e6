"""Runs all checks of a folder against its checkpoint, in order, and makes the report."""

import gc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from videomae.checkpoint import reader
from videomae.checkpoint.reader import Checkpoint
from videomae.checkpoint.selection import Selection
from videomae.convert import folding, model_folder
from videomae.model.datasets import trained_on
from videomae.recognition import assumptions, training_scripts
from videomae.recognition.recognize import read_architecture
from videomae.verify import clips, recorded_outputs
from videomae.verify.checks import (
    fine_tuning_start,
    folder_files,
    function,
    loaded_model,
    weights_dtype,
)
from videomae.verify.comparison import choose_device
from videomae.verify.expected import ExpectedConfig, ExpectedNetwork
from videomae.verify.recorded_outputs import Recorded
from videomae.verify.report import Check, Report
from videomae.verify.training_outputs import npz_file


class Verification:
    """Verifies one folder against one checkpoint; `run` gives the report.

    The folder is judged as transformers' ``from_pretrained`` loads it; the truth is the original
    state dict and the independent forward pass in `reference`. A check never repairs and never
    skips silently: it gives a value, its limit, and what to look at when it fails.
    """

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
        selection: Selection = reader.EVERYTHING,
        compare_labels: bool = True,
    ) -> None:
        self.folder = model_folder
        self.checkpoint: Checkpoint = reader.open_checkpoint(path, selection)
        opened = self.checkpoint
        self.architecture = read_architecture(opened.shapes, opened.args, given)
        self.recorded = None if isinstance(recorded, Path) else recorded
        self.recorded_outputs = recorded_outputs
        self.truth = None
        if isinstance(recorded, Path) and recorded_outputs != "skip":
            self.truth = npz_file.read(recorded, self.architecture)
        of_folder, agrees = weights_dtype.of_folder(model_folder)
        self.dtype = dtype or of_folder
        self.precision = None if dtype else agrees
        chosen = choose_device(device)
        folded = folding.fold(opened.entries, self.architecture)
        self.notes = folded.notes
        self.network = ExpectedNetwork(
            self.architecture,
            chosen,
            self.dtype,
            original=opened.entries,
            folded=folded.entries if folded.notes else None,
            stored=reader.cast(folded.entries, self.dtype),
            rounded_tables=folded.rounded,
        )
        self.config = ExpectedConfig(
            self.architecture, self.dtype, opened.synthetic, label_list, compare_labels
        )
        self.report = Report(variant, rehearsal=opened.synthetic)
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
        """Yield the name of each step, then its checks."""
        folder, architecture, stored = self.folder, self.architecture, self.network.stored
        yield "comparing config and processor"
        yield folder_files.file_names(folder)
        yield from folder_files.config(folder, self.config)
        processed = yield from folder_files.processor(folder, architecture)
        yield f"comparing {model_folder.WEIGHTS} with {len(stored)} tensors"
        if self.precision:
            yield self.precision
        yield from folder_files.weights(folder, stored, architecture)
        yield "loading the folder"
        model, loaded = loaded_model.load(folder, architecture)
        yield loaded
        if model is not None:
            yield f"comparing the loaded model with {len(stored)} tensors"
            config = self.config.values(folder)
            yield from loaded_model.checks(model, config, stored, architecture)
            yield f"comparing outputs on {len(clips.PROVING)} clips"
            model.to(self.network.device)
            yield from function.checks(model, self.network, processed, self.report)
            if self.truth:
                yield f"comparing with the outputs in {self.truth.path}"
                yield from recorded_outputs.training_code_checks(
                    self.truth, model, self.network, self.report
                )
            kind = type(model)
            if self.recorded and self.recorded.config:
                model = None  # before another is loaded: two would take twice the memory
                gc.collect()
            if self.recorded:
                yield "comparing with recorded outputs"
                yield from self._recorded(self.recorded, kind, model)
            if architecture.kind == "pretraining":
                model = None  # which frees its memory for the next
                yield "comparing the start of fine-tuning"
                yield from self._start_of_fine_tuning()

    def _recorded(self, recorded: Recorded, kind: Any, model: Any | None) -> Iterator[Check]:
        """Compare with the recorded outputs of config.yaml, unless they are to be skipped."""
        if self.recorded_outputs != "skip":
            required = self.recorded_outputs != "warn"
            yield recorded_outputs.check(
                recorded, kind, model, self.folder, self.network, self.report, required
            )

    def _start_of_fine_tuning(self) -> Iterator[Check]:
        """Load the folder as a classifier, and compare it with the authors' fine-tuning network."""
        network = self.network
        yield from fine_tuning_start.checks(
            self.folder, network.stored, self.architecture, network.device, self.report
        )

    def _facts(self) -> dict[str, Any]:
        """Gather what else a reader of the report wants to know."""
        opened, architecture = self.checkpoint, self.architecture
        return {
            "kind": architecture.kind,
            "classes": architecture.num_labels,
            "dtype": self.dtype,
            "device": str(self.network.device),
            "parameters": sum(entry.numel() for entry in self.network.stored.values()),
            "folded": list(self.notes),
            "config": dict(architecture.config),
            "origin": dict(architecture.origin),
            "assumptions": assumptions.assumed(architecture, opened.args, opened.entries),
            "unknown_options": training_scripts.unknown(opened.args, architecture.kind),
            "container": opened.container,
            "left_out": list(opened.left_out),
            "labels": self.config.labels_compared_with(),
            "data_set": trained_on(opened.args, architecture.num_labels),
            "versions": {
                "torch": torch.__version__,
                "transformers": transformers.__version__,
                "numpy": np.__version__,
            },
        }
