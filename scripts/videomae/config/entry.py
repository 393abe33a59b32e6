"""The keys of an entry under ``variants`` in config.yaml: all about one checkpoint.

`models` has the rest of config.yaml.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from videomae.checkpoint.selection import Selection
from videomae.config.types import (
    Channels,
    Count,
    Maybe,
    Model,
    Number,
    NumberOrRow,
    Percent,
    Positive,
    Switch,
    Text,
    TextOrKeys,
    Unique,
    passing,
    refusal,
    refuse_by,
)
from videomae.errors import listing
from videomae.model import datasets, labels

Family = Literal["VideoMAE", "VideoMAE V2"]
DataSet = Annotated[str, passing(datasets.identifier)]


def _check_labels(name: str) -> str:
    if name == labels.NONE:
        raise refusal(
            f"for LABEL_0, LABEL_1 … leave this key out; for a file that is called {labels.NONE}, "
            f"write ./{labels.NONE}"
        )
    return name


def _check_mask(mask: str) -> str:
    word, _, ratio = mask.partition(":")
    if word == "synthetic" and not re.fullmatch(r"0?\.\d+", ratio):
        raise refusal(f"{mask!r} needs a ratio between 0 and 1, such as synthetic:0.9")
    return mask


def _check_rows(logits: list[float | list[float]]) -> list[float | list[float]]:
    lengths = {len(row) if isinstance(row, list) else 0 for row in logits}
    if len(lengths) > 1:
        raise refusal(f"rows have different lengths: {listing(map(str, sorted(lengths)))}")
    return logits


class Values(Model):
    """Values of VideoMAEConfig and the image processor that the checkpoint does not contain."""

    num_attention_heads: Maybe[Count] = Field(
        default=None, description="attention heads of the encoder"
    )
    decoder_num_attention_heads: Maybe[Count] = Field(
        default=None, description="attention heads of the decoder (pre-training)"
    )
    num_frames: Maybe[Count] = Field(default=None, description="frames of a clip")
    image_size: Maybe[Count] = Field(
        default=None, description="height and width of a frame, in pixels"
    )
    norm_pix_loss: Maybe[Switch] = Field(
        default=None,
        description="whether pre-training predicts patches that are normalised one by one",
    )
    hidden_size: Maybe[Count] = Field(default=None, description="width of the encoder")
    num_hidden_layers: Maybe[Count] = Field(default=None, description="layers of the encoder")
    intermediate_size: Maybe[Count] = Field(default=None, description="width of the encoder's MLPs")
    patch_size: Maybe[Count] = Field(
        default=None, description="height and width of a patch, in pixels"
    )
    tubelet_size: Maybe[Count] = Field(default=None, description="frames that one patch spans")
    num_channels: Maybe[Count] = Field(default=None, description="channels of a frame")
    use_mean_pooling: Maybe[Switch] = Field(
        default=None,
        description="whether the head reads the mean of all tokens; if not, the first token",
    )
    decoder_hidden_size: Maybe[Count] = Field(default=None, description="width of the decoder")
    decoder_num_hidden_layers: Maybe[Count] = Field(
        default=None, description="layers of the decoder"
    )
    decoder_intermediate_size: Maybe[Count] = Field(
        default=None, description="width of the decoder's MLPs"
    )
    layer_norm_eps: Maybe[Positive] = Field(
        default=None, description="epsilon of the layer norms (default: the authors', 1e-6)"
    )
    image_mean: Maybe[Channels] = Field(
        default=None,
        description="the mean that normalises pixels, one for each channel (default: ImageNet's)",
    )
    image_std: Maybe[Channels] = Field(
        default=None, description="the standard deviation that normalises pixels, likewise"
    )
    do_rescale: Maybe[Switch] = Field(
        default=None,
        description="whether these are of pixels in 0..1 (default: true); if not, in 0..255",
    )


class Overrides(Model):
    """VideoMAEConfig values of the recording model that differ from the converted one's."""

    layer_norm_eps: Maybe[Positive] = Field(default=None, description="epsilon of the layer norms")
    num_attention_heads: Maybe[Count] = Field(
        default=None, description="attention heads of the encoder"
    )
    decoder_num_attention_heads: Maybe[Count] = Field(
        default=None, description="attention heads of the decoder"
    )


