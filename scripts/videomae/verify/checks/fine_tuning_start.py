"""Checks that fine-tuning starts from a pre-training folder as the authors' would.

A pre-trained network is there to be fine-tuned, and a classifier of transformers takes
``use_mean_pooling: false`` from its config: without another word it reads the first token alone.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from videomae.checkpoint import reader
from videomae.checkpoint.lazy_tensor import Entry, Values
from videomae.checkpoint.tensor_names import merge_layers
from videomae.convert import weight_mapping
from videomae.errors import ConversionError, listing
from videomae.model.architecture import Architecture, tokens
from videomae.verify import clips, fine_tuning
from videomae.verify.checks.function import EPS_EFFECT_LIMIT
from videomae.verify.checks.tensors import same_tensors
from videomae.verify.comparison import (
    OUTPUT_TOLERANCE,
    TRANSFORMERS_FINAL_NORM_EPS,
    difference,
    for_clips,
    scale,
    worst,
)
from videomae.verify.norm_eps import eps_effect
from videomae.verify.reference import LOGITS, Reference
from videomae.verify.report import Check, Report, at_most

NAME = "fine-tuning start"
CLASS = "VideoMAEForVideoClassification"
SETTINGS = {"num_labels": fine_tuning.CLASSES, "use_mean_pooling": True}
LEFT = ("decoder.", "encoder_to_decoder.", "mask_token", "videomae.layernorm.")
ADDED = ("classifier.bias", "classifier.weight", "fc_norm.bias", "fc_norm.weight")
GRADIENT_TOLERANCE = 1e-4  # of a gradient's root mean square; right folders stay below 1e-5


def checks(
    folder: Path,
    entries: Mapping[str, Entry],
    pretrained: Architecture,
    device: torch.device,
    report: Report,
    unstored: Collection[str] = (),
) -> Iterator[Check]:
    """Compare a folder, loaded as a classifier, with the start of the authors' fine-tuning.

    ``entries`` are the folder's tensors by the authors' names, of ``pretrained``. No other model
    should be in memory: this one and its gradients take as much as two. ``unstored`` are tensors
    that a release's own pre-training model has beside the folder's: 5.5.1 to 5.17.0 train a bias of
    the key, which the softmax cancels.
    """
    network = fine_tuning.network(pretrained)
    start = fine_tuning.new_tensors(network.config["hidden_size"])
    encoder = {name: entries[name] for name in entries if _of_encoder(name)}
    wide = {**reader.cast(encoder, "float32"), **start}
    try:
        model, loaded = _load(folder, unstored)
        yield loaded
        _set_new(model, start)
        held = {name: one for name, one in model.state_dict().items() if name not in unstored}
        yield same_tensors(f"{NAME}, tensors bit by bit", held, wide, network)
        model.to(device)
        inputs = _inputs(network, device)
        logits, loss, gradients = _step_of_model(model, network, *inputs, unstored)
    except Exception as error:  # a model built wrongly can fail anywhere
        yield Check(NAME, False, message=f"{CLASS} with use_mean_pooling=True: {error}")
        return
    del model, held
    yield from _compared(wide, network, inputs, (logits, loss, gradients), report)
    report.fine_tuning["first_token"] = _first_token(entries, wide, network, inputs[0], logits)


def _of_encoder(name: str) -> bool:
    """Return whether fine-tuning takes a tensor of a pre-training checkpoint."""
    return name.startswith(("encoder.patch_embed.", "encoder.blocks."))


def _load(folder: Path, unstored: Collection[str]) -> tuple[Any, Check]:
    """Load as the cards tell users to; only the new parts may be new."""
    model, info = getattr(transformers, CLASS).from_pretrained(
        folder, output_loading_info=True, trust_remote_code=False, **SETTINGS
    )
    found = {key: sorted(map(str, names)) for key, names in info.items() if names}
    missing, left = found.pop("missing_keys", []), found.pop("unexpected_keys", [])
    wrong = []
    if [name for name in missing if name not in unstored] != list(ADDED):
        wrong.append(f"new are {listing(merge_layers(missing))}, not {listing(ADDED)}")
    # The twin name of a bias is left over in some releases; its values are compared below.
    if others := [name for name in left if not name.startswith(LEFT) and not _is_twin(name)]:
        wrong.append(f"left over: {listing(merge_layers(others))}")
    wrong += [f"{key}: {listing(names)}" for key, names in found.items()]
    return model.float().eval(), Check(NAME, not wrong, message="; ".join(wrong))


def _is_twin(name: str) -> bool:
    """Return whether a bias of attention has this name beside another one."""
    return name.endswith((".q_bias", ".v_bias", ".query.bias", ".value.bias"))


def _set_new(model: Any, start: Mapping[str, Tensor]) -> None:
    """Set the values of the new parts."""
    held = (model.fc_norm.weight, model.fc_norm.bias, *model.classifier.parameters())
    with torch.no_grad():
        for parameter, tensor in zip(held, start.values(), strict=True):
            parameter.copy_(tensor)


def _inputs(network: Architecture, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the pixels of a proof's clips, and a class for each."""
    proving = clips.proving(network.config)
    pixels = torch.cat([clips.normalised(one, network.pixels) for one in proving])
    return pixels.to(device), torch.arange(len(proving), device=device)


