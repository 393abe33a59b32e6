"""What does config.yaml ask for?  Its variants, checked, with each step's fields apart.

A step is given only the fields it uses, so that editing a field reruns only the steps that use it.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from jsonschema import ValidationError

from videomae import (
    addresses,
    data_sets,
    labels,
    licenses,
    magic,
    names,
    own,
    receipts,
    recipes,
    remote,
    shared,
    sources,
)
from videomae.errors import ConversionError, about, listing, one_line, suggestion
from videomae.files import sha256

# What is brought from the hub beside the checkpoints.
INPUTS = ("clip", "mask", "labels")

# What verifying recorded outputs needs to know of how they were recorded.
CONDITIONS = ("clip", "image_mean", "image_std")

HERE = Path(remote.HERE)
NOTHING: Mapping[str, receipts.Content] = {}


@dataclass(frozen=True)
class Variant:
    """One entry under ``variants``, with its recorded outputs' conditions filled in.

    ``truth`` is the .npz of what the training code's own network gives, in place of those.
    """

    name: str
    entry: Mapping[str, Any]
    recorded: Mapping[str, Any] | None
    truth: str = ""
    published: str = ""
    at_hand: str = ""
    shared: str = ""
    locked: receipts.Content | None = None
    results: Path = HERE

    @property
    def source(self) -> sources.Source:
        """Where the checkpoint comes from."""
        return sources.parse(self.entry["checkpoint"])

    @property
    def paths(self) -> list[str]:
        """The files of the user's that it names."""
        recorded = self._recorded_locally()
        given = [self.entry.get("labels"), *(recorded.get(kind) for kind in INPUTS)]
        checkpoint = [self.source.address] if self.source.kind == "file" else []
        return [*checkpoint, *(str(path) for path in given if path)]

    @property
    def place(self) -> Path:
        """Where the checkpoint is among the results, or will be."""
        return self.results / f"checkpoints/{self.name}.pth"

    @property
    def existing_file(self) -> list[str]:
        """The checkpoint's own path if it is a file at hand; else nothing."""
        source = self.source
        if source.kind != "file" or not Path(source.address).exists():
            return []
        return [str(magic.located(Path(source.address)))]

    @property
    def brought_from(self) -> str:
        """What the checkpoint is brought from: its source, or the file that stands in for that."""
        return str(self.source) if self.shared else self.at_hand or str(self.source)

    @property
    def brought_to(self) -> list[str]:
        """The option that names the file in the folder that this run adds to, if it does."""
        return [f"--shared={self.shared}"] if self.shared else []

    @property
    def downloads(self) -> int:
        """How many of the transfers that may go on at once it takes: one, or none for a link."""
        return int(not self.at_hand and self.source.kind in sources.ON_NETWORK)

    @property
    def download_megabytes(self) -> int:
        """What bringing the checkpoint takes in memory, where weights made by a rule are held."""
        source = self.source
        made = recipes.weights_bytes(source.address) if source.kind == "synthetic" else 0
        return 300 + made // 2**20

    @property
    def held_to(self) -> list[str]:
        """The options that hold the checkpoint to its pin or, without one, to checkpoints.lock."""
        if self.locked and not self.pinned:
            return ["--locked", str(self.source), str(self.locked.bytes), self.locked.sha256]
        return self.pinned

    @property
    def pinned(self) -> list[str]:
        """The option that holds what is read to its pin, if there is one."""
        return [f"--sha256={self.entry['sha256']}"] if "sha256" in self.entry else []

    @property
    def contradicted(self) -> bool:
        """Whether the checkpoint there has, by its receipt, another SHA-256 than it should."""
        if (known := receipts.of(self.place)) is None:
            return False
        found = known.content.sha256
        expected = self.entry.get("sha256", self.locked.sha256 if self.locked else found).lower()
        return known.source == str(self.source) and found != expected

    @property
    def options(self) -> list[str]:
        """The options that say how it is to be converted, but for its labels."""
        chosen = [f"--weights={self.entry['weights']}"] if "weights" in self.entry else []
        given = [f"{name}={value}" for name, value in sorted(self.entry["config"].items())]
        return [*chosen, f"--dtype={self.entry['dtype']}", "--config", *given]

    @property
    def labels(self) -> list[str]:
        """The list of labels, if any: a shipped one's name, or the path where it is or will be."""
        return [local_path("labels", self.entry["labels"])] if "labels" in self.entry else []

    @property
    def family(self) -> list[str]:
        """The option that says whose code and paper it is of, if config.yaml does."""
        return [f"--family={self.entry['family']}"] if "family" in self.entry else []

    @property
    def recorded_files(self) -> dict[str, str]:
        """The clip and mask that recorded outputs need, where they are or will be."""
        files = {kind: self._recorded_locally().get(kind, "") for kind in ("clip", "mask")}
        return {
            kind: file for kind, file in files.items() if file and not file.startswith("synthetic")
        }

    @property
    def clip_at_hand(self) -> list[str]:
        """The clip that outputs were recorded on, if it is a file and there."""
        clip = self.recorded_files.get("clip", "")
        brought = clip.startswith(f"{remote.HERE}/")
        place = remote.place(clip, self.results) if brought else Path(clip)
        return [clip] if place.is_file() else []

    @property
    def recorded_option(self) -> str:
        """The recorded outputs as the verifying command reads them; null without any."""
        return self.truth or json.dumps(self._recorded_locally() or None)

    @property
    def truth_sha256(self) -> str:
        """What tells that the file of ``truth`` is another one, even an older one; else empty."""
        return sha256(Path(self.truth)) if self.truth else ""

    @property
    def published_folder(self) -> str:
        """Where the folder that is published already is, or will be brought to from the hub."""
        local = Path(self.published).is_dir()
        return self.published if local else f"results/published/{self.name}"

    @property
    def published_files(self) -> list[str]:
        """What that folder holds if it is at hand, so that a change is seen; else the folder."""
        if self.published_folder != self.published:
            return [self.published_folder]
        return [str(path) for path in sorted(Path(self.published).iterdir()) if path.is_file()]

    def card_options(self, license_: Mapping[str, str], namespace: str | None) -> list[str]:
        """What the model card states beside the verification's figures.

        A base model of this config.yaml is on the hub where this one is, if that is known.
        """
        options = [f"--{key.replace('_', '-')}={value}" for key, value in license_.items()]
        if "published" in self.entry:
            options.append(f"--published={json.dumps(self.entry['published'])}")
        options += self.family
        options += [f"--data-set={name}" for name in self.entry.get("datasets", [])]
        if base := self.entry.get("base_model"):
            whole = base if "/" in base or not namespace else f"{namespace}/{base}"
            options.append(f"--base-model={whole}")
        return options

    def _recorded_locally(self) -> dict[str, Any]:
        recorded = self.recorded or {}
        return {key: local_path(key, value) for key, value in recorded.items() if key != "under"}