class Conditions(Model):
    """Conditions under which outputs were recorded."""

    clip: Maybe[str] = Field(
        default=None, description="synthetic, an .npy file, or hub:OWNER/REPO/PATH of a dataset"
    )
    mask: Maybe[Annotated[str, AfterValidator(_check_mask)]] = Field(
        default=None,
        description="synthetic:RATIO, a file of torch.save, or hub:OWNER/REPO/PATH of a dataset",
    )
    image_mean: Maybe[Channels] = Field(
        default=None, description="the mean that normalised the pixels, one for each channel"
    )
    image_std: Maybe[Channels] = Field(
        default=None, description="the standard deviation that normalised the pixels, likewise"
    )
    config: Overrides = Field(
        default_factory=Overrides,
        description="VideoMAEConfig values of the recording model, where they differ from the "
        "converted one's",
    )


class Loss(Model):
    """Recorded losses of pre-training."""

    norm_pix: Maybe[Number] = Field(default=None, description="the loss with norm_pix_loss")
    raw_pix: Maybe[Number] = Field(default=None, description="the loss without it")


class Recorded(Conditions):
    """Recorded outputs and the conditions of the recording."""

    under: Maybe[str] = Field(
        default=None, description="the name of the conditions in recorded_under"
    )
    shape: list[Count] = Field(description="shape of all logits")
    logits: Annotated[list[NumberOrRow], AfterValidator(_check_rows)] = Field(
        min_length=1,
        description="the first logits of the first clip: numbers, or rows of numbers",
    )
    loss: Maybe[Loss] = Field(default=None, description="the losses of pre-training")


class Published(Model):
    """An accuracy that the authors published, and its source."""

    dataset: DataSet = Field(
        description="the data set: a name in videomae/model/datasets.py, or OWNER/NAME on the hub"
    )
    top1: Percent = Field(description="top-1 accuracy in percent")
    top5: Maybe[Percent] = Field(default=None, description="top-5 accuracy in percent")
    source: str = Field(pattern="^https://", description="the page with these figures")


class Stated(Model):
    """Keys about a checkpoint, in an entry or, for checkpoints without one, at the top level."""

    config: Values = Field(
        default_factory=Values,
        description="values of VideoMAEConfig and the image processor that the checkpoint does not "
        "contain",
    )
    labels: Maybe[Annotated[Text, AfterValidator(_check_labels)]] = Field(
        default=None,
        description="a shipped list, a file (one label a line, JSON or CSV), or "
        "hub:OWNER/REPO/PATH of a dataset",
    )
    weights: Maybe[Text] = Field(
        default=None, description="which state dict of the file to convert, such as model_ema"
    )
    part: Maybe[Literal["encoder"]] = Field(
        default=None,
        description="encoder converts the encoder alone, without a decoder, a head or a detector "
        "beside it in the file",
    )
    leave_behind: Maybe[Unique[Text]] = Field(
        default=None,
        description="tensors in the file that do not belong to the network, by name; * stands for "
        "any text, as in teacher_head.*",
    )
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32",
        description="precision of the converted weights; narrower types round to nearest",
    )
    family: Maybe[Family] = Field(
        default=None,
        description="the project whose code and paper the model card and the report name; there "
        "is no default",
    )
    recorded: Maybe[TextOrKeys[Recorded]] = Field(
        default=None,
        description="outputs of your training code's own network, as an .npz file "
        "(docs/verification.md); or recorded outputs and the conditions of the recording "
        "(named by `under`, or given here)",
    )

    @property
    def selection(self) -> Selection:
        """What to take of the checkpoint."""
        return Selection(self.weights, self.part, tuple(self.leave_behind or ()))


class Entry(Stated):
    """One checkpoint and the model that it becomes."""

    checkpoint: Text = Field(
        description="gdrive:ID, hub:OWNER/REPO/PATH[@REVISION], https://…, a file path or "
        "synthetic:NAME; hub:OWNER/REPO[@REVISION], or a local copy of it, is config.json and "
        "model.safetensors"
    )
    sha256: Maybe[Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]] = Field(
        default=None, description="the expected SHA-256 of the checkpoint"
    )
    published: Maybe[Published] = Field(
        default=None,
        description="the accuracy that the authors published, and its source, for the model card",
    )
    datasets: Maybe[Unique[DataSet]] = Field(
        default=None,
        description="the data sets of the training, for the model card (default: those in the "
        "file's training options)",
    )
    base_model: Maybe[str] = Field(
        default=None,
        description="the model that was fine-tuned, for the model card: another variant, or "
        "OWNER/NAME on the hub",
    )

    @model_validator(mode="after")
    def _check_published(self) -> Self:
        """Refuse an accuracy on a data set with another number of classes than the list of labels.

        The card's step compares it with the head, which is known once the checkpoint is there.
        """
        listed = {known.labels: known.classes for known in datasets.TITLED.values()}
        if self.published and self.labels and (classes := listed.get(self.labels)):
            stated, of = self.published.dataset, "a network with these labels"
            refuse_by(datasets.refuse_other_classes, stated, classes, of)
        return self
