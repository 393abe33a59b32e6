"""Explains a difference from the training code's network: the first step, and likely causes."""

from collections.abc import Mapping
from dataclasses import replace

from videomae.verify.comparison import OUTPUT_TOLERANCE, difference, scale
from videomae.verify.reference import Reference
from videomae.verify.training_outputs.npz_file import TruthFile

LIMIT = OUTPUT_TOLERANCE  # of the root mean square of what was recorded
# Less than this half precision or TF32 in the recording can change, of the root mean square.
NARROW = 1e-2
# Widths of an attention head that networks have; other numbers of heads are tried by these.
HEAD_WIDTHS = (8, 16, 24, 32, 40, 48, 64, 80, 88, 96, 128)


def explain(
    file: TruthFile, original: Reference, by: float, size: float, steps: Mapping[str, float]
) -> str:
    """Return a text: by how much the reference differs, where first, and likely causes.

    ``by`` is the output's difference, absolute, ``size`` its root mean square; ``steps`` are those
    that were recorded, of their scale, in the order of computing.
    """
    said = [
        f"with this checkpoint's tensors the authors' network gives other "
        f"{' and '.join(file.outputs)} than {file.path} has: they differ by {by:.3g} (limit "
        f"{LIMIT * size:.3g}), so the trained network is not the one that is converted here"
    ]
    inner = [name for name in steps if name not in file.outputs]
    first = next((name for name, share in steps.items() if not share <= LIMIT), None)
    if inner and first is not None:
        said.append(_first(file, first, steps))
    if heads := _other_heads(file, original):
        said.append(f"with {heads} the outputs agree, so give this value")
        return "; ".join(said)
    if by < NARROW * size:
        said.append("TF32, autocast or half precision can cause such a small difference")
    if inner and first is not None:
        said.append(_suspects(file, original, first))
    else:
        said.append(
            f"check {_heads(original)}, positions, selected tokens, or {OTHER}; arrays of steps in "
            "the file would show the first difference"
        )
    return "; ".join(said)


OTHER = "other weights (another epoch, model_ema), or pixels that the network did not get"


def _first(file: TruthFile, first: str, steps: Mapping[str, float]) -> str:
    """Return a text with the first step that differs, and the last one that agrees."""
    before = list(steps)[: list(steps).index(first)]
    agrees = f"{before[-1]} still agrees, " if before else ""
    if file.arrays[first] is None:
        wanted = [file.clips, *file.places[first].shape]
        found = list(file.shapes[first])
        return f"{agrees}{first} differs first: its shape is {found}, but {wanted} here"
    return f"{agrees}{first} differs first, by {steps[first]:.2g} of its scale"


def _suspects(file: TruthFile, original: Reference, first: str) -> str:
    """Return a text with the likely causes if this step differs first."""
    if file.arrays[first] is None:
        return "a network that selects tokens, or has other tokens, is not a VideoMAE"
    if first.endswith("patch_embed"):
        return f"check for {OTHER}"
    if first.endswith(("pos_embed", "pos_drop")):
        return "its positions are not the authors'"
    if "blocks" in first:
        embedded = any(name.endswith("pos_drop") for name in file.arrays)
        return f"check {_heads(original)}" + ("" if embedded else ", and its positions")
    return "check its pooling, its last norm and its head"


def _heads(original: Reference) -> str:
    name = "num_attention_heads"
    return f"{name}, which is {original.config[name]} ({original.architecture.origin[name]})"


def _other_heads(file: TruthFile, original: Reference) -> str:
    """Return another number of heads with which the outputs agree; empty if there is none."""
    architecture = original.architecture
    for part in ("", "decoder_") if architecture.kind == "pretraining" else ("",):
        name, width = f"{part}num_attention_heads", architecture.config[f"{part}hidden_size"]
        for heads in (width // each for each in HEAD_WIDTHS if width % each == 0):
            other = replace(architecture, config={**architecture.config, name: heads})
            if heads != architecture.config[name] and _agrees(
                file, Reference(original.tensors, other, original.device)
            ):
                return f"{name}={heads}"
    return ""


def _agrees(file: TruthFile, reference: Reference) -> bool:
    """Return whether a reference gives what was recorded for the first clip."""
    agrees = []
    for step, value in reference.steps(*file.inputs(0, reference.device)):
        for name in file.outputs:
            if file.places[name].step == step:
                recorded = file.output(name, 0)
                agrees.append(difference(value.cpu(), recorded) <= LIMIT * scale(recorded))
    return all(agrees)