def local_path(kind: str, name: Any) -> Any:
    """Give the path that a dataset's file is brought to; anything else as it is."""
    if kind in INPUTS and str(name).startswith("hub:"):
        return f"results/inputs/{kind}/{name.removeprefix('hub:').removeprefix('datasets/')}"
    return name


@dataclass(frozen=True)
class Settings:
    """A whole config.yaml; ``variants`` are those that this run converts.

    ``license`` holds what the cards' metadata states of it, under the hub's keys.
    """

    variants: dict[str, Variant]
    recorded_outputs: str
    push: Mapping[str, Any]
    license: Mapping[str, str]
    device: str
    releases: list[str]
    published: bool
    keep_checkpoints: bool
    transfers_here: bool

    @property
    def push_step(self) -> str | None:
        """The last step of each variant: to push it, to say what that would do, or neither."""
        if not self.push["enabled"]:
            return None
        return "push_plan" if self.push["dry_run"] else "push"


def read(
    config: Mapping[str, Any],
    shipped_labels: Iterable[str],
    lock: Mapping[str, receipts.Content] = NOTHING,
    results: Path = HERE,
) -> Settings:
    """Read a config that the schema has passed; ``shipped_labels`` are the lists it may name.

    ``lock`` is what each source gave before, ``results`` where what the steps leave is read.

    Raises `ConversionError`, which names the path in config.yaml, for what no schema can tell.
    """
    push = config["push"]
    license_ = {key: config[key] for key in licenses.KEYS if key in config}
    licenses.check(license_)
    if (mine := own.variants(config)) is not None:
        config = {**config, "variants": mine, "models": "all"}
        license_ = {}  # the one in config.yaml is that of the authors' weights
    elif not config["variants"]:
        raise ConversionError("variants: there are none; give some, or `checkpoint` with a path")
    chosen = _chosen(config["models"], config["variants"])
    names.check_variants(chosen)
    variants = {name: _variant(name, config, tuple(shipped_labels)) for name in chosen}
    for name, variant in variants.items():
        for path in variant.paths:
            with about(f"variants.{name}"):
                names.check_path(path)
    folder, adds = _shared_folder(config)
    variants = {
        name: replace(
            variant,
            locked=_locked(variant, lock),
            at_hand=_at_hand(variant, folder, results),
            shared=str(_place(variant, folder) or "") if adds else "",
            results=results,
        )
        for name, variant in variants.items()
    }
    rehearsed = [name for name, variant in variants.items() if variant.source.kind == "synthetic"]
    if push["enabled"] and rehearsed:
        raise ConversionError(
            f"push.enabled: {listing(rehearsed)} have synthetic weights, which are never pushed"
        )
    if not (config["keep_checkpoints"] or remote.are_here(results)):
        raise ConversionError(
            f"keep_checkpoints: false removes checkpoints here, not from {results}; leave it out, "
            "and remove them there"
        )
    if (pattern := config.get("published")) is not None:
        variants = _published(pattern, variants)
    return Settings(
        variants,
        config["recorded_outputs"],
        push,
        license_,
        config["device"],
        config["releases"],
        pattern is not None,
        config["keep_checkpoints"],
        config["transfers_here"],
    )


