"""Compares a transformers model with the reference, step by step."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from videomae.errors import ConversionError
from videomae.model.architecture import tokens
from videomae.verify import clips
from videomae.verify.reference import BEFORE_FINAL_NORM, LOGITS, Reference, Step

# transformers builds fc_norm and the decoder's norm with PyTorch's default eps, whatever the config
# says; the authors use 1e-6 there too. No weights can undo that, so like is compared with like.
TRANSFORMERS_FINAL_NORM_EPS = 1e-5

MASK_RATIO = 0.9  # what the authors pre-train with

# Of the root mean square of a step, and of the outputs; right folders stay below 1e-6.
STEP_TOLERANCE = 1e-5
OUTPUT_TOLERANCE = 1e-5
PIXEL_TOLERANCE = 1e-5  # absolute, in normalised pixels, of which one grey level is 0.017


@dataclass
class Comparison:
    """How far a running model is from the reference, step by step in the order of computing."""

    differences: dict[str, float] = field(default_factory=dict)
    expected: dict[str, Tensor] = field(default_factory=dict)

    def largest(self) -> float:
        """Return the largest difference of any step, of its scale; NaN if there is one."""
        return self.differences[worst(self.differences)]

    def first_parting(self) -> str:
        """Return a text with the first step that differs by more than rounding; empty if none."""
        for step, relative in self.differences.items():
            if not relative <= STEP_TOLERANCE:  # so that a NaN counts
                return f"outputs first differ at {step} (by {relative:.2g} of its scale)"
        return ""


@contextmanager
def lockstep(model: torch.nn.Module, steps: Iterator[Step]) -> Iterator[Comparison]:
    """Compare each step of a model with the reference's as it runs, so that none is kept."""
    comparison = Comparison()

    def advance(until: str) -> Tensor | None:
        for name, value in steps:
            if name in (BEFORE_FINAL_NORM, LOGITS):
                comparison.expected[name] = value
            if name == until:
                return value
        return None

    def compare(step: str) -> Callable[[Any, Any, Any], None]:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            found = output[0] if isinstance(output, tuple) else output
            expected = advance(step)
            if expected is not None:
                comparison.differences[step] = furthest(found, expected)

        return hook

    handles = [
        module.register_forward_hook(compare(step)) for step, module in _observed(model).items()
    ]
    try:
        yield comparison
        advance(LOGITS)
    finally:
        for handle in handles:
            handle.remove()


def _observed(model: Any) -> dict[str, torch.nn.Module]:
    """Return the modules of transformers' model whose outputs are steps of the reference."""
    encoder = model.base_model  # itself, if it is one alone
    modules = {"patch embedding with positions": encoder.embeddings}
    parts = {"encoder": _layers(encoder)}
    if hasattr(model, "decoder"):
        modules["encoder norm"] = encoder.layernorm
        modules["encoder_to_decoder"] = model.encoder_to_decoder
        parts["decoder"] = _layers(model.decoder)
    for part, layers in parts.items():
        for number, layer in enumerate(layers):
            modules[f"{part} layer {number}, attention output"] = layer.attention
            modules[f"{part} layer {number}, output"] = layer
    return {step: module for step, module in modules.items() if module is not None}


def _layers(network: torch.nn.Module) -> torch.nn.ModuleList:
    """Return the layers of a network of transformers' by structure: releases name them anew."""
    for module in network.modules():
        if isinstance(module, torch.nn.ModuleList):
            return module
    raise ConversionError(
        f"{type(network).__name__} of this release of transformers has no list of layers, so its "
        "steps can't be compared; install the release that pyproject.toml names"
    )


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference of any element; infinite for other shapes, NaN for a NaN."""
    if found.shape != expected.shape:
        return float("inf")
    return (found.float() - expected.float()).abs().max().item()


def furthest(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference at a step, relative to the clip's scale; NaN if any is NaN."""
    if found.shape != expected.shape:
        return float("inf")
    pairs = zip(found, expected, strict=True)
    relative = {str(n): difference(*pair) / scale(pair[1]) for n, pair in enumerate(pairs)}
    return relative[worst(relative)]


