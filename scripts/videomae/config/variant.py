"""The options of each step for one variant.

Each step gets only the options that it uses, so an edit in config.yaml reruns only those steps.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videomae import results_location
from videomae.checkpoint import formats, repository
from videomae.config.entry import Entry, Recorded
from videomae.download import receipts, sources, synthetic_recipes
from videomae.errors import ConversionError
from videomae.results_location import INPUTS

HERE = Path(results_location.HERE)


@dataclass(frozen=True)
class Variant:
    """One entry under ``variants``, with all conditions of its recorded outputs.

    ``truth`` is the .npz file with outputs of the training code's own network, if there is one.
    """

    name: str
    entry: Entry
    recorded: Recorded | None
    truth: str = ""
    published: str = ""
    at_hand: str = ""
    shared: str = ""
    locked: receipts.Content | None = None
    results: Path = HERE

    @property
    def source(self) -> sources.Source:
        """The source of the checkpoint."""
        return sources.parse(self.entry.checkpoint)

    @property
    def paths(self) -> list[str]:
        """The user's own files in the entry."""
        recorded = self._recorded_locally()
        given = [self.entry.labels, *(recorded.get(kind) for kind in INPUTS)]
        checkpoint = [self.source.address] if self.source.kind == "file" else []
        return [*checkpoint, *(str(path) for path in given if path)]

    @property
    def place(self) -> Path:
        """The path of the checkpoint among the results."""
        return self.results / f"checkpoints/{self.name}.pth"

    @property
    def existing_file(self) -> list[str]:
        """The checkpoint's own path if it is an existing local file; else an empty list.

        For a copy of a hub repository the files in it. A folder without exactly one checkpoint is
        returned unchanged: its own step refuses it, so that other variants go on.
        """
        source = self.source
        if source.kind != "file" or not Path(source.address).exists():
            return []
        with suppress(ConversionError, OSError):
            if self.source.packed:
                return [str(file) for file in repository.files(Path(source.address))]
            return [str(formats.located(Path(source.address)))]
        return [source.address]

    @property
    def brought_from(self) -> str:
        """The download source: the entry's own, or the local file that replaces it."""
        return str(self.source) if self.shared else self.at_hand or str(self.source)

    @property
    def brought_to(self) -> list[str]:
        """The option that names the file in the shared folder, if this run adds to it."""
        return [f"--shared={self.shared}"] if self.shared else []

    @property
    def downloads(self) -> int:
        """The number of transfers that the download counts as: 1, or 0 for a link."""
        return int(not self.at_hand and self.source.kind in sources.ON_NETWORK)

    @property
    def download_megabytes(self) -> int:
        """The memory that the download needs, in MB; synthetic weights are held in memory."""
        source = self.source
        made = synthetic_recipes.weights_bytes(source.address) if source.kind == "synthetic" else 0
        return 300 + made // 2**20

    @property
    def known_bytes(self) -> int | None:
        """The checkpoint's size in bytes by its source or checkpoints.lock; None if unknown."""
        source, local = self.source, Path(self.at_hand or self.source.address)
        if source.kind == "synthetic":
            return synthetic_recipes.weights_bytes(source.address)
        if (self.at_hand or source.kind == "file") and local.is_file():
            return local.stat().st_size
        if self.source.packed:
            return sum(Path(file).stat().st_size for file in self.existing_file)
        return self.locked.bytes if self.locked else None

    @property
    def held_to(self) -> list[str]:
        """The options with the expected checksum: config.yaml's, or else checkpoints.lock's."""
        if self.locked and not self.pinned:
            return ["--locked", str(self.source), str(self.locked.bytes), self.locked.sha256]
        return self.pinned

    @property
    def pinned(self) -> list[str]:
        """The option with the expected checksum in config.yaml, if there is one."""
        return [f"--sha256={self.entry.sha256}"] if self.entry.sha256 else []

    @property
    def contradicted(self) -> bool:
        """Whether the receipt of the checkpoint has another SHA-256 than expected."""
        if (known := receipts.of(self.place)) is None:
            return False
        found = known.content.sha256
        locked = self.locked.sha256 if self.locked else found
        expected = (self.entry.sha256 or locked).lower()
        return known.source == str(self.source) and found != expected

    @property
    def options(self) -> list[str]:
        """The options of the conversion, without the labels."""
        chosen = [f"--weights={self.entry.weights}"] if self.entry.weights else []
        chosen += [f"--part={self.entry.part}"] if self.entry.part else []
        patterns = self.entry.leave_behind or []
        chosen += ["--leave-behind", *patterns] if patterns else []
        given = [f"{name}={value}" for name, value in sorted(self.entry.config.given.items())]
        return [*chosen, f"--dtype={self.entry.dtype}", "--config", *given]

    @property
    def labels(self) -> list[str]:
        """The list of labels, if any: a shipped list's name, or a path."""
        return [local_path("labels", self.entry.labels)] if self.entry.labels else []

    @property
    def family(self) -> list[str]:
        """The option that names the project of the code and paper, if config.yaml does."""
        return [f"--family={self.entry.family}"] if self.entry.family else []

    @property
    def recorded_files(self) -> dict[str, str]:
        """The paths of the clip and the mask that recorded outputs need."""
        files = {kind: self._recorded_locally().get(kind, "") for kind in ("clip", "mask")}
        return {
            kind: file for kind, file in files.items() if file and not file.startswith("synthetic")
        }

    @property
    def clip_at_hand(self) -> list[str]:
        """The path of the clip of the recorded outputs, if that file exists."""
        clip = self.recorded_files.get("clip", "")
        brought = clip.startswith(f"{results_location.HERE}/")
        place = results_location.place(clip, self.results) if brought else Path(clip)
        return [clip] if place.is_file() else []

    @property
    def recorded_option(self) -> str:
        """The value of ``videomae verify --recorded``; "null" without recorded outputs."""
        return self.truth or json.dumps(self._recorded_locally() or None)

    @property
    def published_folder(self) -> str:
        """The path of the published folder: a local one, or the place of its download."""
        local = Path(self.published).is_dir()
        return self.published if local else f"results/published/{self.name}"

    @property
    def published_files(self) -> list[str]:
        """The files of a local published folder, so that changes are seen; else the folder."""
        if self.published_folder != self.published:
            return [self.published_folder]
        return [str(path) for path in sorted(Path(self.published).iterdir()) if path.is_file()]

    def card_options(self, license_: Mapping[str, str], namespace: str | None) -> list[str]:
        """Return the options of ``videomae card``.

        A base model that is another variant gets the namespace of this one, if there is one.
        """
        options = [f"--{key.replace('_', '-')}={value}" for key, value in license_.items()]
        if self.entry.published:
            options.append(f"--published={json.dumps(self.entry.published.given)}")
        options += self.family
        options += [f"--data-set={name}" for name in self.entry.datasets or []]
        if base := self.entry.base_model:
            whole = base if "/" in base or not namespace else f"{namespace}/{base}"
            options.append(f"--base-model={whole}")
        return options

    def _recorded_locally(self) -> dict[str, Any]:
        if self.recorded is None:
            return {}
        recorded = self.recorded.model_dump(exclude_none=True, exclude={"under"})
        return {key: local_path(key, value) for key, value in recorded.items()}


def local_path(kind: str, name: Any) -> Any:
    """Return the local path of a dataset's file on the hub; any other name unchanged."""
    if kind in INPUTS and str(name).startswith("hub:"):
        return f"results/inputs/{kind}/{name.removeprefix('hub:').removeprefix('datasets/')}"
    return name