def explain(error: ValidationError) -> str:
    """Say what is wrong with config.yaml: the path, what stands there, what may stand there."""
    return one_line(addresses.redacted(_explained(error)))


def _explained(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path))
    schema = cast(dict[str, Any], error.schema)
    where = f"config.yaml: {path or 'top level'}"
    if error.validator == "additionalProperties":
        allowed = schema.get("properties", {})
        unknown = [key for key in cast(dict[str, Any], error.instance) if key not in allowed]
        prefix = f"{path}." if path else ""
        return (
            f"config.yaml: {prefix}{unknown[0]}: no such key"
            f"{suggestion(unknown[0], allowed)}; allowed are {', '.join(allowed)}"
        )
    if error.validator == "required":
        return f"{where}: {error.message}"
    if error.validator == "enum":
        allowed = cast(list[str], error.validator_value)
        return f"{where}: {error.instance!r} is not one of {', '.join(allowed)}"
    meaning = schema.get("description")
    return f"{where}: {error.message}" + (f" (this is {meaning})" if meaning else "")


def _chosen(models: str | list[str], known: Mapping[str, Any]) -> list[str]:
    names = models.split(",") if isinstance(models, str) else models
    names = [name.strip() for name in names]
    if names == ["all"]:
        return list(known)
    for name in names:
        if name not in known:
            raise ConversionError(
                f"models: {name!r} is no variant{suggestion(name, known)}; "
                f"there are {listing(known, most=30)}, or all"
            )
    return list(dict.fromkeys(names))


