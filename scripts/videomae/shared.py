"""How do several runs use one folder of checkpoints, and add to it what none of them had?"""

import shutil
from collections.abc import Callable
from pathlib import Path

from videomae import receipts
from videomae.errors import ConversionError
from videomae.files import appearing


def hold(checkpoint: Path, source: str) -> None:
    """Raise `ConversionError` if the receipt beside a checkpoint says that it is of another source.

    Without one somebody put it there, and its name has to do.
    """
    known = receipts.of(checkpoint)
    if known is not None and known[0] != source:
        raise ConversionError(
            f"{checkpoint} is from {known[0]}, by the receipt beside it, but is to be {source}; "
            "give the variant another name, or choose another checkpoints_dir"
        )


def add(checkpoint: Path, source: str, bring: Callable[[Path], None]) -> None:
    """Bring a checkpoint to a path that other runs look at, and maybe bring it to at this moment.

    ``bring`` makes the file at the path it is given. There is no lock, and a file has its name only
    when it is whole: who comes second has brought the same in vain.
    """
    with appearing(checkpoint) as new:
        bring(new)
        if new.is_symlink():  # to the hub's cache, which is the user's own
            _replace_by_copy(new)
        receipts.write(checkpoint.with_suffix(".json"), source, receipts.content(new))
        if checkpoint.exists():
            # Renamed to itself, it keeps its time stamp, by which the others' work is up to date.
            new.unlink()
            new.hardlink_to(checkpoint)


def _replace_by_copy(link: Path) -> None:
    real = link.resolve()
    link.unlink()
    shutil.copyfile(real, link)
