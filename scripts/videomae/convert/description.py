"""Describes a file and whether it can be converted; nothing is written.

The functions of the conversion itself decide that, so that both agree.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from videomae import names
from videomae.checkpoint import formats, lazy_tensor, reader
from videomae.checkpoint.reader import Checkpoint
from videomae.checkpoint.selection import ENCODER, Selection
from videomae.convert import folding
from videomae.errors import ConversionError, listing, one_line
from videomae.files import finite
from videomae.model.architecture import Architecture
from videomae.model.datasets import DataSet, data_set
from videomae.recognition import assumptions, recognize, training_scripts

UNKNOWN = "?"  # a placeholder for a value that the user must fill in; the schema refuses it

Result = TypeVar("Result")


@dataclass(frozen=True)
class Description:
    """All facts about a file; ``reasons`` say why it can't be converted.

    ``encoder`` describes the encoder alone, if only that can be converted.
    """

    path: Path
    given: Mapping[str, Any]
    selection: Selection
    reasons: tuple[str, ...]
    opened: Checkpoint | None = None
    network: Architecture | None = None
    not_finite: dict[str, int] = field(default_factory=dict)
    encoder: "Description | None" = None

    @property
    def missing(self) -> list[str]:
        """The values that the user must give before the conversion."""
        known = self.network
        return recognize.missing(known.config, known.kind, known.unsettled) if known else []

    @property
    def assumptions(self) -> list[dict[str, Any]]:
        """The assumptions about the network that no tensor shows."""
        if not self.network or not self.opened:
            return []
        return assumptions.assumed(self.network, self.opened.args, self.opened.entries)

    @property
    def unknown_options(self) -> list[str]:
        """The training options that the authors' scripts don't have."""
        if not self.opened:
            return []
        kind = self.network.kind if self.network else "unknown"
        return training_scripts.unknown(self.opened.args, kind)

    @property
    def verdict(self) -> str:
        """Whether the file can be converted; with "yet" if only values are missing."""
        yet = " yet" if self.missing and len(self.reasons) == 1 else ""
        return f"can't be converted{yet}" if self.reasons else "can be converted"

    @property
    def data_set(self) -> DataSet | None:
        """The data set of the training."""
        classes = self.network.num_labels if self.network else None
        return data_set(self.opened.args, classes) if self.opened else None

    @property
    def entry(self) -> dict[str, Any] | None:
        """The entry for config.yaml; None if no entry helps."""
        if self.verdict == "can't be converted":
            return self.encoder.entry if self.encoder else None
        config = {**self.given, **dict.fromkeys(self.missing, UNKNOWN)}
        entry: dict[str, Any] = {"checkpoint": str(formats.located(self.path))}
        entry |= {name: value for name, value in self.selection.asked().items() if value}
        entry |= {"config": config} if config else {}
        if self.data_set and self.data_set.labels and not self.data_set.guessed:
            entry["labels"] = self.data_set.labels
        return {names.variant_name(self.path.stem): entry}

    def lines(self) -> Iterator[str]:
        """Yield the description for users; the entry for config.yaml comes last."""
        if self.opened is None:
            yield f"{self.path}: {self.verdict}: {self.reasons[0]}"
            return
        yield str(self.path)
        yield from (f"  {line}" for line in self._facts(self.opened))
        if self.reasons:
            yield from (f"  {self.verdict}: {reason}" for reason in self.reasons)
        else:
            yield f"  {self.verdict}"
        if self.encoder:
            yield f"  its encoder {self.encoder.verdict}, by part: {ENCODER}"
            yield from (f"  {self.encoder.verdict}: {reason}" for reason in self.encoder.reasons)
        yield from (self.encoder or self)._pasted()

    def _facts(self, opened: Checkpoint) -> Iterator[str]:
        yield from opened.describe()
        if opened.synthetic:
            yield f"synthetic weights: {opened.synthetic}"
        dtypes = ", ".join(f"{name} ({count} tensors)" for name, count in _dtypes(opened).items())
        broken = ", ".join(f"{n} not finite in {name}" for name, n in self.not_finite.items())
        yield f"weights: {_values(opened):,} values, {dtypes}, {broken or 'all finite'}"
        if self.network:
            yield from self.network.describe()
        yield from (one_line(f"{key}: {value}") for key, value in opened.progress.items())
        if opened.optimizer_bytes:
            yield f"optimizer: {opened.optimizer_bytes:,} bytes"
        if self.data_set:
            yield one_line(f"data set: {self.data_set.name} ({self.data_set.why})")
        if unknown := self.unknown_options:
            yield f"options that the authors' scripts don't have: {listing(unknown, most=100)}"
        yield from assumptions.lines(self.assumptions)

    def _pasted(self) -> Iterator[str]:
        if not self.entry:
            return
        yield ""
        yield yaml.safe_dump(
            {"variants": self.entry}, sort_keys=False, allow_unicode=True, width=math.inf
        ).rstrip()
        if self.missing:
            yield f"    # Replace {UNKNOWN!r} with the value from training."
        if self.data_set and self.data_set.guessed:
            yield f"    # labels: {self.data_set.labels}  # {self.data_set.why}"

    def content(self) -> dict[str, Any]:
        """Return the description as JSON content."""
        said: dict[str, Any] = {
            "file": str(self.path),
            "convertible": not self.reasons,
            "reasons": list(self.reasons),
        }
        if self.opened:
            said |= _opened(self.opened)
            said |= {"not_finite": self.not_finite, "missing": self.missing, "entry": self.entry}
            said["data_set"] = vars(self.data_set) if self.data_set else None
            said["unknown_options"] = self.unknown_options
        if self.network:
            origin = self.network.origin
            said["kind"], said["classes"] = self.network.kind, self.network.num_labels
            said["config"] = {
                name: {"value": value, "origin": origin[name]}
                for name, value in self.network.config.items()
            }
            said["assumptions"] = self.assumptions
        return dict(finite(said))


def _opened(opened: Checkpoint) -> dict[str, Any]:
    renamed = ("file", "authors")
    return {
        "container": opened.container,
        "others": list(opened.others),
        "left_behind": list(opened.left_behind),
        "left_out": list(opened.left_out),
        "renamed": dict(zip(renamed, opened.renamed, strict=True)) if opened.renamed else None,
        "shadows": list(opened.shadows),
        "synthetic": opened.synthetic,
        "tensors": len(opened.entries),
        "values": _values(opened),
        "dtypes": _dtypes(opened),
        "progress": dict(opened.progress),
        "optimizer_bytes": opened.optimizer_bytes,
    }


def _values(opened: Checkpoint) -> int:
    return sum(tensor.numel() for tensor in opened.entries.values())


def _dtypes(opened: Checkpoint) -> dict[str, int]:
    return Counter(map(lazy_tensor.dtype, opened.entries.values()))


def describe(
    path: Path, given: Mapping[str, Any], selection: Selection = reader.EVERYTHING
) -> Description:
    """Return the description of a file, with the reason for each failing step of its conversion.

    If the file can't be converted as a whole, its encoder is described too.
    """
    described = _describe(path, given, selection)
    broken = selection.part or not described.opened or described.not_finite
    if not broken and described.verdict == "can't be converted":
        encoder = _describe(path, given, replace(selection, part=ENCODER))
        if encoder.verdict != "can't be converted":
            return replace(described, encoder=encoder)
    return described


def _describe(path: Path, given: Mapping[str, Any], selection: Selection) -> Description:
    reasons: list[str] = []

    def tried(step: Callable[..., Result], *arguments: Any) -> Result | None:
        try:
            return step(*arguments)
        except ConversionError as error:
            reasons.append(one_line(str(error).removeprefix(f"{path}: ")))
        except OSError as error:
            reasons.append(error.strerror or str(error))
        return None

    looked = tried(reader.look_into, path, selection)
    if looked is None:
        return Description(path, given, selection, tuple(reasons))
    opened, faults = looked
    reasons += map(one_line, faults)
    network = tried(recognize.find, opened.shapes, opened.args, given)
    if network:
        reasons += map(one_line, network.strange)
        tried(recognize.require, network.config, network.kind, network.unsettled)
        tried(folding.fold, opened.entries, network)
    broken = reader.not_finite(opened.entries)
    tried(reader.check_finite, {name: opened.entries[name] for name in broken})
    return Description(path, given, selection, tuple(reasons), opened, network, broken)