def _variant(name: str, config: Mapping[str, Any], shipped_labels: tuple[str, ...]) -> Variant:
    entry = config["variants"][name]
    recorded = entry.get("recorded")
    truth = recorded if isinstance(recorded, str) else ""
    conditions = _recorded(name, None if truth else recorded, config)
    variant = Variant(name, entry, conditions, truth)
    try:
        if variant.source.kind == "synthetic":
            recipes.recipe(variant.source.address)
    except ConversionError as error:
        raise ConversionError(f"variants.{name}.checkpoint: {error}") from error
    if entry.get("labels") == labels.NONE:
        raise ConversionError(
            f"variants.{name}.labels: leave it out for LABEL_0, LABEL_1 …; a file of the name "
            f"{labels.NONE} is ./{labels.NONE}"
        )
    _check_file(f"variants.{name}.labels", entry.get("labels"), shipped_labels)
    _check_stated(name, entry, config["variants"])
    if truth and config["recorded_outputs"] != "skip":
        _check_truth(f"variants.{name}.recorded", Path(truth))
    if variant.recorded and config["recorded_outputs"] != "skip":
        _check_file(f"variants.{name}.recorded.clip", variant.recorded["clip"], ("synthetic",))
        _check_logits(f"variants.{name}.recorded.logits", variant.recorded["logits"])
        mask = variant.recorded.get("mask", "")
        _check_ratio(f"variants.{name}.recorded.mask", mask)
        _check_file(f"variants.{name}.recorded.mask", mask.split(":")[0], ("synthetic", "hub", ""))
    return variant


