"""What may config.yaml say?  Every key once: its type, default, allowed values and meaning.

config.schema.yaml and docs/configuration.md are written from these models (``make schema``). What
depends on files, or on which variants are chosen, is checked in `settings`.
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
        raise refusal(f"{name!r} is a commit or a full ref; give the name of a branch")
    return name


class Score(Model):
    """How videos are scored, and which."""

    videos: TextOrKeys[Annotated[dict[Protocol, Text], Field(min_length=1)]] = Field(
        description="the list, PATH LABEL a line; or a list for each of several protocols, such as "
        "{kinetics400: val.csv}"
    )
    protocol: Maybe[Protocol] = Field(
        default=None,
        description="how videos are scored, by the data set whose way of testing it is, and which "
        "variants are, those of that data set; without it, each as its data set is tested",
    )
    clips: Maybe[Count] = Field(
        default=None, description="clips of a video, in place of the protocol's"
    )
    crops: Maybe[Count] = Field(
        default=None, description="crops of a clip, in place of the protocol's"
    )
    rate: Maybe[Count] = Field(
        default=None, description="a clip has every so many-th frame, in place of the protocol's"
    )
    root: Maybe[Text] = Field(
        default=None,
        description="the folder that paths in the list are relative to, if not the one of the run",
    )
    shards: Count = Field(default=1, description="how many jobs a variant's videos are split into")
    as_authors: Switch = Field(
        default=False, description="whether to merge as the authors' code does, traps included"
    )
    allow_missing: Switch = Field(
        default=False,
        description="whether files that are missing count as unreadable videos, in place of "
        "refusing the list",
    )
    device: Device = Field(default="auto", description="where scoring computes, in full float32")


class Push(Model):
    """Whether verified folders are published on the hub, and where."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"enabled": {"const": True}}, "required": ["enabled"]},
            "then": {"required": ["namespace"]},
        }
    )

    enabled: Switch = Field(default=False, description="whether verified folders are pushed")
    namespace: Maybe[Annotated[str, Field(pattern=NAME)]] = Field(
        default=None, description="the user or organisation that the models go to; needed to push"
    )
    private: Switch = Field(
        default=True, description="whether a repository that is created is private"
    )
    revision: Annotated[
        str,
        Field(
            pattern="^[A-Za-z0-9][A-Za-z0-9._/-]*$",
            json_schema_extra={"not": {"pattern": NO_BRANCH}},
        ),
        AfterValidator(_check_branch),
    ] = Field(
        default="main",
        description="the branch that the commits go to, created from main if it isn't there",
    )
    dry_run: Switch = Field(
        default=False,
        description="whether to say only what would be pushed, and write nothing at the hub",
    )
    overwrite: Switch = Field(
        default=False, description="whether a repository that holds other files may be changed"
    )

    @model_validator(mode="after")
    def _check_namespace(self) -> Self:
        if self.enabled and self.namespace is None:
            raise refusal("`namespace` is missing, which `enabled: true` needs")
        return self


class Config(Stated):
    """What to convert, and how."""

    models: TextOrList = Field(
        default="all",
        description='the variants that a plain run converts; "all", or names (comma-separated in '
        "--config)",
    )
    variants: dict[Annotated[str, Field(pattern=NAME)], Entry] = Field(
        default={},
        description="every checkpoint that this file knows, by the name of the model it becomes",
        json_schema_extra={"additionalProperties": False},
    )
    recorded_outputs: Literal["require", "warn", "skip"] = Field(
        default="require",
        description="what a difference from recorded outputs means where the function is proven: "
        "the variant fails, its card says so, or nothing is compared; one from an .npz file is "
        "never accepted by `warn`",
    )
    recorded_under: dict[str, Conditions] = Field(
        default={},
        description="conditions under which outputs were recorded, by the name that `under` "
        "refers to",
    )
    checkpoint: Maybe[Text] = Field(
        default=None,
        description="one checkpoint, converted in place of the variants, its name taken from the "
        "file",
    )
    checkpoints: Maybe[TextOrList] = Field(
        default=None,
        description="a pattern or several, such as run7/*.pth; every file that matches becomes a "
        "variant",
    )
    checkpoints_dir: Maybe[Text] = Field(
        default=None,
        description="a folder in which NAME.pth, where there is one, stands in for what the "
        "variant's source on the network would give",
    )
    add_to_checkpoints_dir: Switch = Field(
        default=False,
        description="whether what is downloaded goes to checkpoints_dir, for other runs too, and "
        "is linked",
    )
    keep_checkpoints: Switch = Field(
        default=True,
        description="whether checkpoints that were downloaded stay once their variants are "
        "verified (and pushed, if that is on)",
    )
    transfers_here: Switch = Field(
        default=False,
        description="whether downloads and pushes run beside Snakemake itself, as on a cluster "
        "whose nodes have no internet",
    )
    container: Maybe[Text] = Field(
        default=None,
        description="an image made from envs/Containerfile, a path or docker://…, in which `--sdm "
        "apptainer` runs the jobs",
    )
    device: Device = Field(
        default="cpu", description="where verification computes, in full float32"
    )
    releases: Unique[Release] = Field(
        default=RELEASES,
        description="releases of transformers in which `snakemake releases` loads the folders",
    )
    published: Maybe[Text] = Field(
        default=None,
        description="folders that `snakemake releases` checks in place of the converted ones, a "
        "path or OWNER/REPO[@REVISION] on the hub; {variant} stands for the name",
    )
    score: Maybe[Score] = Field(
        default=None,
        description="labelled videos on which every chosen variant with a head is scored as the "
        "authors test",
    )
    license: Maybe[str] = Field(
        default=None,
        description="license of the weights, for the model cards, by the hub's identifier; none is "
        "assumed",
    )
    license_name: Maybe[Text] = Field(
        default=None, description="what the license is called, where the identifier is `other`"
    )
    license_link: Maybe[Text] = Field(
        default=None,
        description="where that license stands, an address or a file of the repository",
    )
    push: Push = Field(
        default_factory=Push,
        description="whether verified folders are published on the hub, and where",
    )

    @property
    def stated_license(self) -> dict[str, Any]:
        """Return what is said of the license, under the hub's keys."""
        return {key: value for key, value in self.given.items() if key in licenses.KEYS}

    @model_validator(mode="after")
    def _check_license(self) -> Self:
        refuse_by(licenses.check, self.stated_license)
        return self

    @model_validator(mode="after")
    def _check_folder(self) -> Self:
        if self.add_to_checkpoints_dir and not self.checkpoints_dir:
            raise refusal("add_to_checkpoints_dir: needs checkpoints_dir, the folder to add to")
        return self
