"""Reads config.yaml into the settings of a run and its variants.

`models` checks each value by itself; this module checks what depends on other values and on files.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from videomae import names, results_location
from videomae.config import ad_hoc, checks, messages
from videomae.config.models import Config, Push, Score
from videomae.config.variant import HERE, Variant
from videomae.download import cache, receipts, sources
from videomae.errors import ConversionError, listing, suggestion

NOTHING: Mapping[str, receipts.Content] = {}


@dataclass(frozen=True)
class Settings:
    """The settings of a run; ``variants`` are those that it converts.

    ``license`` holds the hub's keys about the license, for the cards' metadata.
    """

    variants: dict[str, Variant]
    recorded_outputs: str
    push: Push
    license: Mapping[str, str]
    device: str
    releases: list[str]
    published: bool
    keep_checkpoints: bool
    transfers_here: bool
    score: Score | None
    container: str | None

    @property
    def push_step(self) -> str | None:
        """The last step of each variant: "push", "push_plan" (a dry run), or None."""
        if not self.push.enabled:
            return None
        return "push_plan" if self.push.dry_run else "push"


def parse(config: Mapping[str, Any]) -> Config:
    """Return a config with all values checked; raises `ConversionError` with the faulty path."""
    try:
        return Config.model_validate(dict(config))
    except ValidationError as error:
        raise ConversionError(messages.explain(error)) from None


def read(
    given: Mapping[str, Any],
    shipped_labels: Iterable[str],
    lock: Mapping[str, receipts.Content] = NOTHING,
    results: Path = HERE,
) -> Settings:
    """Return the settings of a config; ``shipped_labels`` are the lists of labels it may name.

    ``lock`` holds the content that each source gave before, ``results`` is the results folder.

    Raises `ConversionError` with the path in config.yaml for any fault.
    """
    config = parse(given)
    own_entries = ad_hoc.variants(config)
    entries = config.variants if own_entries is None else own_entries
    if not entries:
        raise ConversionError("variants: no variants are given; add some, or give `checkpoint`")
    chosen = list(entries) if own_entries else _chosen(config.models, entries)
    names.check_variants(chosen)
    shipped = tuple(shipped_labels)
    variants = {
        name: checks.variant(name, entries[name], config, entries, shipped) for name in chosen
    }
    checks.check_paths(variants.values())
    variants = _with_checkpoints(variants, config, lock, results)
    _check_run(config, variants, results)
    if config.published is not None:
        variants = _with_published(config.published, variants)
    return Settings(
        variants=variants,
        recorded_outputs=config.recorded_outputs,
        push=config.push,
        # The license in config.yaml applies to the authors' weights only.
        license={} if own_entries else config.stated_license,
        device=config.device,
        releases=list(config.releases),
        published=config.published is not None,
        keep_checkpoints=config.keep_checkpoints,
        transfers_here=config.transfers_here,
        score=config.score,
        container=config.container,
    )


def _chosen(models: str | list[str], known: Iterable[str]) -> list[str]:
    wanted = models.split(",") if isinstance(models, str) else models
    wanted = [name.strip() for name in wanted]
    if wanted == ["all"]:
        return list(known)
    for name in wanted:
        if name not in known:
            raise ConversionError(
                f"models: {name!r} is not a variant{suggestion(name, known)}; "
                f"choose from {listing(known, most=30)}, or all"
            )
    return list(dict.fromkeys(wanted))


def _check_run(config: Config, variants: Mapping[str, Variant], results: Path) -> None:
    """Refuse to push synthetic weights, and to remove checkpoints from storage."""
    made_up = [name for name, variant in variants.items() if variant.source.kind == "synthetic"]
    if config.push.enabled and made_up:
        raise ConversionError(
            f"push.enabled: {listing(made_up)} have synthetic weights, which are never pushed"
        )
    if not (config.keep_checkpoints or results_location.are_here(results)):
        raise ConversionError(
            f"keep_checkpoints: false removes local checkpoints only, not those in {results}; "
            "leave this key out, and remove those yourself"
        )


# -- where checkpoints come from -------------------------------------------------------------------


def _with_checkpoints(
    variants: Mapping[str, Variant],
    config: Config,
    lock: Mapping[str, receipts.Content],
    results: Path,
) -> dict[str, Variant]:
    """Return each variant with the expected content of its checkpoint and its local file."""
    folder, adds = _shared_folder(config), config.add_to_checkpoints_dir
    return {
        name: replace(
            variant,
            locked=_locked(variant, lock),
            at_hand=_at_hand(variant, folder, results),
            shared=str(_place(variant, folder) or "") if adds else "",
            results=results,
        )
        for name, variant in variants.items()
    }


def _locked(variant: Variant, lock: Mapping[str, receipts.Content]) -> receipts.Content | None:
    """Return the content that a variant's source gave before; its pin must agree with it."""
    recorded = lock.get(str(variant.source))
    pinned = (variant.entry.sha256 or "").lower()
    if recorded and pinned and pinned != recorded.sha256:
        raise ConversionError(
            f"variants.{variant.name}.sha256: config.yaml expects {pinned}, but {receipts.LOCK} "
            f"has {recorded} for {variant.source}; correct sha256, or remove the entry in "
            f"{receipts.LOCK}"
        )
    return recorded


def _shared_folder(config: Config) -> Path | None:
    """Return the folder of shared checkpoints; it must exist, and be writable if runs add to it."""
    if config.checkpoints_dir is None:
        return None
    folder = Path(config.checkpoints_dir).absolute()
    if not folder.is_dir():
        raise ConversionError(f"checkpoints_dir: no such folder: {folder}")
    if config.add_to_checkpoints_dir and not os.access(folder, os.W_OK):
        raise ConversionError(f"add_to_checkpoints_dir: no permission to write to {folder}")
    return folder


def _place(variant: Variant, folder: Path | None) -> Path | None:
    """Return the path of a variant's download in the shared folder; None for other sources."""
    if folder is None or variant.source.kind not in sources.ON_NETWORK:
        return None
    return folder / f"{variant.name}.pth"


def _at_hand(variant: Variant, folder: Path | None, results: Path) -> str:
    """Return the local file that replaces a variant's download; empty if there is none."""
    file = _place(variant, folder)
    if file is None or not file.is_file():
        return ""
    ours = replace(variant, results=results).place.with_suffix(".json")
    cache.hold(file, str(variant.source), ours)
    return str(file)


def _with_published(pattern: str, variants: Mapping[str, Variant]) -> dict[str, Variant]:
    """Return each variant with its published folder."""
    if "{variant}" not in pattern and len(variants) > 1:
        raise ConversionError(
            f"published: {pattern!r} is one folder for {len(variants)} variants; choose one "
            "variant (--config models=NAME), or write {variant} in place of its name"
        )
    folders = {name: pattern.replace("{variant}", name) for name in variants}
    for folder in folders.values():
        if not Path(folder).is_dir() and not sources.REPOSITORY.fullmatch(folder):
            raise ConversionError(
                f"published: {folder!r} is neither a folder (looked for "
                f"{Path(folder).absolute()}) nor OWNER/REPO[@REVISION] on the hub"
            )
    return {name: replace(variants[name], published=folder) for name, folder in folders.items()}
