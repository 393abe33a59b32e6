"""Where each value of an architecture comes from, and what is refused."""

import json
import zlib
from typing import Any

import pytest
from videomae.download.synthetic_recipes import RECIPES
from videomae.errors import ConversionError
from videomae.model import pixels
from videomae.model.architecture import GIVABLE, Architecture, tensor_shapes
from videomae.recognition.recognize import read_architecture

from tests.conftest import DATA, GIVEN

SMALL = tensor_shapes(RECIPES["videomae-small-finetuned-kinetics"].architecture)
TINY = tensor_shapes(RECIPES["tiny-finetuned"].architecture)
TINY_GIVEN = GIVEN["tiny-finetuned"]


def read(
    shapes: dict[str, tuple[int, ...]], args: dict[str, Any] | None = None, **given: Any
) -> Architecture:
    return read_architecture(shapes, args or {}, given)


def test_small_network_has_six_heads_by_the_authors_table() -> None:
    architecture = read(SMALL)
    assert architecture.config["num_attention_heads"] == 6
    assert "small" in architecture.origin["num_attention_heads"]


@pytest.mark.parametrize("name", RECIPES)
def test_shapes_are_those_of_the_authors_state_dict(name: str) -> None:
    shapes = {k: list(v) for k, v in tensor_shapes(RECIPES[name].architecture).items()}
    count, checksum = json.loads((DATA / "zoo_tensors.json").read_text())[name]
    assert (len(shapes), zlib.crc32(json.dumps(shapes).encode())) == (count, checksum)


@pytest.mark.parametrize("name", RECIPES)
def test_every_network_of_the_zoo_is_read_back_from_its_shapes(name: str) -> None:
    made = RECIPES[name].architecture
    given = GIVEN.get(name, {})
    if name == "tiny-pretraining":
        given = {**given, "num_frames": 4, "image_size": 32}
    found = read(tensor_shapes(made), **given)
    assert found.kind == made.kind
    assert found.num_labels == made.num_labels
    relevant = {key: made.config[key] for key in found.config if key in made.config}
    assert {key: found.config[key] for key in relevant} == relevant


def test_factory_in_args_gives_the_heads_of_what_it_builds() -> None:
    args = {"model": "vit_small_patch16_224", "num_frames": 16, "input_size": 224}
    found = read(SMALL, args)
    assert found.origin["num_attention_heads"] == "args.model vit_small_patch16_224"
    assert found.config["num_attention_heads"] == 6


def test_factory_of_another_network_is_a_contradiction_and_gives_no_heads() -> None:
    args = {"model": "vit_small_patch16_224", "num_frames": 4, "input_size": 32}
    message = (
        r"args\.model is vit_small_patch16_224, .* hidden_size 48, not 384, num_hidden_layers 2"
    )
    with pytest.raises(ConversionError, match=message):
        read(TINY, args)


def test_frames_of_all_segments_count() -> None:
    args = {"num_frames": 2, "num_segments": 2, "input_size": 32}
    assert read(TINY, args, num_attention_heads=3).config["num_frames"] == 4


def test_segments_that_are_no_number_are_refused() -> None:
    args = {"num_frames": 2, "num_segments": "two", "input_size": 32}
    message = r"args\.num_segments is 'two' \(of type str\), but must be a whole number"
    with pytest.raises(ConversionError, match=message):
        read(TINY, args, num_attention_heads=3)


def test_unknown_factory_is_no_error() -> None:
    args = {"model": "vit_mine_patch16_32", "num_frames": 4, "input_size": 32}
    assert read(TINY, args, num_attention_heads=3).config["num_attention_heads"] == 3


def test_heads_that_nothing_settles_must_be_given() -> None:
    with pytest.raises(ConversionError, match=r"num_attention_heads can't be read.*48 wide"):
        read(TINY, num_frames=4, image_size=32)


def test_frames_that_nothing_settles_must_be_given() -> None:
    with pytest.raises(ConversionError, match="num_frames, image_size can't be read"):
        read(TINY, num_attention_heads=3)


