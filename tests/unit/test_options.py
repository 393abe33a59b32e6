"""What options in a file say: whose script wrote them, what they mean, and what they contradict."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from videomae.checkpoint.unpickler import Shadow
from videomae.download.synthetic_recipes import RECIPES
from videomae.errors import ConversionError
from videomae.model.architecture import Architecture, tensor_shapes
from videomae.model.networks import NETWORKS
from videomae.recognition import assumptions, training_options, training_scripts
from videomae.recognition.recognize import read_architecture
from videomae.recognition.related_projects import SIGNS

from tests.conftest import DATA, GIVEN, command

SMALL = tensor_shapes(RECIPES["videomae-small-finetuned-kinetics"].architecture)
PRETRAINING = tensor_shapes(RECIPES["videomae-small"].architecture)
TINY = tensor_shapes(RECIPES["tiny-finetuned"].architecture)
V2 = {"head_drop_rate": 0.0}


def saved(name: str) -> dict[str, Any]:
    """The options that a script wrote into a file of tests/data."""
    content: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text())["args"]
    return content


def read(args: dict[str, Any], **given: Any) -> Architecture:
    return read_architecture(TINY, args, {**GIVEN["tiny-finetuned"], **given})


# -- whose options ---------------------------------------------------------------------------------


def test_table_has_as_many_options_as_each_script() -> None:
    """Counted in the scripts: their arguments, window_size and patch_size."""
    assert [len(training_scripts.OPTIONS[script]) for script in training_scripts.SCRIPTS] == [
        80,
        85,
        44,
        51,
    ]


@pytest.mark.parametrize(
    ("name", "kind", "script"),
    [
        ("trained/v1-finetuned", "classifier", "V1 fine-tuning"),
        ("trained/v1-cls", "classifier", "V1 fine-tuning"),
        ("trained/v2-finetuned", "classifier", "V2 fine-tuning"),
        ("trained/v1-pretrained", "pretraining", "V1 pre-training"),
    ],
)
def test_options_of_the_authors_scripts_are_recognised(name: str, kind: str, script: str) -> None:
    args = saved(name)
    assert training_scripts.recognised(args, kind) == script
    assert training_scripts.recognised(args, "encoder") == script
    assert training_scripts.unknown(args, kind) == []


def test_too_few_options_are_not_recognised_and_not_unknown() -> None:
    few = dict(list(saved("trained/v1-finetuned").items())[:50])
    assert training_scripts.recognised(few, "classifier") is None
    assert training_scripts.unknown(few, "classifier") == []
    assert training_scripts.recognised({}, "classifier") is None


def test_options_of_others_are_named_in_the_order_of_the_file() -> None:
    unknown = ["examples", "finetuning_crops", "linear_probing"]
    args = saved("relatives/sigma-finetuned")
    assert training_scripts.unknown(args, "classifier") == unknown
    assert training_scripts.recognised(args, "classifier") is None


def test_option_of_the_other_script_is_unknown() -> None:
    assert training_scripts.unknown({"mask_ratio": 0.9, "nb_classes": 7}, "classifier") == [
        "mask_ratio"
    ]
    assert training_scripts.unknown({"mask_ratio": 0.9, "nb_classes": 7}, "pretraining") == [
        "nb_classes"
    ]
    assert training_scripts.unknown({"mask_ratio": 0.9, "nb_classes": 7}, "encoder") == []


# -- factories -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "size"),
    [
        ({"model": "vit_small_patch16_224"}, 224),
        ({"model": "vit_small_patch16_384"}, 384),
        ({"model": "vit_small_patch16_384", "input_size": 384}, 384),
        # V2's script gives the factory the size, whatever its name says.
        ({"model": "vit_small_patch16_224", "input_size": 384, **V2}, 384),
        ({"model": "vit_small_patch16_384", "input_size": 224, **V2}, 224),
    ],
)
def test_size_in_the_name_of_a_factory_counts_where_the_script_leaves_it(
    args: dict[str, Any], size: int
) -> None:
    assert read_architecture(SMALL, args, {}).config["image_size"] == size


@pytest.mark.parametrize(
    ("shapes", "args", "message"),
    [
        (
            SMALL,
            {"model": "vit_small_patch16_384", "input_size": 224},
            r"image_size has two values: 224 \(args\.input_size\) and 384 \(args\.model",
        ),
        (
            PRETRAINING,
            {"model": "pretrain_videomae_small_patch16_224", "input_size": 112, **V2},
            r"image_size has two values: 112 \(args\.input_size\) and 224 \(args\.model",
        ),
        (SMALL, {"model": "vit_small_patch8_224"}, "patch_size 16, not 8"),
        (SMALL, {"model": "vit_base_patch16_224"}, "hidden_size 384, not 768, intermediate_size"),
        (SMALL, {"model": "pretrain_videomae_small_patch16_224"}, "a classifier, not a pre-"),
        (PRETRAINING, {"model": "vit_small_patch16_224"}, "a pretraining, not a classifier"),
    ],
)
def test_factory_that_builds_another_network_is_a_contradiction(
    shapes: dict[str, tuple[int, ...]], args: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConversionError, match=message):
        read_architecture(shapes, args, {})


def test_encoder_alone_may_be_of_either_factory() -> None:
    encoder = {name: shape for name, shape in SMALL.items() if not name.startswith(("head", "fc"))}
    for name in ("vit_small_patch16_224", "pretrain_videomae_small_patch16_224"):
        assert read_architecture(encoder, {"model": name}, {}).config["num_attention_heads"] == 6


def test_name_that_is_no_factory_of_the_authors_says_nothing() -> None:
    assert read({"model": "vit_tiny48_patch16_64"}).config["image_size"] == 32


def test_giant_network_with_other_patches_has_the_heads_of_its_factory() -> None:
    """InternVideo1 has a vit_giant_patch16_224, which the authors' table has not."""
    giant = NETWORKS["giant"]
    shapes = {
        "patch_embed.proj.weight": (giant.hidden_size, 3, 2, 16, 16),
        "blocks.0.attn.q_bias": (giant.hidden_size,),
        **{
            f"blocks.{layer}.mlp.fc1.weight": (giant.intermediate_size, giant.hidden_size)
            for layer in range(giant.num_hidden_layers)
        },
    }
    found = read_architecture(shapes, {"model": "vit_giant_patch16_224"}, {"num_frames": 16})
    assert found.config["num_attention_heads"] == 16


