"""Reads VideoMAEConfig values from the training options in a file.

Options may have any type, because any program may have written them. A number may be text or a
float. An option that can't be read raises an error; it is never skipped.
"""

import reprlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from videomae.checkpoint import lazy_tensor
from videomae.checkpoint.training_args import named
from videomae.checkpoint.unpickler import Shadow
from videomae.errors import ConversionError, listing, one_line
from videomae.model.networks import Factory, factory_of

# Options that are VideoMAEConfig values under another name, and the kind of network they apply to.
# The last ones are parameters of the authors' classes (modeling_finetune.py, modeling_pretrain.py);
# only other projects' scripts offer them as options.
SAID = {
    "tubelet_size": ("tubelet_size", "any"),
    "decoder_depth": ("decoder_num_hidden_layers", "pretraining"),
    "in_chans": ("num_channels", "any"),
    "embed_dim": ("hidden_size", "any"),
    "depth": ("num_hidden_layers", "any"),
    "num_heads": ("num_attention_heads", "any"),
    "encoder_in_chans": ("num_channels", "any"),
    "encoder_embed_dim": ("hidden_size", "any"),
    "encoder_depth": ("num_hidden_layers", "any"),
    "encoder_num_heads": ("num_attention_heads", "any"),
    "decoder_embed_dim": ("decoder_hidden_size", "pretraining"),
    "decoder_num_heads": ("decoder_num_attention_heads", "pretraining"),
}
LARGEST = 2**53  # a float holds all whole numbers up to this exactly
TRUTH = {"true": True, "false": False, "1": True, "0": False}

# Only V2's fine-tuning script passes the image size to the factory (create_model in each script).
# Only that script has this option:
SIZE_IS_GIVEN = "head_drop_rate"

Said = tuple[str, Any, str]


def values(args: Mapping[str, Any], kind: str) -> Iterator[Said]:
    """Yield (VideoMAEConfig name, value, option) for each value in the training options."""
    if kind == "classifier":  # an encoder alone may come from a network with or without pooling
        yield from _pooling(args)
    # Fine-tuning builds the network for the frames of all segments together.
    if (frames := integer(args, "num_frames")) is not None:
        segments = integer(args, "num_segments")
        frames *= 1 if kind == "pretraining" or segments is None else segments
        options = ["num_frames"] if segments is None else ["num_frames", "num_segments"]
        yield "num_frames", frames, " × ".join(named(args, option) for option in options)
    if (size := side(args, "input_size", "square images")) is not None:
        yield "image_size", size, named(args, "input_size")
    if (size := side(args, "patch_size", "square patches")) is not None:
        yield "patch_size", size, named(args, "patch_size")
    for option, (name, of) in SAID.items():
        if of in (kind, "any") and (number := integer(args, option)) is not None:
            yield name, number, named(args, option)
    for option in ("layer_norm_eps", "norm_eps"):
        if (eps := decimal(args, option)) is not None:
            yield "layer_norm_eps", eps, named(args, option)
    for option in ("image_mean", "image_std"):
        if args.get(option) is not None:
            yield option, channels(args, option), named(args, option)
    if (rescaled := boolean(args, "do_rescale")) is not None:
        yield "do_rescale", rescaled, named(args, "do_rescale")
    normalised = boolean(args, "normlize_target") if kind == "pretraining" else None
    if normalised is not None:  # the authors' spelling
        yield "norm_pix_loss", normalised, named(args, "normlize_target")


def _pooling(args: Mapping[str, Any]) -> Iterator[Said]:
    if (pooling := boolean(args, "use_mean_pooling")) is not None:
        yield "use_mean_pooling", pooling, named(args, "use_mean_pooling")
    if (first := boolean(args, "use_cls")) is not None:  # it sets use_mean_pooling to false
        yield "use_mean_pooling", not first, named(args, "use_cls")


def factory(args: Mapping[str, Any], kind: str, config: Mapping[str, Any]) -> Factory | None:
    """Return the authors' factory that the option ``model`` names; None for any other name.

    Raises `ConversionError` if the tensors are not of the network that this factory builds.
    """
    name = args.get("model")
    if name is None:
        return None
    if not isinstance(name, str):
        raise _unreadable("args.model", name, "the name of a factory")
    made = factory_of(name)
    if made is None:
        return None
    wrong = [] if _may_be(kind, made.pretraining) else [f"a {kind}, not {_described(made)}"]
    sizes = ("hidden_size", "num_hidden_layers", "intermediate_size")
    built = {size: getattr(made.network, size) for size in sizes}
    built |= {"patch_size": made.patch_size, "qv_bias": True}
    for value, expected in built.items():
        if config[value] != expected:
            wrong.append(f"{value} {config[value]}, not {expected}")
    if wrong:
        raise ConversionError(
            f"args.model is {name}, but the tensors belong to another network: "
            f"{listing(wrong)}; correct args.model, or use the right file"
        )
    return made


def _may_be(kind: str, pretraining: bool) -> bool:
    """Return whether a network of this kind can be what a factory builds, or a part of it."""
    return kind == "encoder" or pretraining == (kind == "pretraining")


def _described(made: Factory) -> str:
    return "a pre-training model" if made.pretraining else "a classifier"


def of_factory(made: Factory, args: Mapping[str, Any], decoder_hidden_size: Any) -> Iterator[Said]:
    """Yield a factory's values that no tensor shows: attention heads and image size."""
    origin = f"args.model {made.name}"
    yield "num_attention_heads", made.network.num_attention_heads, origin
    if decoder_hidden_size == made.network.decoder_hidden_size:
        yield "decoder_num_attention_heads", made.network.decoder_num_attention_heads, origin
    if made.pretraining or SIZE_IS_GIVEN not in args:
        yield "image_size", made.image_size, origin


