"""What may config.yaml say of one checkpoint?  An entry under ``variants``, key by key.

`models` has the rest of config.yaml.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

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
            f"leave it out for LABEL_0, LABEL_1 …; a file of the name {labels.NONE} is "
            f"./{labels.NONE}"
        )
    return name


def _check_mask(mask: str) -> str:
    word, _, ratio = mask.partition(":")
    if word == "synthetic" and not re.fullmatch(r"0?\.\d+", ratio):
        raise refusal(f"{mask!r} has no ratio between 0 and 1, as synthetic:0.9 has")
    return mask


def _check_rows(logits: list[float | list[float]]) -> list[float | list[float]]:
    lengths = {len(row) if isinstance(row, list) else 0 for row in logits}
    if len(lengths) > 1:
        raise refusal(f"rows of {listing(map(str, sorted(lengths)))} numbers")
    return logits


class Values(Model):
    """VideoMAEConfig values that the checkpoint can't tell."""

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
        description="whether pre-training predicts patches that are normalised each by itself",
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
        description="whether the head gets the mean of all tokens (else the first token)",
    )
    decoder_hidden_size: Maybe[Count] = Field(default=None, description="width of the decoder")
    decoder_num_hidden_layers: Maybe[Count] = Field(
        default=None, description="layers of the decoder"
    )
    decoder_intermediate_size: Maybe[Count] = Field(
        default=None, description="width of the decoder's MLPs"
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
        default=None, description="synthetic, an .npy file, or a dataset's, hub:OWNER/REPO/PATH"
    )
    mask: Maybe[Annotated[str, AfterValidator(_check_mask)]] = Field(
        default=None,
        description="synthetic:RATIO, a file saved by torch, or a dataset's, hub:OWNER/REPO/PATH",
    )
    image_mean: Maybe[Channels] = Field(
        default=None, description="mean that pixels were normalised with, one for each channel"
    )
    image_std: Maybe[Channels] = Field(
        default=None, description="standard deviation that pixels were normalised with, likewise"
    )
    config: Overrides = Field(
        default_factory=Overrides,
        description="VideoMAEConfig values that the recording model had and the converted one "
        "has not",
    )


class Loss(Model):
    """The losses of pre-training that were recorded."""

    norm_pix: Maybe[Number] = Field(default=None, description="the loss with norm_pix_loss")
    raw_pix: Maybe[Number] = Field(default=None, description="the loss without it")


class Recorded(Conditions):
    """Recorded outputs, with the conditions they were recorded in."""

    under: Maybe[str] = Field(
        default=None, description="the name of its conditions in recorded_under"
    )
    shape: list[Count] = Field(description="shape of all logits")
    logits: Annotated[list[NumberOrRow], AfterValidator(_check_rows)] = Field(
        min_length=1,
        description="the leading logits of the first clip; numbers, or rows of numbers",
    )
    loss: Maybe[Loss] = Field(default=None, description="the losses, of pre-training")


class Published(Model):
    """An accuracy that the authors state, and where."""

    dataset: DataSet = Field(
        description="a data set by its name in videomae/model/datasets.py, or OWNER/NAME on the hub"
    )
    top1: Percent = Field(description="top-1 accuracy in percent")
    top5: Maybe[Percent] = Field(default=None, description="top-5 accuracy in percent")
    source: str = Field(pattern="^https://", description="the page that states them")


class Stated(Model):
    """What an entry says of its checkpoint, or the top level of those without an entry."""

    config: Values = Field(
        default_factory=Values, description="VideoMAEConfig values that the checkpoint can't tell"
    )
    labels: Maybe[Annotated[Text, AfterValidator(_check_labels)]] = Field(
        default=None,
        description="a shipped list, a file (one label a line, JSON or CSV) or a dataset's, "
        "hub:OWNER/REPO/PATH",
    )
    weights: Maybe[Text] = Field(
        default=None, description="which of several state dicts in the file, such as model_ema"
    )
    dtype: Literal["float32", "float16", "bfloat16"] = Field(
        default="float32",
        description="precision of the converted weights; narrower ones are rounded to the nearest",
    )
    family: Maybe[Family] = Field(
        default=None,
        description="whose code and paper it is of, for the model card and the report; none is "
        "assumed",
    )
    recorded: Maybe[TextOrKeys[Recorded]] = Field(
        default=None,
        description="what your training code's own network gives, an .npz file "
        "(docs/verification.md); or recorded outputs, with the conditions they were recorded "
        "in (named by `under`, or given here)",
    )


class Entry(Stated):
    """One checkpoint, and the model it becomes."""

    checkpoint: Text = Field(
        description="gdrive:ID, hub:OWNER/REPO/PATH[@REVISION], https://…, a file path or "
        "synthetic:NAME"
    )
    sha256: Maybe[Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]] = Field(
        default=None, description="SHA-256 that the checkpoint must have"
    )
    published: Maybe[Published] = Field(
        default=None,
        description="the accuracy in percent that the authors state, and where, for the model card",
    )
    datasets: Maybe[Unique[DataSet]] = Field(
        default=None,
        description="what it was trained on, for the model card; without it, what the training "
        "options in the file say",
    )
    base_model: Maybe[str] = Field(
        default=None,
        description="what it was fine-tuned from, for the model card; another variant, or "
        "OWNER/NAME on the hub",
    )

    @model_validator(mode="after")
    def _check_published(self) -> Self:
        """Refuse an accuracy on a data set that has other classes than the list of labels.

        What the head itself has is known once the checkpoint is there: the card's step looks.
        """
        listed = {known.labels: known.classes for known in datasets.TITLED.values()}
        if self.published and self.labels and (classes := listed.get(self.labels)):
            stated, of = self.published.dataset, "a network with these labels"
            refuse_by(datasets.refuse_other_classes, stated, classes, of)
        return self
