"""The catalogue of faults in transformers, each put into it in this process for a while.

The folder stays right. A proof that still passes looks at something else than what users load.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel, VideoMAEConfig
from transformers.models.videomae import image_processing_pil_videomae as pil
from transformers.models.videomae import modeling_videomae as modeling
from videomae.model.architecture import Kind

Put = Callable[[], AbstractContextManager[object]]
KINDS: tuple[Kind, ...] = ("classifier", "pretraining", "encoder")


@dataclass(frozen=True)
class Fault:
    """One way in which transformers could be wrong, and the models that it concerns."""

    name: str
    put: Put
    kinds: tuple[Kind, ...] = KINDS
    pooled: bool = False  # concerns classifiers with fc_norm alone


def catalogue(kind: Kind, pooled: bool) -> list[Fault]:
    """Give every fault that concerns a kind of model."""
    every = [
        *_of_positions(),
        *_of_embedding(),
        *_of_attention(),
        *_of_blocks(),
        *_of_heads(),
        *_of_pretraining(),
        *_of_fine_tuning(),
        *_of_loading(),
        *_of_processor(),
    ]
    return [fault for fault in every if kind in fault.kinds and (pooled or not fault.pooled)]


def control() -> Fault:
    """Give a change that changes nothing, which must pass."""
    same = modeling.get_sinusoid_encoding_table
    return Fault("nothing", _function("get_sinusoid_encoding_table", same))


def _function(name: str, function: Any) -> Put:
    return partial(patch.object, modeling, name, function)


def _method(owner: Any, name: str, function: Any) -> Put:
    return partial(patch.object, owner, name, function)


def _after(owner: Any, change: Callable[[Any], object]) -> Put:
    """Change each object of a class after it is made."""
    original = owner.__init__

    def made(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        change(self)

    return _method(owner, "__init__", made)


# -- positions -------------------------------------------------------------------------------------


def _of_positions() -> Iterator[Fault]:
    def table(change: Callable[[Tensor, int, int], Tensor]) -> Put:
        original = modeling.get_sinusoid_encoding_table

        def changed(number: int, width: int) -> Any:
            return change(original(number, width), number, width)

        return _function("get_sinusoid_encoding_table", changed)

    def from_ninth(made: Tensor, *_: int) -> Any:
        made[:, 8:] += 1.0
        return made

    def last(made: Tensor, *_: int) -> Any:
        made[:, -1] += 1e-3
        return made

    def computed(base: float, start: int = 0) -> Callable[[Tensor, int, int], Tensor]:
        def change(_: Tensor, number: int, width: int) -> Any:
            column = np.arange(width)
            angle = np.arange(start, start + number)[:, None] / base ** (2 * (column // 2) / width)
            made = np.where(column % 2, np.cos(angle), np.sin(angle))
            return torch.FloatTensor(made).unsqueeze(0)

        return change

    def exchanged(made: Tensor, *_: int) -> Any:
        return made.reshape(*made.shape[:2], -1, 2).flip(3).flatten(2)

    def in_halves(made: Tensor, *_: int) -> Any:
        return torch.cat([made[..., 0::2], made[..., 1::2]], dim=2)

    yield Fault("positions from the ninth on raised by 1.0", table(from_ninth))
    yield Fault("last position raised by 1e-3", table(last))
    yield Fault("positions' sine and cosine exchanged", table(exchanged))
    yield Fault("positions' sines first, then cosines", table(in_halves))
    yield Fault("positions of base 1000", table(computed(1000)))
    yield Fault("positions counted from 1", table(computed(10000, start=1)))
    yield Fault("positions left out", table(lambda made, *_: torch.zeros_like(made)))
    yield Fault("positions in reverse order", table(lambda made, *_: made.flip(1)))


# -- patches ---------------------------------------------------------------------------------------


def _of_embedding() -> Iterator[Fault]:
    original = modeling.VideoMAEPatchEmbeddings.forward

    def blue_first(self: Any, pixel_values: Tensor) -> Any:
        return original(self, pixel_values.flip(2))

    def rows_and_columns(self: Any, pixel_values: Tensor) -> Any:
        return original(self, pixel_values.transpose(3, 4))

    def time_reversed(self: Any, pixel_values: Tensor) -> Any:
        return original(self, pixel_values.flip(1))

    def space_first(self: Any, pixel_values: Tensor) -> Any:
        tokens = self.projection(pixel_values.permute(0, 2, 1, 3, 4))
        return tokens.permute(0, 3, 4, 2, 1).flatten(1, 3)

    for name, forward in (
        ("blue, green, red", blue_first),
        ("rows and columns of frames exchanged", rows_and_columns),
        ("frames in reverse order", time_reversed),
        ("tokens ordered by place, then time", space_first),
    ):
        yield Fault(name, _method(modeling.VideoMAEPatchEmbeddings, "forward", forward))
    embed = modeling.VideoMAEEmbeddings.forward

    def hides_the_visible(self: Any, pixel_values: Tensor, mask: Tensor | None) -> Any:
        return embed(self, pixel_values, None if mask is None else mask.flip(1))

    put = _method(modeling.VideoMAEEmbeddings, "forward", hides_the_visible)
    yield Fault("mask in reverse order", put, ("pretraining", "encoder"))


# -- attention -------------------------------------------------------------------------------------


def _attention(
    scale: Callable[[Any], float] = lambda it: it.attention_head_size**-0.5,
    heads: Callable[[Tensor], Tensor] = lambda attended: attended,
    bias: bool = True,
    causal: bool = False,
    dim: int = -1,
    layout: str = "heads first",
) -> Put:
    def split(self: Any, projected: Tensor) -> Any:
        leading = projected.shape[:2]
        if layout == "heads first":
            return projected.reshape(*leading, -1, self.attention_head_size).transpose(1, 2)
        return projected.reshape(*leading, self.attention_head_size, -1).permute(0, 3, 1, 2)

    def forward(self: Any, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        query, key, value = (
            split(self, functional.linear(hidden_states, one.weight, one.bias if bias else None))
            for one in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) * scale(self)
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), float("-inf"))
        weights = scores.softmax(dim)
        attended = heads(weights @ value).transpose(1, 2)
        return attended.flatten(2), weights

    return _method(modeling.VideoMAESelfAttention, "forward", forward)


def _of_attention() -> Iterator[Fault]:
    yield Fault("attention unscaled", _attention(scale=lambda _: 1.0))
    yield Fault(
        "attention scaled by the whole width", _attention(scale=lambda it: it.all_head_size**-0.5)
    )
    yield Fault("attention scaled 1 % too much", _attention(scale=_a_little_more))
    yield Fault("heads in reverse order", _attention(heads=lambda attended: attended.flip(1)))
    yield Fault("heads interleaved", _attention(layout="heads last"))
    yield Fault("biases of attention dropped", _attention(bias=False))
    yield Fault("causal attention", _attention(causal=True))
    yield Fault("softmax over queries", _attention(dim=-2))

    def exchanged(self: Any) -> None:
        self.query, self.key = self.key, self.query

    yield Fault("query and key exchanged", _after(modeling.VideoMAESelfAttention, exchanged))


def _a_little_more(attention: Any) -> Any:
    return 1.01 * float(attention.attention_head_size) ** -0.5


# -- blocks ----------------------------------------------------------------------------------------


def _of_blocks() -> Iterator[Fault]:
    def activation(function: Any) -> Put:
        def forward(self: Any, hidden_states: Tensor) -> Any:
            activated: Tensor = function(self.dense(hidden_states))
            return activated

        return _method(modeling.VideoMAEIntermediate, "forward", forward)

    yield Fault("GELU by tanh", activation(partial(functional.gelu, approximate="tanh")))
    yield Fault("GELU by sigmoid", activation(lambda x: x * torch.sigmoid(1.702 * x)))
    yield Fault("ReLU", activation(functional.relu))

    def eps(self: Any) -> None:
        self.layernorm_before.eps = self.layernorm_after.eps = 1e-4

    yield Fault("eps of the blocks' norms", _after(modeling.VideoMAELayer, eps))

    def exchanged(self: Any, hidden_states: Tensor, **_: Any) -> Any:
        hidden_states = hidden_states + self.attention(self.layernorm_after(hidden_states))
        return self.output(self.intermediate(self.layernorm_before(hidden_states)), hidden_states)

    def after_the_sum(self: Any, hidden_states: Tensor, **_: Any) -> Any:
        hidden_states = self.layernorm_before(hidden_states + self.attention(hidden_states))
        return self.layernorm_after(self.output(self.intermediate(hidden_states), hidden_states))

    def without_the_first(self: Any, hidden_states: Tensor, **_: Any) -> Any:
        attended = self.attention(self.layernorm_before(hidden_states))
        return self.output(self.intermediate(self.layernorm_after(attended)), attended)

    def normalised_sum(self: Any, hidden_states: Tensor, **_: Any) -> Any:
        normalised = self.layernorm_before(hidden_states)
        hidden_states = normalised + self.attention(normalised)
        return self.output(self.intermediate(self.layernorm_after(hidden_states)), hidden_states)

    for name, forward in (
        ("norms of a block exchanged", exchanged),
        ("norms after the sums", after_the_sum),
        ("first residual connection left out", without_the_first),
        ("first residual connection after the norm", normalised_sum),
    ):
        yield Fault(name, _method(modeling.VideoMAELayer, "forward", forward))

    layers = modeling.VideoMAEEncoder.forward

    def last_left_out(self: Any, hidden_states: Tensor, **named: Any) -> Any:
        with patch.object(self, "layer", self.layer[:-1]):
            return layers(self, hidden_states, **named)

    yield Fault("last layer left out", _method(modeling.VideoMAEEncoder, "forward", last_left_out))


# -- classifiers and encoders ----------------------------------------------------------------------


def _of_heads() -> Iterator[Fault]:
    def pooled(pool: Callable[[Any, Tensor], Tensor]) -> Put:
        def forward(self: Any, pixel_values: Tensor, **_: Any) -> Any:
            tokens = self.videomae(pixel_values).last_hidden_state
            return modeling.ImageClassifierOutput(logits=self.classifier(pool(self, tokens)))

        return _method(modeling.VideoMAEForVideoClassification, "forward", forward)

    classifier: tuple[Kind, ...] = ("classifier",)

    def norm(self: Any, tokens: Tensor) -> Any:
        normalised: Tensor = tokens if self.fc_norm is None else self.fc_norm(tokens)
        return normalised

    for name, pool in (
        ("largest value in place of the mean", lambda it, tokens: norm(it, tokens.amax(1))),
        ("mean of the first half of the tokens", lambda it, t: norm(it, t[:, ::2].mean(1))),
        ("last token", lambda it, tokens: norm(it, tokens[:, -1])),
    ):
        yield Fault(f"pooling: {name}", pooled(pool), classifier)
    first = pooled(lambda it, tokens: norm(it, tokens[:, 0]))
    yield Fault("pooling: first token", first, classifier, pooled=True)
    before = pooled(lambda it, tokens: norm(it, tokens).mean(1))
    yield Fault("fc_norm before pooling", before, classifier, pooled=True)
    without = pooled(lambda _, tokens: tokens.mean(1))
    yield Fault("fc_norm left out", without, classifier, pooled=True)

    def eps(self: Any) -> None:
        if self.fc_norm is not None:
            self.fc_norm.eps = 1e-4

    put = _after(modeling.VideoMAEForVideoClassification, eps)
    yield Fault("eps of fc_norm", put, classifier, pooled=True)

    def another_order(self: Any) -> None:
        number = self.classifier.out_features
        self.classifier.register_forward_hook(lambda *it: it[2].roll(1, -1) if number else None)

    put = _after(modeling.VideoMAEForVideoClassification, another_order)
    yield Fault("logits shifted by one class", put, classifier)


# -- pre-training ----------------------------------------------------------------------------------


def _of_pretraining() -> Iterator[Fault]:
    kinds: tuple[Kind, ...] = ("pretraining",)

    def eps(self: Any) -> None:
        self.norm.eps = 1e-4

    yield Fault("eps of the decoder's norm", _after(modeling.VideoMAEDecoder, eps), kinds)

    def positions(change: Callable[[Tensor], Tensor]) -> Put:
        def made(self: Any) -> None:
            self.position_embeddings = change(self.position_embeddings)

        return _after(modeling.VideoMAEForPreTraining, made)

    yield Fault("decoder's positions left out", positions(torch.zeros_like), kinds)
    rolled = positions(lambda table: table.roll(1, 1))
    yield Fault("decoder's positions shifted by one", rolled, kinds)

    decode = modeling.VideoMAEDecoder.forward

    def first_tokens(self: Any, hidden_states: Tensor, number: int) -> Any:
        return decode(self, hidden_states.roll(number, 1), number)

    put = _method(modeling.VideoMAEDecoder, "forward", first_tokens)
    yield Fault("decoder gives the visible tokens", put, kinds)

    forward = modeling.VideoMAEForPreTraining.forward

    def with_loss(change: Callable[[Any, Any], Tensor]) -> Put:
        def changed(self: Any, pixel_values: Tensor, **named: Any) -> Any:
            output = forward(self, pixel_values, **named)
            output.loss = change(self, output)
            return output

        return _method(modeling.VideoMAEForPreTraining, "forward", changed)

    yield Fault("loss twice as large", with_loss(lambda _, output: 2 * output.loss), kinds)
    half = (0.5, 0.5, 0.5)
    mean = _function("IMAGENET_DEFAULT_MEAN", half)
    yield Fault("loss of pixels normalised by 0.5", mean, kinds)


# -- the start of fine-tuning ----------------------------------------------------------------------


def _of_fine_tuning() -> Iterator[Fault]:
    owner = modeling.VideoMAEForVideoClassification
    kinds: tuple[Kind, ...] = ("pretraining",)
    original, load = owner.forward, PreTrainedModel.from_pretrained.__func__

    def changed(tokens: Callable[[Tensor], Tensor]) -> Put:
        """Change what the head is given, so that the mean of tokens or its gradient is another."""

        def forward(self: Any, pixel_values: Tensor, **named: Any) -> Any:
            def change(_: Any, __: Any, output: Any) -> Any:
                output.last_hidden_state = tokens(output.last_hidden_state)
                return output

            handle = self.videomae.register_forward_hook(change)
            try:
                return original(self, pixel_values, **named)
            finally:
                handle.remove()

        return _method(owner, "forward", forward)

    def before(change: Callable[[Any], object]) -> Put:
        return _after(owner, change)

    def normalised(tokens: Tensor) -> Tensor:
        return functional.layer_norm(tokens, tokens.shape[-1:])

    first = changed(lambda tokens: tokens[:, :1].expand_as(tokens))
    yield Fault("fine-tuning: first token pooled", first, kinds)
    yield Fault("fine-tuning: a norm before pooling", changed(normalised), kinds)

    def kept(self: Any) -> None:
        self.videomae.layernorm = torch.nn.LayerNorm(self.config.hidden_size, eps=1e-6)

    yield Fault("fine-tuning: the encoder's norm kept", before(kept), kinds)

    def biased(self: Any) -> None:
        key = self.videomae.encoder.layer[-1].attention.attention.key
        key.bias = torch.nn.Parameter(torch.zeros(key.out_features))

    yield Fault("fine-tuning: a bias of the key is trained", before(biased), kinds)

    yield Fault("fine-tuning: no gradient of the encoder", changed(Tensor.detach), kinds)

    def half(tokens: Tensor) -> Tensor:
        return (tokens + tokens.detach()) / 2

    yield Fault("fine-tuning: half the gradient of the encoder", changed(half), kinds)

    def smoothed(self: Any, pixel_values: Tensor, labels: Any = None, **named: Any) -> Any:
        output = original(self, pixel_values, labels=labels, **named)
        if labels is not None:
            output.loss = functional.cross_entropy(output.logits, labels, label_smoothing=0.1)
        return output

    yield Fault("fine-tuning: smoothed labels", _method(owner, "forward", smoothed), kinds)

    def loaded(change: Callable[[Any], object]) -> Put:
        def from_pretrained(kind: Any, *arguments: Any, **named: Any) -> Any:
            made = load(kind, *arguments, **named)
            model = made[0] if isinstance(made, tuple) else made
            if isinstance(model, owner):
                with torch.no_grad():
                    change(model.videomae)
            return made

        return _method(PreTrainedModel, "from_pretrained", classmethod(from_pretrained))

    frozen = loaded(lambda encoder: encoder.embeddings.requires_grad_(False))
    yield Fault("fine-tuning: the patch embedding is frozen", frozen, kinds)
    at_random = loaded(lambda encoder: encoder.encoder.layer[-1].output.dense.weight.normal_())
    yield Fault("fine-tuning: a block left at random", at_random, kinds)


# -- loading ---------------------------------------------------------------------------------------


def _of_loading() -> Iterator[Fault]:
    original = PreTrainedModel.from_pretrained.__func__

    def loaded(change: Callable[[Any], object]) -> Put:
        def from_pretrained(kind: Any, *arguments: Any, **named: Any) -> Any:
            made = original(kind, *arguments, **named)
            model = made[0] if isinstance(made, tuple) else made
            with torch.no_grad():
                change(model)
            return made

        return _method(PreTrainedModel, "from_pretrained", classmethod(from_pretrained))

    def attention(model: Any) -> Any:
        return model.base_model.encoder.layer[0].attention.attention

    yield Fault("query's bias left at zero", loaded(lambda m: attention(m).query.bias.zero_()))
    yield Fault("weights rounded to bfloat16", loaded(lambda m: m.bfloat16().float()))

    yield Fault("dropout goes on", loaded(_with_dropout))

    def config(change: Callable[[Any], object]) -> Put:
        return _after(VideoMAEConfig, change)

    yield Fault("config's eps is not read", config(lambda c: setattr(c, "layer_norm_eps", 1e-12)))
    yield Fault("config's activation is not read", config(_another_activation))
    classifier: tuple[Kind, ...] = ("classifier",)
    yield Fault("config's labels in reverse order", config(_reversed_labels), classifier)
    many = config(lambda c: setattr(c, "problem_type", "multi_label_classification"))
    yield Fault("config's problem is of several labels", many)


def _with_dropout(model: Any) -> None:
    layer = model.base_model.encoder.layer[0]
    layer.output.dropout.forward = partial(functional.dropout, p=0.5, training=True)


def _another_activation(config: Any) -> None:
    config.hidden_act = "gelu_new"


def _reversed_labels(config: Any) -> None:
    names = list(config.id2label.values())[::-1]
    config.id2label = dict(enumerate(names))


# -- processors ------------------------------------------------------------------------------------


def _of_processor() -> Iterator[Fault]:
    owner = pil.VideoMAEImageProcessorPil

    def option(name: str, value: Any) -> Put:
        original = owner._preprocess

        def changed(self: Any, images: Any, **named: Any) -> Any:
            return original(self, images, **(named | {name: value}))

        return _method(owner, "_preprocess", changed)

    half = [0.5, 0.5, 0.5]
    for name, value in (
        ("image_mean", half),
        ("image_std", half),
        ("image_mean", [0.406, 0.456, 0.485]),
        ("rescale_factor", 1 / 256),
        ("do_normalize", False),
        ("do_rescale", False),
        ("resample", 0),
        ("resample", 3),
    ):
        yield Fault(f"processor's {name}: {value}", option(name, value))

    def at_the_corner(_: Any, image: Any, size: Any, **__: Any) -> Any:
        return image[:, : size.height, : size.width]

    def a_row_later(_: Any, image: Any, size: Any, **__: Any) -> Any:
        top, left = (image.shape[1] - size.height + 1) // 2, (image.shape[2] - size.width + 1) // 2
        return image[:, top : top + size.height, left : left + size.width]

    crop = owner.center_crop

    def crops_first(self: Any, image: Any, size: Any, resample: Any, **named: Any) -> Any:
        side = min(image.shape[1:])
        square = crop(self, image, type(size)(height=side, width=side))
        return resize(self, square, size, resample, **named)

    resize = owner.resize

    def squashes(self: Any, image: Any, size: Any, resample: Any, **named: Any) -> Any:
        side = size.shortest_edge
        return resize(self, image, type(size)(height=side, width=side), resample, **named)

    def unsmoothed(self: Any, image: Any, size: Any, resample: Any, **named: Any) -> Any:
        step = max(1, min(image.shape[1:]) // size.shortest_edge)
        return resize(self, np.ascontiguousarray(image[:, ::step, ::step]), size, resample, **named)

    def blue_first(self: Any, image: Any, *arguments: Any, **named: Any) -> Any:
        return normalise(self, image[::-1], *arguments, **named)

    normalise = owner.normalize
    for name, method, function in (
        ("cut out at the corner", "center_crop", at_the_corner),
        ("cut out a pixel later", "center_crop", a_row_later),
        ("cut square before it is resized", "resize", crops_first),
        ("squashed to a square", "resize", squashes),
        ("resized without smoothing", "resize", unsmoothed),
        ("blue, green, red", "normalize", blue_first),
    ):
        yield Fault(f"processor's frames: {name}", _method(owner, method, function))