def check(args: Mapping[str, Any], config: Mapping[str, Any], num_labels: int | None) -> None:
    """Raise `ConversionError` if other options contradict the network: classes, MLP and window."""
    classes = integer(args, "nb_classes")
    if num_labels and classes not in (None, num_labels):
        raise ConversionError(
            f"the head has {num_labels} classes (tensor head.weight), but args.nb_classes is "
            f"{classes}; one of them belongs to another network"
        )
    _check_ratio(args, config)
    _check_window(args, config)


def _check_ratio(args: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    ratio = args.get("mlp_ratio")
    if ratio is None:
        return
    try:
        width = int(config["hidden_size"] * float(ratio) + 0.01)  # of 48 / 11, written in decimals
    except (TypeError, ValueError, OverflowError):
        raise _unreadable(named(args, "mlp_ratio"), ratio, "a number") from None
    if width != config["intermediate_size"]:
        raise ConversionError(
            f"{named(args, 'mlp_ratio')} {ratio} makes the MLP {width} wide, but the tensors have "
            f"{config['intermediate_size']}; one of them belongs to another network"
        )


def _check_window(args: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Raise `ConversionError` if args.window_size contradicts the frames and the image size.

    The scripts count the frames of one segment. V1 and its successors divide them by 2, whatever
    the tubelet size.
    """
    window = args.get("window_size")
    if window is None or not {"num_frames", "image_size"} <= config.keys():
        return
    counts = numbers("args.window_size", window)
    if len(counts) not in (2, 3):  # the scripts' comments mention a form without frames
        raise _unreadable("args.window_size", window, "three numbers")
    segment = integer(args, "num_frames") or config["num_frames"]
    tubelets = {segment // config["tubelet_size"], segment // 2}
    patches = config["image_size"] // config["patch_size"]
    if counts[-2:] != [patches, patches] or (len(counts) == 3 and counts[0] not in tubelets):
        raise ConversionError(
            f"args.window_size is {counts}, but num_frames {segment} and image_size "
            f"{config['image_size']} with tubelets of {config['tubelet_size']} and patches of "
            f"{config['patch_size']} make it {[min(tubelets), patches, patches]}; "
            "one of them belongs to another network"
        )


# -- reading one option ----------------------------------------------------------------------------


def integer(args: Mapping[str, Any], option: str) -> int | None:
    """Return an option as a whole number; None if it is missing or None."""
    value = args.get(option)
    return None if value is None else _integer(named(args, option), value)


def _integer(option: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return int(value)
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 20:
        return int(value)
    raise _unreadable(option, value, "a whole number")


def decimal(args: Mapping[str, Any], option: str) -> float | None:
    """Return an option as a number between 0 and 1; None if it is missing or None."""
    value = args.get(option)
    if value is None:
        return None
    with suppress(TypeError, ValueError, OverflowError):
        if not isinstance(value, bool) and 0 < (number := float(value)) < 1:
            return number
    raise _unreadable(named(args, option), value, "a number between 0 and 1")


def channels(args: Mapping[str, Any], option: str) -> list[float]:
    """Return an option as three numbers."""
    value = args[option]
    with suppress(TypeError, ValueError, OverflowError):
        if isinstance(value, list | tuple) and bool not in map(type, value):
            red, green, blue = map(float, value)
            return [red, green, blue]
    raise _unreadable(named(args, option), value, "a list of three numbers")


def boolean(args: Mapping[str, Any], option: str) -> bool | None:
    """Return an option as true or false; None if it is missing or None."""
    value = args.get(option)
    if value is None or isinstance(value, bool):
        return value
    known = isinstance(value, int | float | str)
    number = int(value) if isinstance(value, float) and value.is_integer() else value
    if known and (read := TRUTH.get(str(number).strip().lower())) is not None:
        return read
    raise _unreadable(named(args, option), value, "true or false")


def numbers(option: str, value: Any) -> list[int]:
    """Return an option as a list of whole numbers."""
    if not isinstance(value, list | tuple):
        raise _unreadable(option, value, "a list of whole numbers")
    return [_integer(option, number) for number in value]


def side(args: Mapping[str, Any], option: str, what: str) -> int | None:
    """Return the side of a square, which an option gives as one or two numbers."""
    size = args.get(option)
    if size is None:
        return None
    if not isinstance(size, list | tuple):
        return _integer(named(args, option), size)
    with suppress(ConversionError):
        sides = numbers(named(args, option), size)
        if len(sides) in (1, 2) and sides[0] == sides[-1]:
            return sides[0]
    raise ConversionError(
        f"{named(args, option)} is {shown(list(size))}, but transformers' VideoMAE takes only "
        f"{what}"
    )


def shown(value: Any) -> str:
    """Return an option's value for a message, of any size and type."""
    if isinstance(value, int) and abs(value) > LARGEST:  # Python itself refuses to print some
        return f"a number of {value.bit_length()} bits"
    plain = isinstance(value, str | int | float | list | tuple | dict) or value is None
    try:
        return one_line(reprlib.repr(value), most=120) if plain else f"a {_type(value)}"
    except ValueError:  # such a number in a list
        return f"a {_type(value)} with numbers that are too large"


def _type(value: Any) -> str:
    if lazy_tensor.is_tensor(value):
        return "Tensor"
    return value.name if isinstance(value, Shadow) else type(value).__name__


def _unreadable(option: str, value: Any, needed: str) -> ConversionError:
    """Return the error for an option that can't be read, with its value and type."""
    told = shown(value)
    of_type = "" if told.startswith("a ") else f" (of type {_type(value)})"
    return ConversionError(
        f"{option} is {told}{of_type}, but must be {needed} because it describes the network; "
        "correct it in the file, or save the file without it"
    )
