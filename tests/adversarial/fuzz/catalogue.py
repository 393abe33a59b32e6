"""Every kind of file that is read, what can be done to it, and what is then run on it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save_file
from videomae.download import synthetic_weights
from videomae.verify import clips

from tests.adversarial.fuzz import mutators, subjects
from tests.adversarial.fuzz.mutators import Bytes
from tests.adversarial.fuzz.runner import Case, Limits, Mutate, Verdict, attempt
from tests.conftest import GIVEN, SEVEN_LABELS, command, given

FINETUNED, PRETRAINING = GIVEN


@dataclass(frozen=True)
class Kind:
    """A kind of file: a right one, its name in the folder, its mutations, and what is run."""

    right: Path
    name: str
    mutations: Mapping[str, Bytes]
    run: Callable[[], str | None]
    beside: Callable[[Path], object] | None = None

    def mutate(self, mutation: str) -> Mutate:
        """Give what writes the mutated file, and what must stand beside it."""

        def write(random: Random, folder: Path) -> None:
            if self.beside:
                self.beside(folder)
            path = folder / self.name
            path.write_bytes(self.mutations[mutation](random, self.right.read_bytes()))

        return write


class Catalogue:
    """All kinds of files, made once in a folder."""

    def __init__(self, workplace: Path) -> None:
        self.workplace = workplace
        for network in GIVEN:
            _make(workplace, network)
        self.kinds = {
            **self._checkpoints(FINETUNED),
            **self._checkpoints(PRETRAINING),
            **self._labels(),
            **self._recordings(),
            **self._folders(),
            **self._configs(),
        }

    def cases(self, seed: int, count: int) -> list[Case]:
        """Give so many cases, every mutation of every kind in turn, each with a seed of its own."""
        turns = [(kind, name) for kind, held in self.kinds.items() for name in held.mutations]
        order = Random(seed).sample(turns, len(turns))
        pairs = [order[number % len(order)] for number in range(count)]
        return [Case(*pair, seed=seed * 1_000_003 + n) for n, pair in enumerate(pairs)]

    def attempt(self, case: Case, limits: Limits | None = None) -> Verdict:
        """Try one case."""
        kind = self.kinds[case.kind]
        return attempt(case.seed, kind.mutate(case.mutation), kind.run, limits)

    def _checkpoints(self, network: str) -> dict[str, Kind]:
        short = network.removeprefix("tiny-")
        of_zip = {name: mutators.of_contents(c, True) for name, c in mutators.CONTENTS.items()}
        of_old = {name: mutators.of_contents(c, False) for name, c in mutators.CONTENTS.items()}
        in_zip = {name: mutators.in_pickle(c) for name, c in mutators.PICKLES.items()}
        in_old = {name: mutators.in_legacy_pickle(c) for name, c in mutators.PICKLES.items()}
        forms: dict[str, tuple[str, Mapping[str, Bytes]]] = {
            "zip": ("pth", {**mutators.BYTES, **of_zip, **mutators.ARCHIVES, **in_zip}),
            "before zip": ("old.pth", {**mutators.BYTES, **of_old, **in_old, **mutators.LEGACY}),
            "safetensors": ("safetensors", {**mutators.BYTES, **mutators.SAFETENSORS}),
        }
        right = self.workplace / f"{network}.pth"
        run = partial(subjects.checkpoint_converts, "file.pth", right, network)
        return {
            f"checkpoint, {form} ({short})": Kind(
                right.with_suffix(f".{ending}"), "file.pth", mutations, run
            )
            for form, (ending, mutations) in forms.items()
        }

    def _labels(self) -> dict[str, Kind]:
        path = self.workplace / f"{FINETUNED}.pth"
        mutations = {
            "txt": {**mutators.BYTES, **mutators.TEXTS},
            "json": {**mutators.BYTES, **mutators.TEXTS, **mutators.JSON},
            "csv": {**mutators.BYTES, **mutators.TEXTS},
        }
        return {
            f"labels, {ending}": Kind(
                self.workplace / f"labels.{ending}",
                f"labels.{ending}",
                held,
                partial(subjects.labels_are_taken, f"labels.{ending}", path, FINETUNED),
            )
            for ending, held in mutations.items()
        }

    def _recordings(self) -> dict[str, Kind]:
        def kind(name: str, key: str, network: str, mutations: Mapping[str, Bytes]) -> Kind:
            path = self.workplace / network
            run = partial(
                subjects.recording_agrees, {key: name}, path.with_suffix(".pth"), path, network
            )
            return Kind(self.workplace / name, name, mutations, run)

        masks = {name: mutators.in_pickle(change) for name, change in mutators.PICKLES.items()}
        # Its pickle has no dictionary that something could be put into.
        masks = {name: masks[name] for name in ("pickle: other opcodes", "pickle: bytes flipped")}
        of_mask = {"another mask": mutators.mask}
        masks = {**mutators.BYTES, **mutators.ARCHIVES, **masks, **of_mask}
        return {
            "clip": kind("clip.npy", "clip", FINETUNED, {**mutators.BYTES, **mutators.ARRAYS}),
            "mask": kind("mask.pt", "mask", PRETRAINING, masks),
        }

    def _folders(self) -> dict[str, Kind]:
        changes = {
            **mutators.BYTES,
            **mutators.TEXTS,
            **mutators.JSON,
            "value, 2": mutators.change_value,
        }
        weights = {**mutators.BYTES, **mutators.SAFETENSORS}
        found = {}
        for network in GIVEN:
            right = self.workplace / network
            run = partial(
                subjects.folder_is_judged, self.workplace / f"{network}.pth", right, network
            )
            short = network.removeprefix("tiny-")
            for name, mutations in (
                ("config.json", changes),
                ("model.safetensors", weights),
                ("preprocessor_config.json", {**mutators.JSON, **mutators.TEXTS}),
            ):
                kind = Kind(right / name, f"folder/{name}", mutations, run, partial(_copy, right))
                found[f"folder's {name} ({short})"] = kind
        return found

    def _configs(self) -> dict[str, Kind]:
        path = self.workplace / "config.yaml"
        mutations = {**mutators.BYTES, **mutators.TEXTS, **mutators.YAML}
        slow = ("noise", "something strange typed", "line twice", "aliases doubled, inside")
        some = {name: mutations[name] for name in (*slow, "tags and templates", "cut short")}
        read = partial(subjects.config_is_read, "config.yaml")
        return {
            "config.yaml": Kind(path, "config.yaml", mutations, read),
            "config.yaml, by snakemake": Kind(path, "config.yaml", some, subjects.workflow_plans),
        }


def _copy(right: Path, folder: Path) -> None:
    (folder / "folder").mkdir()
    for path in right.iterdir():
        (folder / "folder" / path.name).write_bytes(path.read_bytes())


def _make(workplace: Path, network: str) -> None:
    """Make the right files of one network."""
    path, folder = workplace / f"{network}.pth", workplace / network
    synthetic_weights.save(network, path)
    content = torch.load(path, weights_only=False)
    torch.save(content, workplace / f"{network}.old.pth", _use_new_zipfile_serialization=False)
    save_file(mutators.state_of(content), workplace / f"{network}.safetensors")
    outcome = command("convert", path, folder, *given(network))
    assert outcome.code == 0, outcome.output
    clip = clips.synthetic_clip(4, 32)
    np.save(workplace / "clip.npy", clip)
    torch.save(
        clips.tube_mask(
            {"image_size": 32, "patch_size": 16, "num_frames": 4, "tubelet_size": 2}, 0.5
        ),
        workplace / "mask.pt",
    )
    mask = str(workplace / "mask.pt") if network == PRETRAINING else None
    found = subjects.outputs(folder, workplace / "clip.npy", mask)
    _record(workplace / f"{network}.recorded.json", found, mask)
    names = SEVEN_LABELS.splitlines()
    (workplace / "labels.txt").write_text(SEVEN_LABELS)
    (workplace / "labels.json").write_text(json.dumps(dict(enumerate(names)), indent=1))
    rows = "".join(f'{number},"{name}"\n' for number, name in enumerate(names))
    (workplace / "labels.csv").write_text(f"id,name\n{rows}")
    (workplace / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))


def _record(path: Path, found: Any, mask: str | None) -> None:
    shape = [1, 7] if mask is None else [1, 4, 1536]
    recorded = {"shape": shape, "logits": found.tolist(), "clip": str(path.parent / "clip.npy")}
    half = [0.5, 0.5, 0.5]
    path.write_text(json.dumps(recorded | {"mask": mask, "image_mean": half, "image_std": half}))


CONFIG: dict[str, Any] = {
    "models": ["one", "two"],
    "recorded_outputs": "require",
    "license": "mit",
    "device": "cpu",
    "releases": ["5.24.0"],
    "push": {"enabled": False, "namespace": "someone", "private": True},
    "recorded_under": {
        "script": {
            "clip": "synthetic",
            "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5],
            "config": {"layer_norm_eps": 1e-12},
        }
    },
    "variants": {
        "one": {
            "checkpoint": "gdrive:1tEhLyskjb755TJ65ptsrafUG2llSwQE1",
            "sha256": "0" * 64,
            "config": {"num_attention_heads": 6, "num_frames": 16},
            "labels": "kinetics400",
            "datasets": ["Kinetics-400"],
            "base_model": "two",
            "published": {
                "dataset": "Kinetics-400",
                "top1": 79.0,
                "top5": 93.8,
                "source": "https://example.org/zoo",
            },
            "recorded": {"under": "script", "shape": [1, 400], "logits": [-0.9, -0.4, -0.9]},
        },
        "two": {
            "checkpoint": "hub:owner/repo/file.pth@main",
            "weights": "model_ema",
            "dtype": "float16",
            "recorded": {
                "under": "script",
                "mask": "synthetic:0.9",
                "shape": [1, 1408, 1536],
                "logits": [[0.7, 0.8], [0.1, 0.2]],
                "loss": {"norm_pix": 0.5, "raw_pix": 0.6},
            },
        },
    },
}
