"""The authors' test protocols, with the user's own settings.

Source: scripts/*/finetune.sh and run_class_finetuning.py of MCG-NJU/VideoMAE; Kinetics-710:
MODEL_ZOO.md of OpenGVLab/VideoMAEv2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from videomae.errors import ConversionError

# A clip is frames at equal distances (dense), or one frame of each of as many equal parts of the
# whole video (segments, as in temporal segment networks).
SAMPLINGS = ("dense", "segments")


@dataclass(frozen=True)
class Protocol:
    """The views of a video: ``clips`` in time by ``crops`` in space.

    A clip has ``frames`` frames, in dense sampling every ``rate``-th; a crop is a square of
    ``short_side`` pixels from frames whose shorter side that is.
    """

    name: str
    sampling: str
    clips: int
    crops: int
    rate: int = 4
    frames: int = 16
    short_side: int = 224

    @property
    def views(self) -> int:
        """How many views a video has."""
        return self.clips * self.crops

    def __str__(self) -> str:
        rate = f", rate {self.rate}" if self.sampling == "dense" else ""
        return (
            f"{self.name}: {self.clips} clips x {self.crops} crops of {self.frames} frames "
            f"({self.sampling}{rate}), short side {self.short_side}"
        )


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("kinetics400", "dense", clips=5, crops=3),
        Protocol("kinetics710", "dense", clips=5, crops=3),
        Protocol("ucf101", "dense", clips=5, crops=3),
        Protocol("hmdb51", "dense", clips=5, crops=3),
        Protocol("ssv2", "segments", clips=2, crops=3),
    )
}

# By the titles in videomae.model.datasets.
OF_DATA_SET = {
    "Kinetics-400": "kinetics400",
    "Kinetics-710": "kinetics710",
    "UCF101": "ucf101",
    "HMDB51": "hmdb51",
    "Something-Something V2": "ssv2",
}


def custom(protocol: Protocol, settings: Mapping[str, int | None]) -> Protocol:
    """Return a protocol with the user's own settings.

    Raises `ConversionError` for a setting that no view can be made by.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in given.items():
        if value < 1:
            raise ConversionError(f"--{name.replace('_', '-')} is {value}, but must be at least 1")
    return replace(protocol, **given)  # type: ignore[arg-type]


def refuse_untestable(protocol: Protocol) -> None:
    """Raise `ConversionError` for protocols that the authors' code can't run correctly.

    One clip or crop divides by zero there, and with more than two clips of segments a clip has
    other numbers of frames.
    """
    dense = protocol.sampling == "dense"
    if (dense and protocol.clips == 1) or protocol.crops == 1:
        raise ConversionError(
            f"{protocol}: the authors' code divides by zero with one clip or crop; leave out "
            "--as-authors to use the middle one"
        )
    if not dense and protocol.clips > 2:
        raise ConversionError(
            f"{protocol}: with more than 2 clips the authors' code makes clips of wrong lengths; "
            "leave out --as-authors to use clips of the right length"
        )
