"""The rename table, forwards and backwards."""

import pytest
import torch
from torch import Tensor
from videomae.convert import weight_mapping
from videomae.download.synthetic_recipes import RECIPES
from videomae.download.synthetic_weights import state_dict
from videomae.errors import ConversionError
from videomae.model.architecture import Architecture

CLASSIFIER = RECIPES["tiny-finetuned"].architecture
PRETRAINING = RECIPES["tiny-pretraining"].architecture


@pytest.fixture
def tensors() -> dict[str, Tensor]:
    return state_dict("tiny-finetuned")


@pytest.mark.parametrize("name", ["tiny-finetuned", "tiny-pretraining"])
def test_back_again_gives_every_bit(name: str) -> None:
    original, architecture = state_dict(name), RECIPES[name].architecture
    restored = dict(
        weight_mapping.restore(weight_mapping.convert(original, architecture), architecture)
    )
    assert restored.keys() == original.keys()
    assert all(weight_mapping.same_bits(restored[key], original[key]) for key in original)


def test_query_key_and_value_are_the_thirds_of_qkv_in_this_order(
    tensors: dict[str, Tensor],
) -> None:
    tensors["blocks.1.attn.qkv.weight"] = torch.arange(144.0).repeat_interleave(48).view(144, 48)
    converted = weight_mapping.convert(tensors, CLASSIFIER)
    prefix = "videomae.encoder.layer.1.attention.attention."
    first_rows = [converted[f"{prefix}{n}.weight"][0, 0] for n in ("query", "key", "value")]
    assert first_rows == [0, 48, 96]


def test_biases_stand_under_both_names_and_the_key_has_none(tensors: dict[str, Tensor]) -> None:
    converted = weight_mapping.convert(tensors, CLASSIFIER)
    prefix = "videomae.encoder.layer.0.attention.attention."
    for short, long in (("q_bias", "query.bias"), ("v_bias", "value.bias")):
        original = tensors[f"blocks.0.attn.{short}"]
        assert weight_mapping.same_bits(converted[prefix + short], original)
        assert weight_mapping.same_bits(converted[prefix + long], original)
    assert f"{prefix}key.bias" not in converted


def test_either_name_of_a_bias_is_enough_to_go_back(tensors: dict[str, Tensor]) -> None:
    converted = weight_mapping.convert(tensors, CLASSIFIER)
    for ending in ("q_bias", "v_bias"):
        held = {name: t for name, t in converted.items() if not name.endswith(ending)}
        assert dict(weight_mapping.restore(held, CLASSIFIER)).keys() == tensors.keys()


def test_biases_that_differ_between_their_names_are_refused(tensors: dict[str, Tensor]) -> None:
    converted = weight_mapping.convert(tensors, CLASSIFIER)
    name = "videomae.encoder.layer.0.attention.attention.q_bias"
    converted[name] = converted[name] + 1
    with pytest.raises(
        ConversionError, match=r"q_bias and .*query\.bias differ, but must be equal"
    ):
        dict(weight_mapping.restore(converted, CLASSIFIER))


def test_unknown_tensor_is_refused_by_name(tensors: dict[str, Tensor]) -> None:
    for layer in range(2):
        tensors[f"blocks.{layer}.attn.scale"] = torch.ones(3, 1, 1)
    with pytest.raises(
        ConversionError, match=r"2 of 34 tensors .*blocks\.\{0\.\.\.1\}\.attn\.scale"
    ):
        weight_mapping.convert(tensors, CLASSIFIER)


def test_missing_tensor_is_refused_by_name(tensors: dict[str, Tensor]) -> None:
    del tensors["blocks.1.mlp.fc2.bias"]
    with pytest.raises(ConversionError, match=r"1 tensors are missing.*blocks\.1\.mlp\.fc2\.bias"):
        weight_mapping.convert(tensors, CLASSIFIER)


def test_tensor_of_another_shape_is_refused_with_both_shapes(tensors: dict[str, Tensor]) -> None:
    tensors["blocks.1.norm2.weight"] = torch.ones(47)
    with pytest.raises(ConversionError, match=r"norm2\.weight has shape \[47\].* needs \[48\]"):
        weight_mapping.convert(tensors, CLASSIFIER)


def test_leftover_tensor_of_a_folder_is_refused(tensors: dict[str, Tensor]) -> None:
    converted = weight_mapping.convert(tensors, CLASSIFIER)
    with pytest.raises(ConversionError, match=r"unexpected tensors: extra\.weight"):
        weight_mapping.restore({**converted, "extra.weight": torch.ones(1)}, CLASSIFIER)


@pytest.mark.parametrize("architecture", [CLASSIFIER, PRETRAINING])
def test_no_two_tensors_go_to_one_name(architecture: Architecture) -> None:
    targets = [target for row in weight_mapping.renames(architecture) for target in row.targets]
    assert len(targets) == len(set(targets))


def test_bits_tell_zero_from_minus_zero() -> None:
    assert not weight_mapping.same_bits(torch.tensor([0.0]), torch.tensor([-0.0]))