# -- types -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [4, 4.0, "4", " 4 "])
def test_whole_number_of_any_type_is_read(value: Any) -> None:
    assert training_options.integer({"num_frames": value}, "num_frames") == 4


def unreadable() -> Iterator[tuple[str, Any]]:
    """Give values that are no whole number, each with a name."""
    plain: tuple[Any, ...] = (
        True,
        4.5,
        "4.0",
        "",
        "-4",
        [4],
        {},
        float("nan"),
        float("inf"),
        1e300,
        10**30,
    )
    yield from ((repr(value), value) for value in plain)
    yield "a very large number", 10**5000
    yield "a tensor", torch.ones(1)
    yield "a shadow", type("Scalar", (Shadow,), {"name": "numpy.Scalar"})()
    nested: list[Any] = []
    nested.append(nested)
    yield "a list in itself", nested
    yield "a list of a very large number", [10**5000]


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in unreadable()])
def test_number_that_cannot_be_read_is_an_error_with_option_value_and_type(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"^args\.nb_classes is .* whole number") as refused:
        read({"nb_classes": value})
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(("value", "read_as"), [(1, True), ("true", True), ("False", False)])
def test_truth_of_any_type_is_read(value: Any, read_as: bool) -> None:
    assert training_options.boolean({"eval": value}, "eval") is read_as


@pytest.mark.parametrize("value", [2, "yes please", [True], float("nan"), 10**30])
def test_truth_that_cannot_be_read_is_an_error(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"args\.use_mean_pooling is .* true or false"):
        read({"use_mean_pooling": value})


def test_window_without_frames_or_with_those_of_one_segment_agrees() -> None:
    assert read({"window_size": [2, 2]}).config["num_frames"] == 4
    args = {"num_frames": 2, "num_segments": 2, "window_size": (1, 2, 2)}
    assert read(args).config["num_frames"] == 4
    with pytest.raises(ConversionError, match=r"args\.window_size is \[4, 2, 2\]"):
        read({**args, "window_size": (4, 2, 2)})


def test_other_options_may_be_of_any_type() -> None:
    args: dict[Any, Any] = {"lr": "fast", "data_path": ["x"], "use_x": torch.ones(2), 7: None}
    assert read(args).num_labels == 7
    assert training_scripts.unknown(args, "classifier") == ["use_x", "7"]


# -- whose network ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "whose"),
    [
        ("attn_type", "MAE-DFER's"),
        ("qk_scale", "another attention scale"),
    ],
)
@pytest.mark.parametrize("value", [10**5000, [10**5000], torch.ones(2)], ids=["int", "list", "x"])
def test_value_that_no_network_of_the_authors_has_is_refused_whatever_it_is(
    option: str, whose: str, value: Any
) -> None:
    with pytest.raises(ConversionError, match=f"the network is .*{whose}"):
        read({option: value})


def test_option_that_is_none_is_not_said() -> None:
    names = {name for sign in SIGNS for name in sign.options}
    mvd = set(SIGNS[0].options)
    assert read(dict.fromkeys(names - mvd)).strange == ()
    with pytest.raises(ConversionError, match="MVD's"):
        read(dict.fromkeys(mvd))


# -- what is assumed -------------------------------------------------------------------------------


def assumed(
    args: dict[str, Any], shapes: dict[str, tuple[int, ...]] = SMALL, **given: Any
) -> dict[str, tuple[Any, str]]:
    found = assumptions.assumed(read_architecture(shapes, args, given), args, shapes)
    return {row["what"]: (row["value"], row["origin"]) for row in found}


