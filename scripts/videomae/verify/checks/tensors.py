"""Checks that tensors, mapped back to the authors' names, equal the checkpoint's bit by bit."""

from collections.abc import Mapping

from torch import Tensor

from videomae.checkpoint.lazy_tensor import Entry, Values
from videomae.convert import weight_mapping
from videomae.errors import ConversionError, listing
from videomae.model.architecture import Architecture
from videomae.verify.comparison import difference
from videomae.verify.report import Check


def same_tensors(
    name: str,
    tensors: Mapping[str, Tensor],
    expected: Mapping[str, Entry],
    architecture: Architecture,
) -> Check:
    """Compare tensors of transformers' names with the expected ones of the authors' names."""
    values, differing = Values(expected), []
    try:
        for key, tensor in weight_mapping.restore(tensors, architecture):  # one at a time
            if not weight_mapping.same_bits(tensor, values[key]):
                differing.append(f"{key} (by {difference(tensor, values[key]):.2g})")
    except ConversionError as error:
        return Check(name, False, message=str(error))
    message = f"{len(differing)} of {len(expected)} tensors differ: {listing(differing)}"
    return Check(name, not differing, message=message if differing else "")
