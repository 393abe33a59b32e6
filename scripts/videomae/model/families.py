"""The families of VideoMAE checkpoints, with their code and paper."""

from typing import NamedTuple


class Family(NamedTuple):
    """The addresses of a family's code and of its paper."""

    code: str
    paper: str


CLOSEST = "VideoMAE"  # the family whose network transformers implements

# Source: both projects' READMEs.
FAMILIES = {
    "VideoMAE": Family(
        "https://github.com/MCG-NJU/VideoMAE",
        "https://arxiv.org/abs/2203.12602",
    ),
    "VideoMAE V2": Family(
        "https://github.com/OpenGVLab/VideoMAEv2",
        "https://arxiv.org/abs/2303.16727",
    ),
}
