"""Checks that the files and names in an entry of config.yaml exist."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from videomae import names
from videomae.config.entry import Conditions, Entry, Recorded
from videomae.config.models import Config
from videomae.config.variant import Variant
from videomae.download import synthetic_recipes
from videomae.errors import ConversionError, about, listing, suggestion
from videomae.model import datasets

# The conditions that a comparison with recorded outputs needs; the others are optional.
CONDITIONS = ("clip", "image_mean", "image_std")


def variant(
    name: str, entry: Entry, config: Config, known: Iterable[str], shipped_labels: tuple[str, ...]
) -> Variant:
    """Return the variant of an entry, with all conditions of its recorded outputs.

    ``known`` are the variants that may be a base model, ``shipped_labels`` the shipped lists.
    Raises `ConversionError`, which names the path in config.yaml.
    """
    where = f"variants.{name}"
    truth = entry.recorded if isinstance(entry.recorded, str) else ""
    outputs = entry.recorded if isinstance(entry.recorded, Recorded) else None
    recorded = _filled(f"{where}.recorded", outputs, config.recorded_under) if outputs else None
    made = Variant(name, entry, recorded, truth)
    with about(f"{where}.checkpoint"):
        source = made.source
        if source.kind == "synthetic":
            synthetic_recipes.recipe(source.address)
    _check_file(f"{where}.labels", entry.labels, shipped_labels)
    _check_base_model(f"{where}.base_model", entry.base_model, set(known) - {name})
    if config.recorded_outputs != "skip":
        if truth:
            _check_truth(f"{where}.recorded", Path(truth))
        if recorded:
            mask = (recorded.mask or "").split(":")[0]
            _check_file(f"{where}.recorded.clip", recorded.clip, ("synthetic",))
            _check_file(f"{where}.recorded.mask", mask, ("synthetic", "hub", ""))
    return made


def check_paths(variants: Iterable[Variant]) -> None:
    """Raise `ConversionError` for paths that rules or commands can't use."""
    for one in variants:
        for path in one.paths:
            with about(f"variants.{one.name}"):
                names.check_path(path)


def _filled(where: str, recorded: Recorded, known: Mapping[str, Conditions]) -> Recorded:
    """Return recorded outputs with the conditions that ``under`` names; the entry's own win."""
    conditions = Conditions()
    if recorded.under is not None:
        if recorded.under not in known:
            raise ConversionError(
                f"{where}.under: {recorded.under!r} is not a key of recorded_under, "
                f"which has {listing(known) or 'no keys'}"
            )
        conditions = known[recorded.under]
    config = conditions.config.model_copy(update=recorded.config.given)
    filled = recorded.model_copy(update={**conditions.given, **recorded.given, "config": config})
    if missing := [name for name in CONDITIONS if name not in filled.given]:
        raise ConversionError(
            f"{where}: {', '.join(missing)} missing, both here and in recorded_under"
        )
    return filled


def _check_base_model(where: str, base: str | None, others: set[str]) -> None:
    """Raise `ConversionError` for a base model that is neither a variant nor a name on the hub."""
    if base is not None and base not in others and not datasets.ON_HUB.fullmatch(base):
        raise ConversionError(
            f"{where}: {base!r} is neither another variant{suggestion(base, others)} nor "
            "OWNER/NAME on the hub"
        )


def _check_truth(where: str, path: Path) -> None:
    if path.suffix != ".npz":
        raise ConversionError(f"{where}: {str(path)!r} is not an .npz file of numpy.savez")
    if not path.is_file():
        raise ConversionError(f"{where}: no such file: {path.absolute()}")


def _check_file(where: str, name: str | None, others: tuple[str, ...]) -> None:
    """Raise `ConversionError` for a name that is no special word, hub address or file."""
    if name is None or name in others or name.startswith("hub:"):
        return
    if not Path(name).is_file():
        words = [word for word in others if word]
        raise ConversionError(
            f"{where}: {name!r} is neither {' nor '.join(words)} nor a file (looked for "
            f"{Path(name).absolute()})"
        )