def test_nothing_confirms_a_network_without_options_but_the_table_its_heads() -> None:
    said = assumed({})
    assert said.pop("num_attention_heads") == (6, "the authors' small network")
    assert {origin for _, origin in said.values()} == {"nothing in the file"}
    assert said["LayerNorm eps"][0] == 1e-6
    assert said["pooling"][0] == "mean of all tokens"


def test_options_of_the_authors_script_confirm_what_it_builds() -> None:
    args = saved("trained/v1-finetuned") | {"nb_classes": 7, "num_frames": 4, "input_size": 32}
    args["window_size"] = [2, 2, 2]
    said = assumed(args, TINY, num_attention_heads=3)
    assert said.pop("num_attention_heads") == (3, "given")
    assert {origin for _, origin in said.values()} == {"the authors' training options"}


def test_factory_named_in_the_options_is_the_table_s_origin() -> None:
    said = assumed({"model": "vit_small_patch16_224", "use_mean_pooling": True})
    assert said["num_attention_heads"] == (6, "the authors' small network")
    assert said["pooling"] == ("mean of all tokens", "args.use_mean_pooling")


def test_positions_that_a_tensor_holds_are_not_assumed() -> None:
    assert "positions" not in assumed({}, SMALL | {"pos_embed": (1, 1568, 384)})


def test_pretraining_assumes_its_decoder_too() -> None:
    said = assumed({}, PRETRAINING)
    assert said["positions of the decoder"] == said["positions"]
    assert said["decoder_num_attention_heads"] == (3, "the authors' small network")
    assert "pooling" not in said


def test_pooling_that_was_given_is_said_to_be() -> None:
    shapes = {name.replace("fc_norm", "norm"): shape for name, shape in SMALL.items()}
    assert assumed({}, shapes, use_mean_pooling=False)["pooling"] == ("first token", "given")


# -- describing ------------------------------------------------------------------------------------


def test_describe_names_options_of_others_and_what_is_assumed() -> None:
    path = DATA / "relatives/sigma-finetuned.pth"
    lines = command("inspect", path, "--config", "num_attention_heads=3").output.splitlines()
    assert (
        "  options that the authors' scripts don't have: examples, finetuning_crops, linear_probing"
        in lines
    )
    assert "  assumed: tokens: all (nothing in the file)" in lines
    (said,) = json.loads(command("inspect", path, "--json").output)
    assert said["unknown_options"] == ["examples", "finetuning_crops", "linear_probing"]
    tokens = {"what": "tokens", "value": "all", "origin": "nothing in the file"}
    assert tokens in said["assumptions"]


def test_describe_shows_a_relative_with_its_reason_and_no_entry() -> None:
    path = DATA / "relatives/mvd-finetuned.pth"
    shown = command("inspect", path, "--config", "num_attention_heads=3")
    assert shown.code == 1
    assert "  hidden_size: 48" in shown.output
    assert "can't be converted: args.use_cls_token is False: the network is MVD's" in shown.output
    assert "variants:" not in shown.output


def test_describe_asks_for_pooling_that_nothing_settles(tmp_path: Path) -> None:
    content = torch.load(DATA / "trained/v1-cls.pth", weights_only=False)
    torch.save({"model": content["model"]}, tmp_path / "cls.pth")
    sizes = ["num_attention_heads=4", "num_frames=8", "image_size=48"]
    shown = command("inspect", tmp_path / "cls.pth", "--config", *sizes).output
    assert "can't be converted yet: the head follows norm" in shown
    assert "      use_mean_pooling: '?'\n" in shown
    (said,) = json.loads(command("inspect", tmp_path / "cls.pth", "--json").output)
    assert said["missing"] == [
        "num_attention_heads",
        "num_frames",
        "image_size",
        "use_mean_pooling",
    ]


def test_positions_in_the_file_are_compared_before_frames_and_size_are_known(
    tmp_path: Path,
) -> None:
    """mmaction2's files have the table, and no options."""
    from videomae.model.positions import sinusoid_positions

    state = torch.load(DATA / "trained/v1-finetuned.pth", weights_only=False)["model"]
    path = tmp_path / "mmaction2.pth"
    torch.save({"state_dict": {**state, "pos_embed": sinusoid_positions(64, 48)}}, path)
    shown = command("inspect", path).output
    assert "can't be converted yet: num_attention_heads, num_frames, image_size can't" in shown
    torch.save({"state_dict": {**state, "pos_embed": torch.zeros(1, 64, 48)}}, path)
    assert "pos_embed differs by up to 1 from the sinusoid" in command("inspect", path).output
    torch.save({"state_dict": {**state, "pos_embed": torch.zeros(1, 64, 24)}}, path)
    assert "but num_frames ? and image_size ? require [1, '?', 48]" in (
        command("inspect", path).output
    )
