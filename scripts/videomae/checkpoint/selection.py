"""Separates the entries of a state dict that are converted from those that are left behind.

Training programs keep counters, losses and metrics beside the network. Detectors, and pre-training
networks with other decoders, contain VideoMAE's encoder, and transformers can compute it alone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from videomae.checkpoint import lazy_tensor, tensor_names
from videomae.checkpoint.tensor_names import LAYER_NUMBER, merge_layers
from videomae.errors import ConversionError, listing
from videomae.model.architecture import PROJECTION

ENCODER = "encoder"

# The modules of the authors' networks (modeling_finetune.py, modeling_pretrain.py). Outputs depend
# on all of their tensors.
NETWORK = (
    "patch_embed",
    "pos_embed",
    "blocks",
    "norm",
    "fc_norm",
    "head",
    "encoder",
    "encoder_to_decoder",
    "decoder",
    "mask_token",
    "patch_embedding",  # these are MARLIN's words
    "pos_embedding",
    "enc_dec_proj",
)
# What may be in the encoder's module without an influence on its tokens.
BESIDE_ENCODER = (
    "fc_norm",
    "head",
    "decoder",
    "encoder_to_decoder",
    "mask_token",
    # AdaMAE uses these to choose the tokens of pre-training: wgcban/adamae, modeling_pretrain.py.
    "pos_embed_probs",
    "get_token_probs",
)
# Integers of averaged weights: torch's AveragedModel, ema-pytorch, mmengine.
COUNTERS = ("n_averaged", "initted", "step", "steps", "num_updates")
LOSS = re.compile(r"(criterion|loss)\w*")
METRIC = re.compile(r"(\w+_)?(metrics?|acc(uracy)?|confmat|auroc|f1)(_?(top)?_?\d+)?", re.I)


@dataclass(frozen=True)
class Selection:
    """What to convert of a file.

    ``weights`` names one of several state dicts; ``part`` is ``encoder`` to convert it alone;
    ``leave_behind`` are shell patterns of names that do not belong to the network.
    """

    weights: str | None = None
    part: str | None = None
    leave_behind: tuple[str, ...] = ()

    def asked(self) -> dict[str, Any]:
        """Return the options as a report has them."""
        patterns = list(self.leave_behind) or None
        return {"weights": self.weights, "part": self.part, "leave_behind": patterns}

    def split(self, state: Mapping[Any, Any]) -> tuple[dict[Any, Any], list[str]]:
        """Return the network's entries of a state dict, and the names of those left behind.

        The names are merged over layers and have shapes. Raises `ConversionError` if the part is
        missing, and for patterns that match nothing or tensors of the network.
        """
        names = tensor_names.plain(state)
        root = tensor_names.root_of(names.values())
        if self.part and root is None:
            raise ConversionError(
                f"part: {self.part} needs an encoder, but no tensor's name ends with {PROJECTION}"
            )
        others = {name for name in state if self._is_other(name, names, state[name], root or "")}
        if others == set(state):
            others = set()  # nothing would remain; the recognition refuses it by its names
        others |= self._left_behind(state, names, root or "")
        taken = {name: value for name, value in state.items() if name not in others}
        return taken, list(_merged({str(n): v for n, v in state.items() if n in others}))

    def _is_other(self, name: Any, names: Mapping[Any, str], value: Any, root: str) -> bool:
        """Return whether an entry plainly does not belong to the network, or to the encoder."""
        if name not in names:  # not a string
            return self.part is not None
        outside = not names[name].startswith(root)
        first = names[name].removeprefix(root).split(".")[0]
        if self.part and (outside or first in BESIDE_ENCODER):
            return True
        is_float = lazy_tensor.is_tensor(value) and "float" in lazy_tensor.dtype(value)
        if outside and (not is_float or any(map(METRIC.fullmatch, names[name].split(".")))):
            return True
        is_count = lazy_tensor.is_tensor(value) and value.numel() == 1
        if first in COUNTERS and is_count and not is_float:
            return True
        return bool(LOSS.fullmatch(first))

    def _left_behind(
        self, state: Mapping[Any, Any], names: Mapping[Any, str], root: str
    ) -> set[Any]:
        """Return the entries that the patterns match."""
        found: set[Any] = set()
        for pattern in self.leave_behind:
            matched = [name for name in state if fnmatchcase(str(name), pattern)]
            if not matched:
                raise ConversionError(
                    f"leave_behind: {pattern!r} matches no tensor; names begin with "
                    f"{listing(map(str, list(state)[:4]))}"
                )
            if network := [n for n in matched if n in names and _is_networks(names[n], root)]:
                raise ConversionError(
                    f"leave_behind: {pattern!r} matches {listing(merge_layers(network))}, which "
                    "the network computes with; to convert without a head or decoder, use part: "
                    "encoder"
                )
            found.update(matched)
        return found


def _is_networks(name: str, root: str) -> bool:
    """Return whether a tensor belongs to one of the modules of the authors' networks."""
    # A pre-training network has its decoder beside the encoder, which is the root.
    prefixes = {root, root.removesuffix("encoder.")}
    return any(
        name.startswith(prefix) and name.removeprefix(prefix).split(".")[0] in NETWORK
        for prefix in prefixes
    )


def _merged(others: Mapping[str, Any]) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for name in others:
        alike.setdefault(LAYER_NUMBER.sub("{}", name, count=1), []).append(name)
    for names in alike.values():
        (shown,), value = merge_layers(names), others[names[0]]
        yield f"{shown} {list(value.shape)}" if lazy_tensor.is_tensor(value) else shown