def worst(differences: Mapping[str, float]) -> str:
    """Return the name of the largest difference; a NaN is larger than any number."""
    return max(differences, key=lambda name: (math.isnan(differences[name]), differences[name]))


def scale(values: Tensor) -> float:
    """Return the root mean square: what a difference is measured against."""
    # In float64, since the squares of float32 values may be beyond it, and allow any difference.
    return values.double().square().mean().sqrt().item()


@dataclass(frozen=True)
class Run:
    """A folder's model and the reference, both run on the same clips."""

    pixels: Tensor
    mask: Tensor | None
    output: Any
    comparison: Comparison

    @property
    def expected(self) -> Tensor:
        """The reference's logits."""
        return self.comparison.expected[LOGITS]

    @property
    def logits(self) -> Tensor:
        """The folder's logits, or the tokens of an encoder alone."""
        return logits(self.output)

    def difference(self, clip: int = 0) -> float:
        """Return the largest difference of any logit of a clip."""
        if self.logits.shape != self.expected.shape:
            return float("inf")
        return difference(self.logits[clip], self.expected[clip])

    def tolerance(self, clip: int = 0) -> float:
        """Return what that may be."""
        return OUTPUT_TOLERANCE * scale(self.expected[clip])


def run(model: Any, reference: Reference, of: Sequence[clips.Clip], masked: bool = False) -> Run:
    """Run both on clips, normalised as in training, with transformers' eps in the last norm.

    All clips have one size, which may be smaller than the model's. Pre-training always has a mask,
    and an encoder alone has one if it is to be ``masked``.
    """
    usual = reference.architecture.pixels
    pixels = torch.cat([clips.normalised(clip, usual) for clip in of])
    pixels = pixels.to(reference.device)
    frames, size = of[0].shape[:2]
    config = {**reference.config, "num_frames": frames, "image_size": size}
    mask = None
    if masked or reference.architecture.kind == "pretraining":
        mask = clips.tube_mask(config, MASK_RATIO).expand(len(of), -1).to(reference.device)
    steps = reference.steps(pixels, mask, TRANSFORMERS_FINAL_NORM_EPS)
    with for_clips(model, size, tokens(config)), lockstep(model, steps) as comparison:
        output = forward(model, pixels, mask)
    return Run(pixels, mask, output, comparison)


def forward(model: Any, pixels: Tensor, mask: Tensor | None) -> Any:
    """Run a model of transformers, with a mask if there is one."""
    return model(pixels) if mask is None else model(pixels, bool_masked_pos=mask)


def logits(output: Any) -> Tensor:
    """Return the outputs of a transformers model: its logits, or an encoder's tokens."""
    held: Tensor = output.logits if hasattr(output, "logits") else output.last_hidden_state
    return held


def choose_device(name: str) -> torch.device:
    """Choose where to compute, in full float32: ``cpu``, ``cuda``, or with ``auto`` what there is.

    Raises `ConversionError` for ``cuda`` on a machine that has none.
    """
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise ConversionError("device is cuda, but PyTorch finds no CUDA device; use cpu or auto")
    # TF32 keeps 10 bits of a float32's 23, too few to tell a right folder from a wrong one.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def positions(model: Any) -> dict[Any, Tensor]:
    """Return the position tables of a loaded model, by what holds each: (1, tokens, width)."""
    owners = [model.base_model.embeddings, model]
    return {one: one.position_embeddings for one in owners if hasattr(one, "position_embeddings")}


@contextmanager
def for_clips(model: Any, image_size: int, tokens: int) -> Iterator[None]:
    """Make a loaded model accept smaller clips in the block, with its first positions."""
    tables, patches = positions(model), model.base_model.embeddings.patch_embeddings
    usual = patches.image_size
    patches.image_size = (image_size, image_size)
    for owner, table in tables.items():
        owner.position_embeddings = table[:, :tokens]
    try:
        yield
    finally:
        patches.image_size = usual
        for owner, table in tables.items():
            owner.position_embeddings = table


@contextmanager
def with_values(owner: Any, **values: Any) -> Iterator[None]:
    """Set attributes, of a loaded model's config or of a module, for a while."""
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)
