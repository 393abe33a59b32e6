"""What tensors are called: wrappers anywhere, words of other implementations, merged layers."""

import pytest
from videomae.checkpoint.tensor_names import authors_names, merge_layers
from videomae.errors import ConversionError

AUTHORS = (
    "patch_embed.proj.weight",
    "blocks.0.attn.proj.weight",
    "blocks.0.mlp.fc1.bias",
    "norm.bias",
)


@pytest.mark.parametrize(
    "theirs",
    [
        AUTHORS,
        [f"module.{name}" for name in AUTHORS],
        [f"_orig_mod.module.model.{name}" for name in AUTHORS],
        # As FSDP and activation checkpointing wrap blocks, and then each child.
        [name.replace("blocks.0.", "blocks.0._checkpoint_wrapped_module.") for name in AUTHORS],
        [
            f"_fsdp_wrapped_module.{name}".replace("blocks.0.", "blocks.0._fsdp_wrapped_module.")
            .replace("attn.", "attn._fsdp_wrapped_module.")
            .replace("mlp.", "mlp._orig_mod.")
            for name in AUTHORS
        ],
        [
            ".".join(f"{part}.module" for part in name.split(".")[:-1]) + "." + name.split(".")[-1]
            for name in AUTHORS
        ],
        # AdaptFormer's
        [name.replace("mlp.fc1", "fc1") for name in AUTHORS],
        # mmaction2's
        [
            f"backbone.{name}".replace(
                "proj.weight", "projection.weight", name.startswith("patch")
            ).replace("mlp.fc1", "mlp.layers.0.0")
            for name in AUTHORS
        ],
    ],
)
def test_names_become_the_authors(theirs: list[str]) -> None:
    assert authors_names(theirs) == dict(zip(theirs, AUTHORS, strict=True))


def test_names_that_differ_in_wrappers_alone_are_refused() -> None:
    names = [*AUTHORS, "blocks.0.attn._orig_mod.proj.weight"]
    with pytest.raises(ConversionError, match="the same name"):
        authors_names(names)


def test_layers_are_merged_in_messages() -> None:
    names = ["a.0.x", "a.1.x", "a.2.x", "b", "c.4.y", "c.7.y", "d.3.z"]
    merged = ["a.{0...2}.x", "b", "c.{4,7}.y", "d.3.z"]
    assert merge_layers(names) == merged
