"""Reads the options in a file: the authors' ``args``, mmengine's config, or a hub repository's.

mmengine stores the whole config as Python text under ``meta.cfg``. The text is parsed and never
run: only literals and calls of ``dict`` are read.
"""

import ast
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from videomae.checkpoint import repository
from videomae.checkpoint.unpickler import Shadow
from videomae.model import imagenet

# Keys of mmaction2's VisionTransformer (vit_mae.py at 4d6c934), and the authors' options.
BACKBONE = {
    "img_size": "input_size",
    "patch_size": "patch_size",
    "in_channels": "in_chans",
    "embed_dims": "embed_dim",
    "depth": "depth",
    "num_heads": "num_heads",
    "mlp_ratio": "mlp_ratio",
    "qk_scale": "qk_scale",
    "use_learnable_pos_emb": "use_learnable_pos_emb",
    "num_frames": "num_frames",
    "tubelet_size": "tubelet_size",
    "use_mean_pooling": "use_mean_pooling",
}
# Keys of config.json in VideoMAE V2's hub repositories, under model_config or at the top, and the
# authors' options; they are parameters of V2's VisionTransformer (modeling_finetune.py).
HUB = {
    "img_size": "input_size",
    "patch_size": "patch_size",
    "in_chans": "in_chans",
    "num_classes": "nb_classes",
    "embed_dim": "embed_dim",
    "depth": "depth",
    "num_heads": "num_heads",
    "mlp_ratio": "mlp_ratio",
    "qk_scale": "qk_scale",
    "layer_norm_eps": "layer_norm_eps",
    "use_learnable_pos_emb": "use_learnable_pos_emb",
    "all_frames": "num_frames",
    "num_frames": "num_frames",
    "tubelet_size": "tubelet_size",
    "use_mean_pooling": "use_mean_pooling",
    "cos_attn": "cos_attn",
}
# How the names of options in such configs begin.
MMENGINE = "meta.cfg "
OF_HUB = f"{repository.CONFIG} of the repository, "
LEVELS = 255


class Options(dict[str, Any]):
    """Training options by the names of the authors' scripts.

    ``names`` are the names in the file, if they differ.
    """

    names: Mapping[str, str]

    def __init__(self, options: Mapping[str, Any], names: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self.names = names or {}


def named(options: Mapping[str, Any], option: str) -> str:
    """Return the name of an option in the file, for messages."""
    names = options.names if isinstance(options, Options) else {}
    return names.get(option, f"args.{option}")


def with_implied(options: Options, implied: Mapping[str, Any], by: str) -> Options:
    """Return options with those that something else implies, unless the file has them itself."""
    names = {**dict.fromkeys(implied, by), **{option: named(options, option) for option in options}}
    return Options({**implied, **options}, names) if implied else options


def find(contents: Mapping[Any, Any]) -> Options | None:
    """Return the options in a file, which may be none; None if ``args`` can't be read."""
    said = contents.get("args")
    args = said.state if isinstance(said, Shadow) else said
    if args is not None:
        return Options(args) if isinstance(args, Mapping) else None
    config = contents.get(repository.CONFIG)
    if isinstance(config, Mapping):
        return _of_hub(config)
    meta = contents.get("meta")
    text = meta.get("cfg") if isinstance(meta, Mapping) else None
    return _of_mmengine(text) if isinstance(text, str) else Options({})


def _of_hub(config: Mapping[str, Any]) -> Options:
    """Return what the config.json of a hub repository says of the network."""
    said, where = config.get("model_config"), "model_config."
    if not isinstance(said, Mapping):
        said, where = config, ""
    options: dict[str, Any] = {}
    names: dict[str, str] = {}
    for theirs, authors in HUB.items():
        if said.get(theirs) is not None:
            options[authors] = said[theirs]
            names[authors] = f"{OF_HUB}{where}{theirs}"
    return Options(options, names)


def _of_mmengine(text: str) -> Options:
    """Return what mmengine's config says of the network and its pixels."""
    model = _model(text)
    backbone, pixels = (_dict(model.get(key)) for key in ("backbone", "data_preprocessor"))
    options: dict[str, Any] = {}
    names: dict[str, str] = {}
    if str(backbone.get("type")).rpartition(".")[2] == "VisionTransformer":
        for theirs, authors in BACKBONE.items():
            if backbone.get(theirs) is not None:
                options[authors] = backbone[theirs]
                names[authors] = f"{MMENGINE}model.backbone.{theirs}"
        eps = _dict(backbone.get("norm_cfg")).get("eps")
        if eps is not None:
            options["layer_norm_eps"] = eps
            names["layer_norm_eps"] = f"{MMENGINE}model.backbone.norm_cfg.eps"
    expected = {"mean": imagenet.MEAN, "std": imagenet.STD}
    found = {key: pixels[key] for key in expected if pixels.get(key) is not None}
    if any(not _close(value, expected[key]) for key, value in found.items()):
        # mmengine normalises pixels in 0..255.
        said = {f"image_{key}": value for key, value in found.items()} | {"do_rescale": False}
        options |= said
        names |= dict.fromkeys(said, f"{MMENGINE}model.data_preprocessor")
    return Options(options, names)


def _close(found: Any, expected: tuple[float, ...]) -> bool:
    """Return whether values of three channels are ImageNet's, as mmengine rounds them."""
    with suppress(TypeError, ValueError):
        pairs = list(zip(found, expected, strict=True))
        return all(abs(float(one) - LEVELS * other) < 0.01 for one, other in pairs)
    return False


def _model(text: str) -> dict[str, Any]:
    """Return the value of ``model`` in a config; empty if the text can't be read."""
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        for statement in ast.parse(text).body:
            match statement:
                case ast.Assign(targets=[ast.Name(id="model")], value=value):
                    return _dict(_literal(value))
    return {}


def _literal(node: ast.expr) -> Any:
    """Return the value of literals and calls of ``dict``; raises ValueError for any other code."""
    match node:
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return {word.arg: _literal(word.value) for word in keywords if word.arg}
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_literal(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return {_literal(key): _literal(value) for key, value in pairs if key}
    return ast.literal_eval(node)


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