def _check_stated(name: str, entry: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse data sets and a base model that the card could not state."""
    stated = [("datasets", each) for each in entry.get("datasets", [])]
    if "published" in entry:
        stated.append(("published.dataset", entry["published"]["dataset"]))
    for key, data_set in stated:
        with about(f"variants.{name}.{key}"):
            data_sets.identifier(data_set)
    _check_published(name, entry)
    base = entry.get("base_model")
    another = base in known and base != name
    if base is not None and not another and not data_sets.ON_HUB.fullmatch(base):
        raise ConversionError(
            f"variants.{name}.base_model: {base!r} is neither another variant"
            f"{suggestion(base, known.keys() - {name})} nor OWNER/NAME on the hub"
        )


def _check_published(name: str, entry: Mapping[str, Any]) -> None:
    """Refuse an accuracy on a data set that has other classes than the list of labels.

    What the head itself has is known once the checkpoint is there: the card's step looks at that.
    """
    listed = [known for known in data_sets.DATA_SETS.values() if known.labels]
    classes = {known.labels: known.classes for known in listed}.get(entry.get("labels"))
    if classes and "published" in entry:
        with about(f"variants.{name}"):
            data_set = entry["published"]["dataset"]
            data_sets.refuse_other_classes(data_set, classes, "a network with these labels")


def _locked(variant: Variant, lock: Mapping[str, receipts.Content]) -> receipts.Content | None:
    """Give what a variant's source gave before; its pin must not contradict that."""
    recorded = lock.get(str(variant.source))
    pinned = variant.entry.get("sha256", "").lower()
    if recorded and pinned and pinned != recorded.sha256:
        raise ConversionError(
            f"variants.{variant.name}.sha256: {pinned} is pinned, but {receipts.LOCK} recorded "
            f"{recorded} for {variant.source}; correct the pin, or remove that entry"
        )
    return recorded


def _shared_folder(config: Mapping[str, Any]) -> tuple[Path | None, bool]:
    """Give the folder of checkpoints that runs share, and whether this one adds to it."""
    folder = Path(config["checkpoints_dir"]).absolute() if "checkpoints_dir" in config else None
    adds: bool = config["add_to_checkpoints_dir"]
    if folder and not folder.is_dir():
        raise ConversionError(f"checkpoints_dir: there is no folder {folder}")
    if adds and not folder:
        raise ConversionError("add_to_checkpoints_dir: needs checkpoints_dir, the folder to add to")
    if adds and not os.access(str(folder), os.W_OK):
        raise ConversionError(f"add_to_checkpoints_dir: {folder} can't be written to")
    return folder, adds


def _place(variant: Variant, folder: Path | None) -> Path | None:
    """Give where a shared folder has, or is to have, what the network gives for a variant."""
    if folder is None or variant.source.kind not in sources.ON_NETWORK:
        return None
    return folder / f"{variant.name}.pth"


def _at_hand(variant: Variant, folder: Path | None, results: Path) -> str:
    """Give the file that stands in for a variant's source on the network; empty if none does."""
    file = _place(variant, folder)
    if file is None or not file.is_file():
        return ""
    ours = replace(variant, results=results).place.with_suffix(".json")
    shared.hold(file, str(variant.source), ours)
    return str(file)


def _check_truth(where: str, path: Path) -> None:
    if path.suffix != ".npz":
        raise ConversionError(f"{where}: {str(path)!r} is no .npz file, as numpy.savez writes it")
    if not path.is_file():
        raise ConversionError(f"{where}: no such file: {path.absolute()}")


def _check_logits(where: str, logits: list[Any]) -> None:
    lengths = {len(row) if isinstance(row, list) else 0 for row in logits}
    if len(lengths) > 1:
        raise ConversionError(f"{where}: rows of {listing(map(str, sorted(lengths)))} numbers")


def _check_ratio(where: str, mask: str) -> None:
    word, _, ratio = mask.partition(":")
    if word == "synthetic" and not re.fullmatch(r"0?\.\d+", ratio):
        raise ConversionError(
            f"{where}: {mask!r} has no ratio between 0 and 1, as synthetic:0.9 has"
        )


def _published(pattern: str, variants: Mapping[str, Variant]) -> dict[str, Variant]:
    """Give each variant the published folder that it is compared with."""
    if "{variant}" not in pattern and len(variants) > 1:
        raise ConversionError(
            f"published: {pattern!r} can't be the folder of {len(variants)} variants; choose one "
            "(--config models=NAME) or write {variant} where the name belongs"
        )
    names = {name: pattern.replace("{variant}", name) for name in variants}
    for folder in names.values():
        if not Path(folder).is_dir() and not sources.REPOSITORY.fullmatch(folder):
            raise ConversionError(
                f"published: {folder!r} is neither a folder (looked for "
                f"{Path(folder).absolute()}) nor OWNER/REPO[@REVISION] on the hub"
            )
    return {name: replace(variants[name], published=folder) for name, folder in names.items()}


def _recorded(
    name: str, recorded: Mapping[str, Any] | None, config: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Fill in the conditions that ``under`` refers to; what the entry itself says wins."""
    if recorded is None:
        return None
    where = f"variants.{name}.recorded"
    conditions: Mapping[str, Any] = {}
    if "under" in recorded:
        known = config["recorded_under"]
        if recorded["under"] not in known:
            raise ConversionError(
                f"{where}.under: {recorded['under']!r} is not under recorded_under, "
                f"where {listing(known) or 'nothing'} stands"
            )
        conditions = known[recorded["under"]]
    overrides = {**conditions.get("config", {}), **recorded.get("config", {})}
    filled = {**conditions, **recorded, "config": overrides}
    missing = [condition for condition in CONDITIONS if condition not in filled]
    if missing:
        raise ConversionError(
            f"{where}: {', '.join(missing)} missing, here and in what `under` names"
        )
    return filled


def _check_file(where: str, name: str | None, others: tuple[str, ...]) -> None:
    """Refuse what is neither a word that has a meaning here, nor on the hub, nor a file."""
    if name is None or name in others or name.startswith("hub:"):
        return
    if not Path(name).is_file():
        words = [word for word in others if word]
        raise ConversionError(
            f"{where}: {name!r} is neither {' nor '.join(words)} nor a file (looked for "
            f"{Path(name).absolute()})"
        )
