"""The expected config and outputs of a folder, derived from its checkpoint."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from videomae.checkpoint import reader
from videomae.checkpoint.lazy_tensor import Entry, Values
from videomae.convert import model_folder
from videomae.errors import ConversionError
from videomae.model import labels
from videomae.model.architecture import Architecture
from videomae.verify.reference import Reference
from videomae.verify.report import NOT_COMPARED


@dataclass(frozen=True)
class ExpectedConfig:
    """The config.json of a right folder.

    ``label_list`` is the file with the classes' names; without one they have numbers for names. If
    labels are not to be compared, any of the folder's own are right. ``synthetic`` is
    the text that marks synthetic weights.
    """

    architecture: Architecture
    dtype: str
    synthetic: str | None = None
    label_list: Path | None = None
    compare_labels: bool = True

    def values(self, folder: Path) -> dict[str, Any]:
        """Return every value; ``folder`` is where labels come from that are not compared."""
        names = labels.id2label(self.architecture.num_labels or 0, self.label_list)
        if not self.compare_labels:
            with suppress(ConversionError, OSError):
                names = self.labels_of(folder)
        return model_folder.model_config(self.architecture, names, self.synthetic, self.dtype)

    def labels_of(self, folder: Path) -> dict[int, str]:
        """Return a folder's labels; raises `ConversionError` unless each class has one."""
        config = model_folder.read_json(folder / model_folder.CONFIG)
        return labels.of_config(config, self.architecture.num_labels or 0)

    def labels_compared_with(self) -> str | None:
        """Return what labels are compared with; None without labels."""
        if not self.architecture.num_labels:
            return None
        if not self.compare_labels:
            return NOT_COMPARED
        return str(self.label_list) if self.label_list else labels.NONE


@dataclass(frozen=True)
class ExpectedNetwork:
    """The authors' network, and its tensors by their names at each stage of a conversion.

    ``original`` are the checkpoint's tensors. ``folded`` are those without the ones that
    transformers has no place for; None if there are none of these. ``stored`` are the folder's, in
    its ``dtype``. ``rounded_tables`` are position tables in the checkpoint that float32 moved.
    """

    architecture: Architecture
    device: torch.device
    dtype: str
    original: Mapping[str, Entry]
    folded: Mapping[str, Entry] | None
    stored: Mapping[str, Entry]
    rounded_tables: tuple[str, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """The network's sizes, by transformers' names."""
        return self.architecture.config

    @property
    def proven(self) -> dict[str, Entry]:
        """The checkpoint's tensors without the tables that float32 moved, which are exact then."""
        return {n: entry for n, entry in self.original.items() if n not in self.rounded_tables}

    @property
    def rounded(self) -> bool:
        """Whether the folder's tensors are narrower than float32."""
        return self.dtype != "float32"

    def reference(self, tensors: Mapping[str, Entry]) -> Reference:
        """Compute on the tensors of one of the stages, widened to float32."""
        return Reference(Values(reader.cast(tensors, "float32")), self.architecture, self.device)
