"""The authors' fine-tuning network at its start: a pre-trained encoder, a new fc_norm and head.

Source: run_class_finetuning.py of MCG-NJU/VideoMAE at 14ef8d8. It takes the encoder's tensors, but
not the encoder's last norm: the mean of all tokens goes through a new ``fc_norm`` to a new head.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from videomae.model.architecture import Architecture
from videomae.verify.reference import BEFORE_FINAL_NORM, LOGITS, Reference

CLASSES = 7
NEW = ("fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias")  # by the authors' names
Take = Callable[[str, Tensor], None]


def network(pretrained: Architecture) -> Architecture:
    """Return the network that the authors fine-tune; its encoder has the pre-training names."""
    config = {
        name: value for name, value in pretrained.config.items() if not name.startswith("decoder_")
    }
    config.pop("norm_pix_loss", None)
    config["use_mean_pooling"] = True
    return replace(pretrained, kind="classifier", config=config, num_labels=CLASSES, prefixed=True)


def new_tensors(width: int) -> dict[str, Tensor]:
    """Make values for what fine-tuning adds, by the authors' names; the same on every machine.

    The authors begin with 1 and 0 in the norm and with nearly 0 in the head, with which many
    faults change nothing.
    """
    draw = torch.Generator().manual_seed(7)
    shapes = ((width,), (width,), (CLASSES, width), (CLASSES,))
    drawn = [torch.randn(*shape, generator=draw) / 10 for shape in shapes]
    drawn[0] += 1
    return dict(zip(NEW, drawn, strict=True))


def step(
    tensors: Mapping[str, Tensor],
    architecture: Architecture,
    pixels: Tensor,
    classes: Tensor,
    final_norm_eps: float,
    take: Take,
) -> tuple[Tensor, float, Tensor]:
    """Compute logits (batch, classes) and the cross-entropy of right ``classes`` (batch,).

    ``take`` gets the gradient of each tensor under its name, as soon as it is computed; nothing
    else keeps it. The third result is the input of the final norm, (batch, width).
    """
    leaves = {name: _leaf(name, tensors[name].to(pixels.device), take) for name in tensors}
    with torch.enable_grad():
        reference = Reference(leaves, architecture, pixels.device)
        steps = dict(reference.steps(pixels, None, final_norm_eps))
        logits = steps[LOGITS]
        loss = functional.cross_entropy(logits, classes)
        loss.backward()  # type: ignore[no-untyped-call]
    return logits.detach(), loss.item(), steps[BEFORE_FINAL_NORM].detach()


def _leaf(name: str, tensor: Tensor, take: Take) -> Tensor:
    """Return a tensor that gives its gradient away."""
    leaf = tensor.detach().requires_grad_()

    def give(this: Tensor) -> None:
        assert this.grad is not None
        take(name, this.grad)
        this.grad = None

    leaf.register_post_accumulate_grad_hook(give)  # type: ignore[no-untyped-call]
    return leaf
