"""What does the folder make of views?  Loaded as a user of transformers would, in float32."""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from videomae.convert import model_folder
from videomae.errors import ConversionError, listing
from videomae.files import sha256
from videomae.model.pixels import IMAGENET, of
from videomae.model.pixels import Pixels as Normalisation
from videomae.score.views import Pixels

Logits = np.ndarray[Any, np.dtype[np.float32]]  # (views, classes)

CLASSIFIER = model_folder.CLASSES["classifier"]
WEIGHTS = ("*.safetensors", "*.bin")


class Model:
    """A folder with a head: what its config says, and, once it is asked, its network."""

    def __init__(self, path: Path, device: str = "cpu", batch: int | None = None) -> None:
        self.path, self.device_name, self.batch = path, device, batch
        if not (path / model_folder.CONFIG).is_file():
            raise ConversionError(
                f"{path} is not a transformers folder: it has no {model_folder.CONFIG}"
            )
        self.config = model_folder.read_json(path / model_folder.CONFIG)
        kinds = self.config.get("architectures") or []
        if CLASSIFIER not in kinds:
            raise ConversionError(
                f"{path}: only a {CLASSIFIER} has a head and can be scored, but this folder is "
                f"{listing(map(str, kinds)) or 'of an unknown kind'}"
            )

    @property
    def name(self) -> str:
        """What it is called: its folder's name."""
        return self.path.resolve().name

    @cached_property
    def labels(self) -> list[str]:
        """The classes' names, in their order."""
        names = self.config.get("id2label") or {}
        if self.config.get("id2label") == {}:
            raise ConversionError(
                f"{self.path} has no head, and gives features; accuracy needs a classifier"
            )
        if len(names) == 1:
            raise ConversionError(
                f"{self.path} has one output: whatever it computes, the highest of one is right "
                "for every video, so accuracy tells nothing; score a head of two or more classes"
            )
        if sorted(names) != sorted(map(str, range(len(names)))) or not names:
            raise ConversionError(
                f"{self.path / model_folder.CONFIG}: id2label must count from 0 without gaps"
            )
        return [str(names[str(number)]) for number in range(len(names))]

    @cached_property
    def pixels(self) -> Normalisation:
        """How the folder's processor normalises pixels; as the authors do without one."""
        path = self.path / model_folder.PROCESSOR
        return of(model_folder.read_json(path)) if path.is_file() else IMAGENET

    @property
    def depends_on(self) -> dict[str, Any]:
        """What logits follow from, of the folder."""
        usual = {} if self.pixels == IMAGENET else {"pixels": repr(self.pixels)}
        return {"network": self.sha256, **usual}

    @property
    def frames(self) -> int:
        """How many frames a view must have."""
        return int(self.config.get("num_frames", 16))

    @property
    def side(self) -> int:
        """How many pixels a side of a view must have."""
        return int(self.config.get("image_size", 224))

    @cached_property
    def files_sha256(self) -> dict[str, str]:
        """The hash of each file that the network follows from, by name; hexadecimal."""
        files = {file for pattern in WEIGHTS for file in self.path.glob(pattern)}
        return {
            file.name: sha256(file) for file in sorted(files | {self.path / model_folder.CONFIG})
        }

    @property
    def sha256(self) -> str:
        """A hash of the weights and the config, by which the network is the same; hexadecimal."""
        return hashlib.sha256(json.dumps(self.files_sha256).encode()).hexdigest()

    def logits(self, views: Pixels) -> Logits:
        """Compute the logits of views, a bounded number of them at once."""
        import torch

        network, device = self._network
        batch = self.batch or (16 if device.type == "cuda" else 3)
        usual = self.pixels
        with torch.inference_mode():
            parts = [
                network(pixel_values=pixels(views[at : at + batch], device, usual)).logits.cpu()
                for at in range(0, len(views), batch)
            ]
        return np.asarray(torch.cat(parts).numpy())

    @cached_property
    def _network(self) -> tuple[Any, Any]:
        """Load the network; whatever the loader left out or misfitted is refused."""
        import torch
        import transformers

        from videomae.verify.comparison import choose_device

        device = choose_device(self.device_name)
        transformers.utils.logging.disable_progress_bar()
        try:
            network, info = getattr(transformers, CLASSIFIER).from_pretrained(
                self.path,
                dtype=torch.float32,
                output_loading_info=True,
                trust_remote_code=False,
            )
        except Exception as error:  # whatever the loader raises, the folder is not usable
            raise ConversionError(f"{self.path}: the model does not load: {error}") from error
        if left := listing(f"{key}: {sorted(map(str, of))}" for key, of in info.items() if of):
            raise ConversionError(f"{self.path}: the model loads only in part: {left}")
        return network.eval().to(device), device


def pixels(views: Pixels, device: Any, usual: Normalisation = IMAGENET) -> Any:
    """Normalise views as in training: (views, frames, 3, side, side), float32.

    What a processor has made is float32 already, and so arranged. Others are looked up in a table
    of the 256 values of each channel, so that they are the same bits on an accelerator, which
    divides otherwise.
    """
    import torch

    if views.dtype == np.float32:
        return torch.from_numpy(views).to(device)
    values = torch.arange(256).float().unsqueeze(1) / (255 / usual.largest)
    table = ((values - torch.tensor(usual.mean)) / torch.tensor(usual.std)).T.to(device)
    indices = torch.from_numpy(views).to(device).int()
    shape = views.shape[:-1]
    channels = [table[c].index_select(0, indices[..., c].flatten()).view(shape) for c in range(3)]
    return torch.stack(channels, dim=2)
