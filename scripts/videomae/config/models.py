"""The keys of config.yaml: the type, default, allowed values and meaning of each.

config.schema.yaml and docs/configuration.md are written from these models (``make schema``).
`settings` checks what depends on files or on the chosen variants.
"""

import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from videomae.config.entry import Conditions, Entry, Stated
from videomae.config.types import (
    Count,
    Maybe,
    Model,
    Switch,
    Text,
    TextOrKeys,
    TextOrList,
    Unique,
    refusal,
    refuse_by,
)
from videomae.model import licenses

Device = Literal["cpu", "cuda", "auto"]
Protocol = Literal["kinetics400", "kinetics710", "ucf101", "hmdb51", "ssv2"]
Release = Literal["4.26.1", "4.57.6", "5.0.0", "5.5.1", "5.12.1", "5.17.0", "5.20.2", "5.24.0"]
RELEASES: list[Release] = list(get_args(Release))

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
NO_BRANCH = "^(refs/|[0-9a-f]{40}$)"


def _check_branch(name: str) -> str:
    if re.match(NO_BRANCH, name):
        raise refusal(f"{name!r} is a commit or a full ref; give a branch name")
    return name


class Score(Model):
    """Which videos are scored, and how."""

    videos: TextOrKeys[Annotated[dict[Protocol, Text], Field(min_length=1)]] = Field(
        description="the list of videos, with PATH LABEL on each line; or a list for each of "
        "several protocols, such as {kinetics400: val.csv}"
    )
    protocol: Maybe[Protocol] = Field(
        default=None,
        description="the test protocol, called after its data set; only variants of that data set "
        "are scored (default: each variant by the protocol of its own data set)",
    )
    clips: Maybe[Count] = Field(
        default=None, description="clips of a video (default: the protocol's)"
    )
    crops: Maybe[Count] = Field(
        default=None, description="crops of a clip (default: the protocol's)"
    )
    rate: Maybe[Count] = Field(
        default=None, description="distance between a clip's frames (default: the protocol's)"
    )
    root: Maybe[Text] = Field(
        default=None,
        description="the folder that paths in the list are relative to (default: the run's)",
    )
    shards: Count = Field(default=1, description="number of jobs that share a variant's videos")
    as_authors: Switch = Field(
        default=False,
        description="whether to merge views as the authors' code does, with its faults",
    )
    allow_missing: Switch = Field(
        default=False,
        description="whether missing files count as unreadable videos; if not, the list is refused",
    )
    device: Device = Field(
        default="auto", description="the device that scores, in full float32; auto prefers cuda"
    )


class Push(Model):
    """Where and how verified folders are published on the hub."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"enabled": {"const": True}}, "required": ["enabled"]},
            "then": {"required": ["namespace"]},
        }
    )

    enabled: Switch = Field(default=False, description="whether verified folders are pushed")
    namespace: Maybe[Annotated[str, Field(pattern=NAME)]] = Field(
        default=None, description="the user or organisation that gets the models; needed to push"
    )
    private: Switch = Field(default=True, description="whether new repositories are private")
    revision: Annotated[
        str,
        Field(
            pattern="^[A-Za-z0-9][A-Za-z0-9._/-]*$",
            json_schema_extra={"not": {"pattern": NO_BRANCH}},
        ),
        AfterValidator(_check_branch),
    ] = Field(
        default="main",
        description="the branch that gets the commits; a missing one is created from main",
    )
    dry_run: Switch = Field(
        default=False,
        description="whether to only list what a push would do, and write nothing on the hub",
    )
    overwrite: Switch = Field(
        default=False, description="whether to change a repository that has other files"
    )

    @model_validator(mode="after")
    def _check_namespace(self) -> Self:
        if self.enabled and self.namespace is None:
            raise refusal("the key `namespace` is missing; `enabled: true` needs it")
        return self


class Config(Stated):
    """What to convert, and how."""

    models: TextOrList = Field(
        default="all",
        description='the variants to convert: "all", or names (comma-separated in --config)',
    )
    variants: dict[Annotated[str, Field(pattern=NAME)], Entry] = Field(
        default={},
        description="the checkpoints, each by the name of the model that it becomes",
        json_schema_extra={"additionalProperties": False},
    )
    recorded_outputs: Literal["require", "warn", "skip"] = Field(
        default="require",
        description="what to do if only recorded outputs differ: require fails the variant, warn "
        "states it in the card, skip does not compare; warn does not apply to an .npz file",
    )
    recorded_under: dict[str, Conditions] = Field(
        default={},
        description="conditions of recordings, by the name that `under` refers to",
    )
    checkpoint: Maybe[Text] = Field(
        default=None,
        description="one checkpoint to convert instead of the variants; the model is called after "
        "the file",
    )
    checkpoints: Maybe[TextOrList] = Field(
        default=None,
        description="one or more patterns, such as run7/*.pth; every matching file becomes a "
        "variant",
    )
    checkpoints_dir: Maybe[Text] = Field(
        default=None,
        description="a folder of downloaded checkpoints: if it has VARIANT.pth, that file is used "
        "and nothing is downloaded",
    )
    add_to_checkpoints_dir: Switch = Field(
        default=False,
        description="whether downloads are stored in checkpoints_dir, for other runs too, and "
        "linked from the results",
    )
    keep_checkpoints: Switch = Field(
        default=True,
        description="whether downloaded checkpoints stay after their variants are verified (and "
        "pushed, if push is enabled)",
    )
    transfers_here: Switch = Field(
        default=False,
        description="whether downloads and pushes run on the machine where Snakemake runs; for "
        "clusters whose nodes have no internet",
    )
    container: Maybe[Text] = Field(
        default=None,
        description="the image for jobs with `--sdm apptainer`, made from envs/Containerfile: a "
        "path or docker://…",
    )
    device: Device = Field(
        default="cpu", description="the device that verifies, in full float32; auto prefers cuda"
    )
    releases: Unique[Release] = Field(
        default=RELEASES,
        description="releases of transformers in which `snakemake releases` loads the folders",
    )
    published: Maybe[Text] = Field(
        default=None,
        description="folders that `snakemake releases` checks instead of the converted ones: a "
        "path or OWNER/REPO[@REVISION] on the hub, in which {variant} is replaced by the name",
    )
    score: Maybe[Score] = Field(
        default=None,
        description="labelled videos that score every chosen variant with a head, by the authors' "
        "test protocol",
    )
    license: Maybe[str] = Field(
        default=None,
        description="the license of the weights, for the model cards, as an identifier of the hub; "
        "there is no default",
    )
    license_name: Maybe[Text] = Field(
        default=None, description="the name of the license, if the identifier is `other`"
    )
    license_link: Maybe[Text] = Field(
        default=None,
        description="the text of that license: an address, or a file of the repository",
    )
    push: Push = Field(
        default_factory=Push,
        description="where and how verified folders are published on the hub",
    )

    @property
    def stated_license(self) -> dict[str, Any]:
        """Return what config.yaml states about the license, under the hub's keys."""
        return {key: value for key, value in self.given.items() if key in licenses.KEYS}

    @model_validator(mode="after")
    def _check_license(self) -> Self:
        refuse_by(licenses.check, self.stated_license)
        return self

    @model_validator(mode="after")
    def _check_folder(self) -> Self:
        if self.add_to_checkpoints_dir and not self.checkpoints_dir:
            raise refusal("add_to_checkpoints_dir: give checkpoints_dir too, the folder to add to")
        return self
