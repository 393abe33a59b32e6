"""Opening checkpoints: what the authors' files hold, and what is refused before it can do harm."""

import argparse
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from videomae.checkpoint import check_finite, open_checkpoint, widen
from videomae.errors import ConversionError

from tests.conftest import DATA

TENSORS = {"weight": torch.ones(2, 2)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.pth"


def save(content: Any, path: Path, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize("name", ["v1-finetuned", "v1-pretrained", "v1-cls", "v2-finetuned"])
def test_files_of_the_authors_scripts_open(name: str) -> None:
    opened = open_checkpoint(DATA / f"trained/{name}.pth")
    assert opened.container == "model"
    assert {"optimizer", "epoch", "scaler", "args"} <= set(opened.left_behind)
    assert opened.args["input_size"] in (48, 64)
    assert opened.synthetic is None


def test_deepspeed_files_open_without_args(path: Path) -> None:
    opened = open_checkpoint(save({"module": TENSORS, "ds_version": "0.5.8"}, path))
    assert (opened.container, opened.args) == ("module", {})


def test_model_comes_before_module_as_in_the_authors_loader(path: Path) -> None:
    other = {"weight": torch.zeros(2, 2)}
    opened = open_checkpoint(save({"module": other, "model": TENSORS}, path))
    assert torch.equal(opened.tensors["weight"], TENSORS["weight"])


def test_files_from_before_zip_open(path: Path) -> None:
    save({"model": TENSORS}, path, _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(path)
    assert torch.equal(open_checkpoint(path).tensors["weight"], TENSORS["weight"])


def test_numpy_scalars_of_the_optimizer_are_harmless(path: Path) -> None:
    save({"model": TENSORS, "optimizer": {"lr": np.float64(1)}}, path)
    assert open_checkpoint(path).left_behind == ("optimizer",)


def test_wrong_container_lists_the_top_level_keys(path: Path) -> None:
    save({"weights": TENSORS, "step": 3}, path)
    with pytest.raises(ConversionError, match="top-level keys are weights, step"):
        open_checkpoint(path)


def test_list_instead_of_a_container_is_refused(path: Path) -> None:
    with pytest.raises(ConversionError, match="top-level keys are list"):
        open_checkpoint(save([torch.ones(1)], path))


def test_state_dict_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(ConversionError, match="model is no state dict but list"):
        open_checkpoint(save({"model": [1, 2]}, path))


def test_value_that_is_no_tensor_is_refused_by_name(path: Path) -> None:
    with pytest.raises(ConversionError, match="'step' in the state dict is no tensor"):
        open_checkpoint(save({"model": {**TENSORS, "step": 3}}, path))


def test_integer_weights_are_refused(path: Path) -> None:
    with pytest.raises(ConversionError, match=r"tensor weight is torch\.int64"):
        open_checkpoint(save({"model": {"weight": torch.ones(2, dtype=torch.int64)}}, path))


class Harmful:
    """Its pickle runs a command when it is loaded carelessly."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("new_format", [True, False])
def test_pickle_that_runs_something_is_refused_and_runs_nothing(
    path: Path, tmp_path: Path, new_format: bool
) -> None:
    trace = tmp_path / "ran"
    content = {"model": TENSORS, "args": Harmful(trace)}
    save(content, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ConversionError, match="holds more than tensors and known harmless"):
        open_checkpoint(path)
    assert not trace.exists()
    with path.open("rb") as file:  # it would have: the test can fail
        torch.load(file, weights_only=False)
    assert trace.exists()


def test_unknown_class_is_refused_by_its_name(path: Path) -> None:
    save({"model": TENSORS, "args": argparse.ArgumentError(None, "x")}, path)
    with pytest.raises(ConversionError, match=r"argparse\.ArgumentError"):
        open_checkpoint(path)


def test_web_page_is_called_one(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html><title>Google Drive - Quota exceeded</title></html>")
    with pytest.raises(ConversionError, match="not a PyTorch checkpoint but a web page"):
        open_checkpoint(path)


def test_empty_file_is_called_empty(path: Path) -> None:
    path.touch()
    with pytest.raises(ConversionError, match="an empty file"):
        open_checkpoint(path)


def test_other_file_is_refused_with_how_it_begins(path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ConversionError, match=r"it begins with b'\\x89HDF"):
        open_checkpoint(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_file_cut_short_is_called_so(path: Path, part: float) -> None:
    whole = (DATA / "trained/v1-cls.pth").read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ConversionError, match="cut short"):
        open_checkpoint(path)


def test_plain_pickle_is_refused(path: Path) -> None:
    path.write_bytes(pickle.dumps({"model": 1}, protocol=2))
    with pytest.raises(ConversionError, match="can't be read as a PyTorch checkpoint"):
        open_checkpoint(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_widens_exactly(dtype: torch.dtype) -> None:
    narrow = torch.randn(100).to(dtype)
    assert torch.equal(widen(narrow).to(dtype), narrow)
    assert widen(narrow).dtype == torch.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(value: float) -> None:
    tensors = {"good": torch.ones(3), "bad.weight": torch.tensor([1.0, value, value])}
    with pytest.raises(ConversionError, match=r"NaN or infinite in bad\.weight \(2 values\)"):
        check_finite(tensors)
