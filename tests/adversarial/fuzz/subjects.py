"""What is run on each kind of hostile file, and whether what came of it is right.

Right means: verification passes, and the results are what numpy, safetensors or torch read plainly.
"""

import argparse
import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor

from tests.adversarial.fuzz.runner import WrongError, clear, forget, refusal
from tests.conftest import ROOT, command, given, process

Tensors = Mapping[str, Tensor]


def contents(tensors: Tensors, split: bool) -> Counter[bytes]:
    """Give what tensors hold in float32, whatever they are called; split as a folder has them."""
    held: Counter[bytes] = Counter()
    for name, tensor in tensors.items():
        plain = tensor.detach().resolve_neg().float().contiguous()
        parts = plain.chunk(3) if split and name.endswith("attn.qkv.weight") else [plain]
        copies = 2 if split and name.endswith(("attn.q_bias", "attn.v_bias")) else 1
        for part in parts:
            held[str(tuple(part.shape)).encode() + part.numpy().tobytes()] += copies
    return held


# What may stand beside the tensors, for torch's own careful loader.
BESIDE: list[Any] = [argparse.Namespace, np.dtype, np.dtypes.Float64DType]
BESIDE += [(np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar")]


def plainly_read(path: Path, right: Path) -> Tensors:
    """Read a checkpoint's state dict by torch or safetensors alone.

    Where that refuses what stands beside it, the tensors must be those of the right file.
    """
    if path.read_bytes()[8:9] == b"{":
        return dict(load_file(path))
    try:
        with torch.serialization.safe_globals(BESIDE):
            held = torch.load(path, weights_only=True, map_location="cpu")
    except Exception:  # as it likes
        held = torch.load(right, weights_only=False)
    named: list[Tensors] = [
        held[name] for name in ("model", "module") if isinstance(held.get(name), Mapping)
    ]
    return named[0] if named else dict(held)


def checkpoint_converts(name: str, right: Path, network: str) -> str | None:
    """Convert a checkpoint; verify what came of it, and compare with the plainly read tensors."""
    options = given(network)
    described = command("inspect", name, *options)
    if described.code not in (0, 1) or not described.output.replace("\n", "").isprintable():
        raise WrongError(f"described with exit code {described.code}: {described.output!r}")
    said = refusal(command("convert", name, "out", *options), name)
    if said is not None:
        return said
    plain = plainly_read(Path(name), right)
    if contents(plain, True) != contents(load_file("out/model.safetensors"), False):
        raise WrongError("converted into other tensors than the file has")
    said = refusal(command("verify", name, "out", *options), "out failed")
    if said is not None and all(tensor.abs().max() < ABSURD for tensor in plain.values()):
        raise WrongError(f"converted, but: {said}")
    forget("out")
    return said


ABSURD = 1e10  # of such a weight the proof may say that nothing can be computed with it


def labels_are_taken(name: str, path: Path, network: str) -> str | None:
    """Convert with a list of labels; compare with the plainly read list."""
    said = refusal(command("convert", path, "out", "--labels", name, *given(network)), name)
    if said is not None:
        return said
    held = json.loads(Path("out/config.json").read_text())
    expected = _plain_labels(Path(name))
    if held["id2label"] != {str(number): label for number, label in enumerate(expected)}:
        raise WrongError(f"labels are {held['id2label']}, should be {expected}")
    forget("out")
    return None


def _plain_labels(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8-sig")
    if path.suffix == ".json":
        return [
            label.strip() for _, label in sorted(json.loads(text).items(), key=lambda x: int(x[0]))
        ]
    if path.suffix == ".csv":
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        return [
            label.strip()
            for _, label in sorted(rows[not rows[0][0].isdigit() :], key=lambda row: int(row[0]))
        ]
    return [line.strip() for line in text.rstrip().splitlines()]


def recording_agrees(
    files: Mapping[str, str], path: Path, folder: Path, network: str
) -> str | None:
    """Verify with recorded outputs of a clip and mask; compare with what the model itself gives."""
    recorded = json.loads((folder.parent / f"{network}.recorded.json").read_text()) | files
    options = ["--recorded", json.dumps(recorded), *given(network)]
    verified = command("verify", path, folder, *options)
    said = refusal(verified, "|".join(map(str, files.values())))
    if said is not None:
        return said
    found = outputs(folder, Path(recorded["clip"]), recorded.get("mask"))
    if not torch.allclose(found, torch.tensor(recorded["logits"]), rtol=0, atol=2e-4):
        raise WrongError("the recorded outputs were said to agree and do not")
    return None


def outputs(folder: Path, clip: Path, mask: str | None) -> Tensor:
    """Give the first logits that a folder's model computes, by transformers alone."""
    config = json.loads((folder / "config.json").read_text())
    model = getattr(transformers, config["architectures"][0]).from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    options = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    pixels = processor(list(np.load(clip)), return_tensors="pt", **options)["pixel_values"]
    with torch.no_grad():
        if mask is None:
            return model(pixels).logits[0, :3]  # type: ignore[no-any-return]
        try:
            hidden = torch.load(mask, weights_only=True).bool().reshape(1, -1)
        except Exception:  # as it likes; then it must be the right one
            hidden = torch.load(folder.parent / "mask.pt", weights_only=True)
        return model(pixels, bool_masked_pos=hidden).logits[0, :3, :3]  # type: ignore[no-any-return]


def folder_is_judged(path: Path, right: Path, network: str) -> str | None:
    """Verify a folder, which must fail if it differs; then restore it, bit by bit or not at all."""
    verified = command("verify", path, "folder", *given(network))
    said = refusal(verified, r"\.json|\.safetensors|folder")
    if said is None:
        _same_folder(right, Path("folder"))
    restored = refusal(command("restore", "folder", "out.pth"), r"\.json|\.safetensors|folder")
    if restored is not None:
        if said is None:
            raise WrongError(f"verified, but restoring says {restored}")
        return f"{said} … {restored}"
    given_back = contents(plainly_read(Path("out.pth"), Path("none")), True)
    if given_back != contents(load_file("folder/model.safetensors"), False):
        raise WrongError("restored to other tensors than the folder has")
    forget("out.pth")
    return said


def _same_folder(right: Path, folder: Path) -> None:
    one, other = (load_file(path / "model.safetensors") for path in (right, folder))
    if one.keys() != other.keys() or contents(one, False) != contents(other, False):
        raise WrongError("verified, but the tensors are not the checkpoint's")
    for name in ("config.json", "preprocessor_config.json"):
        wanted, found = (json.loads((path / name).read_text()) for path in (right, folder))
        if {key: found.get(key) for key in wanted} != wanted:
            raise WrongError(f"verified, but {name} is not as it should be")


def same(found: Any, said: Any) -> bool:
    """Tell whether a value is what config.yaml says, where numbers and switches may be text."""
    if isinstance(found, dict) and isinstance(said, dict):
        return found.keys() == said.keys() and all(same(found[key], said[key]) for key in found)
    if isinstance(found, list) and isinstance(said, list):
        return len(found) == len(said) and all(map(same, found, said))
    if isinstance(found, bool):
        return said in (found, str(found), str(found).lower())
    return float(said) == found if isinstance(found, int | float) else bool(found == said)


def config_is_read(path: str) -> str | None:
    """Read a config.yaml as the Snakefile does."""
    from snakemake.common.configfile import load_configfile
    from videomae.config import settings, yaml_checks
    from videomae.errors import ConversionError, one_line

    try:
        yaml_checks.check(Path(path))
        config = load_configfile(path)
        read = settings.read(config, ("kinetics400", "ssv2"))
    except ConversionError as error:
        return clear(f"config.yaml: {one_line(str(error))}", "config.yaml")
    for name, variant in read.variants.items():
        said = config.get("variants", {}).get(name)
        if said is not None and not same(variant.entry.model_dump(exclude_unset=True), said):
            raise WrongError(f"{name} is read as something else")
        assert [variant.source, variant.options, variant.recorded_option, variant.labels]
    return None


def workflow_plans() -> str | None:
    """Plan a run as a person does, by Snakemake itself."""
    snakemake = ("-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--dry-run", "--nocolor")
    outcome = process(*snakemake, "--quiet", "rules")
    if Path(".snakemake").exists():
        forget(".snakemake")
    if "Traceback" in outcome.output:
        raise WrongError(outcome.output)
    if outcome.code == 0:
        return None
    said = outcome.output[outcome.output.find("config.yaml: ") :]
    return clear(said.partition("\n")[0], "^config.yaml: ")