def test_sixteen_heads_for_the_small_network_are_contradictory() -> None:
    with pytest.raises(ConversionError, match=r"has two values: 16 \(given\) and 6 .*small"):
        read(SMALL, num_attention_heads=16)


def test_given_value_that_contradicts_a_tensor_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"hidden_size has two values: 48 \(tensor"):
        read(TINY, **TINY_GIVEN, hidden_size=64)


def test_given_value_that_contradicts_args_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"image_size has two values: 64 \(args"):
        read(TINY, {"input_size": 64}, **TINY_GIVEN)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            {"tubelet_size": 4},
            r"tubelet_size has two values: 2 \(tensor .*4 \(args\.tubelet_size",
        ),
        ({"use_mean_pooling": False}, r"use_mean_pooling has two values: True \(tensor fc_norm"),
        (
            {"nb_classes": 400},
            r"head has 7 classes \(tensor head\.weight\), but args\.nb_classes is 4",
        ),
    ],
)
def test_args_that_contradict_the_tensors_are_refused(args: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        read(TINY, args, **TINY_GIVEN)


def test_args_that_say_nothing_of_this_network_are_no_contradiction() -> None:
    args = {"model": "vit_unheard_of", "decoder_depth": 99, "tubelet_size": None}
    assert read(TINY, args, **TINY_GIVEN).config["tubelet_size"] == 2


@pytest.mark.parametrize("size", [32, [32, 32], (32, 32), [32]])
def test_size_in_args_may_be_one_number_or_equal_ones(size: Any) -> None:
    args = {"input_size": size, "num_frames": 4}
    assert read(TINY, args, num_attention_heads=3).config["image_size"] == 32


@pytest.mark.parametrize("size", [[32, 48], (48, 32), [], [32, 32, 32], ["x"], [[32]]])
def test_image_that_is_not_square_is_refused(size: Any) -> None:
    with pytest.raises(ConversionError, match=r"args\.input_size is \[.*takes only square images"):
        read(TINY, {"input_size": size, "num_frames": 4}, num_attention_heads=3)


def test_heads_must_divide_the_hidden_size() -> None:
    with pytest.raises(ConversionError, match="5, which does not divide hidden_size 48"):
        read(TINY, **{**TINY_GIVEN, "num_attention_heads": 5})


@pytest.mark.parametrize(("name", "value"), [("num_frames", 3), ("image_size", 40)])
def test_frames_and_size_must_be_whole_tubelets_and_patches(name: str, value: int) -> None:
    with pytest.raises(ConversionError, match=f"{name} is {value}, not a multiple of"):
        read(TINY, **{**TINY_GIVEN, name: value})


def test_clip_that_nothing_could_be_verified_on_is_refused() -> None:
    with pytest.raises(
        ConversionError, match="make a clip of 2,000,000,000 tokens; at most 20,000"
    ):
        read(TINY, **{**TINY_GIVEN, "num_frames": 10**9})


def test_tensors_that_are_no_videomae_are_named() -> None:
    with pytest.raises(ConversionError, match=r"not a VideoMAE.*layer1\.weight"):
        read({"layer1.weight": (3, 3)})


def test_patches_that_are_not_square_are_refused() -> None:
    with pytest.raises(ConversionError, match="16x8, not squares"):
        read({**TINY, "patch_embed.proj.weight": (48, 3, 2, 16, 8)}, **TINY_GIVEN)


def test_blocks_that_are_not_numbered_through_are_refused() -> None:
    shapes = {name: shape for name, shape in SMALL.items() if "blocks.5." not in name}
    with pytest.raises(ConversionError, match="must be numbered 0, 1, 2"):
        read(shapes)


def test_every_givable_value_is_one_of_transformers_config() -> None:
    from transformers import VideoMAEConfig

    config = VideoMAEConfig()
    for name, kind in GIVABLE.items():
        assert name in pixels.NAMES or isinstance(getattr(config, name), kind), name