def _step_of_model(
    model: Any,
    network: Architecture,
    pixels: Tensor,
    classes: Tensor,
    unstored: Collection[str],
) -> tuple[Tensor, float, dict[str, Tensor]]:
    """Return a model's logits, its loss, and its gradients by transformers' names.

    Raises `ConversionError` for parameters that are not trained and for ones that are too many.
    """
    sizes = {"num_frames": pixels.shape[1], "image_size": pixels.shape[-1]}
    number = tokens({**network.config, **sizes})
    with torch.enable_grad(), for_clips(model, sizes["image_size"], number):
        output = model(pixels, labels=classes)
        output.loss.backward()
    found = {name: one.grad for name, one in model.named_parameters() if name not in unstored}
    if still := [name for name, gradient in found.items() if gradient is None]:
        raise ConversionError(f"no gradient reaches {listing(merge_layers(still))}")
    weight_mapping.restore(found, network)  # which refuses wrong names, and is not read further
    return output.logits.detach(), output.loss.item(), found


def _compared(
    wide: Mapping[str, Entry],
    network: Architecture,
    inputs: Sequence[Tensor],
    found: tuple[Tensor, float, dict[str, Tensor]],
    report: Report,
) -> Iterator[Check]:
    """Compare logits, loss and every gradient; report the effect of transformers' eps."""
    logits, loss, gradients = found
    differences: dict[str, float] = {}
    rows = {row.source: row for row in weight_mapping.renames(network)}

    def take(name: str, gradient: Tensor) -> None:
        size = max(scale(gradient), 1e-12)  # where it is all zeros too
        for target, part in rows[name].forwards(gradient).items():
            if target in gradients:  # of two names for one bias the model has one
                differences[target] = difference(gradients.pop(target), part) / size

    of_authors, expected_loss, hidden = fine_tuning.step(
        Values(wide), network, inputs[0], inputs[1], TRANSFORMERS_FINAL_NORM_EPS, take
    )
    limit = OUTPUT_TOLERANCE * scale(of_authors)
    by = difference(logits, of_authors)
    yield at_most(f"{NAME}, logits", by, limit)
    message = f"expected {expected_loss:.7g}, found {loss:.7g}"
    yield at_most(f"{NAME}, loss", abs(loss - expected_loss), OUTPUT_TOLERANCE, message)
    last = worst(differences)
    message = f"the gradient of {last} differs by {differences[last]:.3g} of its scale"
    yield at_most(f"{NAME}, gradients", differences[last], GRADIENT_TOLERANCE, message)
    start = {name: wide[name] for name in fine_tuning.NEW}
    effect = eps_effect(Reference(Values(start), network, hidden.device), hidden, of_authors)
    message = f"transformers' eps in fc_norm moves the logits by {effect.measured:.3g}"
    yield at_most(f"{NAME}, eps effect", effect.measured, EPS_EFFECT_LIMIT, message)
    report.fine_tuning = {
        "logits": by,
        "gradients": differences[last],
        "eps_effect": effect.measured,
    }


def _first_token(
    entries: Mapping[str, Entry],
    wide: Mapping[str, Entry],
    network: Architecture,
    pixels: Tensor,
    logits: Tensor,
) -> float:
    """Return how far logits are off if the head reads the first token, of their scale.

    That is what transformers computes without ``use_mean_pooling=True``.
    """
    first = replace(network, config={**network.config, "use_mean_pooling": False})
    norm = {f"norm.{part}": entries[f"encoder.norm.{part}"] for part in ("weight", "bias")}
    read = Values({**wide, **reader.cast(norm, "float32")})
    other = dict(Reference(read, first, pixels.device).steps(pixels))[LOGITS]
    return difference(other, logits) / scale(logits)


def other_head(folder: Path, model: Any) -> Check:
    """Load a classifier with a head of other classes; nothing but the head may be new."""
    name, number = f"{NAME}, another head", model.config.num_labels + 1
    names = [f"class {n}" for n in range(number)]
    try:
        other = getattr(transformers, CLASS).from_pretrained(
            folder,
            id2label=dict(enumerate(names)),
            label2id={label: n for n, label in enumerate(names)},
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
        )
    except Exception as error:  # whatever a release raises, its users can't do it
        return Check(name, False, message=f"{CLASS} with {number} labels: {error}")
    held = dict(other.float().named_parameters())
    wrong = [
        f"{key} is not the folder's"
        for key, tensor in model.named_parameters()
        if not key.startswith("classifier.") and not weight_mapping.same_bits(tensor, held[key])
    ]
    shapes = {key: list(held[key].shape) for key in held if key.startswith("classifier.")}
    if shapes.get("classifier.weight") != [number, model.config.hidden_size]:
        wrong.append(f"the head has shapes {shapes}")
    return Check(name, not wrong, message=listing(wrong))
