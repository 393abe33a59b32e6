"""Opening checkpoints: what the authors' files hold, and what is refused before it can do harm."""

import argparse
import collections
import datetime
import enum
import functools
import operator
import os
import pickle
import re
import runpy
import shutil
import struct
import subprocess
import tarfile
import zipfile
import zoneinfo
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from videomae.checkpoint.lazy_tensor import widen
from videomae.checkpoint.reader import (
    Checkpoint,
    check_finite,
    not_finite,
    open_checkpoint,
    tensor_bytes,
)
from videomae.checkpoint.selection import Selection
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
    save({"weights": [1], "step": 3}, path)
    with pytest.raises(ConversionError, match="top-level keys are weights, step"):
        open_checkpoint(path)


def test_list_instead_of_a_container_is_refused(path: Path) -> None:
    with pytest.raises(ConversionError, match="holds a list, not a dict"):
        open_checkpoint(save([torch.ones(1)], path))


def test_state_dict_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(ConversionError, match="no state dict under model or"):
        open_checkpoint(save({"model": [1, 2]}, path))


def test_value_that_is_no_tensor_is_refused_by_name(path: Path) -> None:
    with pytest.raises(ConversionError, match="entry 'step' of the state dict is not a tensor"):
        open_checkpoint(save({"model": {**TENSORS, "step": 3}}, path))


def test_integer_weights_are_refused(path: Path) -> None:
    with pytest.raises(ConversionError, match=r"tensor weight is torch\.int64"):
        open_checkpoint(save({"model": {"weight": torch.ones(2, dtype=torch.int64)}}, path))


# -- what else a pickle may hold -------------------------------------------------------------------


class Harmful:
    """Its pickle calls something when it is loaded carelessly."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("new_format", [True, False])
def test_pickle_that_runs_something_is_refused_and_runs_nothing(
    path: Path, tmp_path: Path, new_format: bool
) -> None:
    trace = tmp_path / "ran"
    content = {"model": TENSORS, "args": Harmful(Path.touch, trace)}
    save(content, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(
        ConversionError, match=r"the file's pickle calls the result of __builtin__\.getattr"
    ):
        open_checkpoint(path)
    assert not trace.exists()
    with path.open("rb") as file:  # it would have: the test can fail
        torch.load(file, weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (Harmful(os.system, "true"), "posix.system"),
        (Harmful(eval, "1"), "__builtin__.eval"),
        (Harmful(subprocess.Popen, ["true"]), "commands.Popen"),
        (Harmful(torch.load, "x"), "torch.serialization.load"),
        (Harmful(runpy.run_path, "x"), "runpy.run_path"),
        (Harmful(shutil.rmtree, "x"), "shutil.rmtree"),
        (Harmful(pickle.loads, b"x"), "pickle.loads"),
        (Harmful(torch.storage._load_from_bytes, b"x"), "torch.storage._load_from_bytes"),
        (Harmful(setattr, Path, "x", 1), "__builtin__.setattr"),
        (Harmful(functools.reduce, os.system, ["true"]), "__builtin__.reduce"),
        (Harmful(zoneinfo.ZoneInfo.no_cache, "UTC"), "the result of __builtin__.getattr"),
    ],
)
@pytest.mark.parametrize("new_format", [True, False])
def test_hostile_calls_are_refused_by_name(
    path: Path, call: Harmful, name: str, new_format: bool
) -> None:
    save({"model": {**TENSORS, "x": call}}, path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(ConversionError, match=rf"the file's pickle calls {re.escape(name)} when"):
        open_checkpoint(path)


class Settings(dict[str, Any]):
    """As projects have them: a dictionary beneath, and attributes."""


class Record(list[Any]):
    pass


class Precision(enum.Enum):
    HALF = "half"


@pytest.mark.parametrize(
    "value",
    [
        torch.device("cpu"),
        range(3),
        re.compile("model.*"),
        list[int],
        Optional[int],  # noqa: UP045 (it is pickled by getitem, and int | None by reduce)
        int | None,
        list[int] | str,
        zoneinfo.ZoneInfo("UTC"),
        operator.itemgetter(1),
        operator.attrgetter("a"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_harmless_values_among_training_options_are_kept_idle(
    path: Path, value: object, protocol: int
) -> None:
    content = {"model": TENSORS, "args": argparse.Namespace(option=value, epochs=3)}
    save(content, path, pickle_protocol=protocol)
    assert open_checkpoint(path).args["epochs"] == 3


@pytest.mark.parametrize("reducing", [os.system, eval, "union", None])
@pytest.mark.parametrize("protocol", [2, 5])
def test_reduction_by_another_function_than_unions_is_refused(
    path: Path, reducing: Any, protocol: int
) -> None:
    harmful = Harmful(functools.reduce, reducing, ["true", "true"])
    save({"model": TENSORS, "args": harmful}, path, pickle_protocol=protocol)
    with pytest.raises(ConversionError, match=r"pickle calls (_functools|__builtin__)\.reduce"):
        open_checkpoint(path)


@pytest.mark.parametrize("container", ["model_ema", "state_dict_ema", "ema_state_dict", "ema"])
def test_average_alone_is_found_by_its_usual_names(path: Path, container: str) -> None:
    opened = open_checkpoint(save({container: TENSORS, "epoch": 3}, path))
    assert (opened.container, opened.others) == (container, ())


def test_weights_are_preferred_to_their_average(path: Path) -> None:
    opened = open_checkpoint(save({"ema": TENSORS, "state_dict": TENSORS}, path))
    assert (opened.container, opened.others) == ("state_dict", ("ema",))


def test_unknown_classes_become_idle_and_are_listed(path: Path) -> None:
    settings = Settings(a=1)
    settings.__dict__["more"] = Record([1, 2])
    others = {
        "hyper": settings,
        "precision": Precision.HALF,
        "precision, by Python 3.11.2": Harmful(getattr, Precision, "HALF"),
        "history": collections.deque([np.ones(3), datetime.timedelta(1)]),
        "counts": collections.defaultdict(int, x=1),
        "where": {Path("x"), None},
        "norm": functools.partial(torch.nn.LayerNorm, eps=1e-6),
        "function": os.system,  # named, not called
    }
    opened = open_checkpoint(save({"model": TENSORS, **others}, path))
    assert torch.equal(opened.tensors["weight"], TENSORS["weight"])
    assert opened.left_behind == tuple(others)
    known = {
        "tests.unit.test_checkpoint.Settings",
        "tests.unit.test_checkpoint.Record",
        "posix.system",
    }
    assert known <= set(opened.shadows)


def test_pickle_can_not_change_what_others_use(path: Path) -> None:
    """BUILD may set attributes on what a name stood for; here that is never the thing itself."""
    before = torch._utils._rebuild_tensor_v2.__defaults__
    pickled = (
        b"\x80\x02}(X\x05\x00\x00\x00model}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n"
        b"N}X\x0c\x00\x00\x00__defaults__K\x01s\x86bsu."
    )
    save({"model": TENSORS}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, pickled if name.endswith("data.pkl") else content)
    with pytest.raises(ConversionError):
        open_checkpoint(path)
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before


def test_whole_model_is_refused_by_its_class(path: Path) -> None:
    save({"model": torch.nn.Linear(2, 2)}, path)
    with pytest.raises(ConversionError, match=r"model \(a torch\.nn\.modules\.linear\.Linear\)"):
        open_checkpoint(path)
    save(torch.nn.Linear(2, 2), path)
    with pytest.raises(ConversionError, match=r"a torch\.nn\.modules\.linear\.Linear, not a dict"):
        open_checkpoint(path)


def test_torchscript_is_refused(path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(path)  # type: ignore[no-untyped-call]
    with pytest.raises(ConversionError, match="a TorchScript program, not a checkpoint"):
        open_checkpoint(path)


# -- containers and prefixes -----------------------------------------------------------------------


def network() -> dict[str, torch.Tensor]:
    return dict(open_checkpoint(DATA / "trained/v1-finetuned.pth").tensors)


def pretraining() -> dict[str, torch.Tensor]:
    return dict(open_checkpoint(DATA / "trained/v1-pretrained.pth").tensors)


def prefixed(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def same(opened: Checkpoint, tensors: dict[str, torch.Tensor]) -> bool:
    return list(opened.tensors) == list(tensors) and all(
        torch.equal(opened.tensors[name], tensor) for name, tensor in tensors.items()
    )


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"model": state},
        lambda state: {"module": state, "ds_version": "0.5.8"},
        lambda state: {"state_dict": state, "pytorch-lightning_version": "2.1"},
        lambda state: {"model_ema": state},
        lambda state: {"model": None, "module": state},
        lambda state: state,
    ],
)
def test_every_container_gives_the_same_tensors(wrap: Any, path: Path) -> None:
    assert same(open_checkpoint(save(wrap(network()), path)), network())


def test_safetensors_give_the_same_tensors(path: Path) -> None:
    save_file(network(), path)
    assert same(open_checkpoint(path), dict(sorted(network().items())))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ConversionError, match="not a readable safetensors file"):
        open_checkpoint(path)


def test_chosen_weights_are_taken_and_the_others_named() -> None:
    path = DATA / "trained/v1-finetuned.pth"
    usual, averaged = open_checkpoint(path), open_checkpoint(path, Selection("model_ema"))
    assert (usual.container, usual.others) == ("model", ("model_ema",))
    assert (averaged.container, averaged.others) == ("model_ema", ("model",))
    assert not torch.equal(usual.tensors["head.weight"], averaged.tensors["head.weight"])
    assert "other state dicts: model_ema (choose one by `weights`)" in usual.describe()
    with pytest.raises(ConversionError, match="no state dict under ema, only under model, model_"):
        open_checkpoint(path, Selection("ema"))


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "model.",
        "backbone.",
        "encoder.",
        "module._orig_mod.model.",
        "net.x.",
    ],
)
def test_prefixes_of_wrappers_are_taken_off(prefix: str, path: Path) -> None:
    opened = open_checkpoint(save({"model": prefixed(prefix, network())}, path))
    assert same(opened, network())
    assert any(line.startswith(f"renamed: {prefix}") for line in opened.describe())


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.module.", ""])
def test_encoder_stays_in_the_names_of_pretraining(prefix: str, path: Path) -> None:
    opened = open_checkpoint(save({"model": prefixed(prefix, pretraining())}, path))
    assert same(opened, pretraining())


def test_head_may_stand_beside_the_encoder(path: Path) -> None:
    beside = ("head.", "fc_norm.")
    state = {n if n.startswith(beside) else f"encoder.{n}": t for n, t in network().items()}
    assert same(open_checkpoint(save({"state_dict": prefixed("model.", state)}, path)), network())


def test_names_of_mmaction2_become_the_authors(path: Path) -> None:
    theirs = {}
    for name, tensor in network().items():
        renamed = name.replace("patch_embed.proj.", "patch_embed.projection.")
        renamed = renamed.replace("mlp.fc1", "mlp.layers.0.0").replace("mlp.fc2", "mlp.layers.1")
        head = renamed.startswith("head.")
        theirs[renamed.replace("head.", "cls_head.fc_cls.") if head else f"backbone.{renamed}"] = (
            tensor
        )
    assert same(open_checkpoint(save({"state_dict": theirs, "meta": {}}, path)), network())


def test_two_networks_in_one_state_dict_are_refused(path: Path) -> None:
    save({"model": prefixed("student.", network()) | prefixed("teacher.", network())}, path)
    with pytest.raises(
        ConversionError, match=r"the state dict has 2 networks, under student\., teach"
    ):
        open_checkpoint(path)


def test_names_that_would_collide_are_refused(path: Path) -> None:
    save(
        {
            "model": prefixed("encoder.", network())
            | {"norm.bias": torch.ones(1), "encoder.norm.bias": torch.ones(1)}
        },
        path,
    )
    with pytest.raises(ConversionError, match=r"the same name without prefix: .*norm\.bias"):
        open_checkpoint(path)


def test_deepspeed_folder_is_the_file_that_latest_names(tmp_path: Path) -> None:
    for tag in ("checkpoint-1", "checkpoint-2"):
        (tmp_path / tag).mkdir()
        state = {"module": prefixed("", {"weight": torch.full((2,), float(tag[-1]))})}
        save(state, tmp_path / tag / "mp_rank_00_model_states.pt")
    (tmp_path / "latest").write_text("checkpoint-2\n")
    assert open_checkpoint(tmp_path).tensors["weight"][0] == 2
    assert open_checkpoint(tmp_path / "checkpoint-1").tensors["weight"][0] == 1
    shutil.copy(
        tmp_path / "checkpoint-1/mp_rank_00_model_states.pt",
        tmp_path / "checkpoint-1/mp_rank_01_model_states.pt",
    )
    with pytest.raises(ConversionError, match="the folder has 2 DeepSpeed files"):
        open_checkpoint(tmp_path / "checkpoint-1")


# -- files that are none ---------------------------------------------------------------------------


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
    with pytest.raises(ConversionError, match=r"the file begins with b'\\x89HDF"):
        open_checkpoint(path)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_file_cut_short_is_called_so(path: Path, part: float) -> None:
    whole = (DATA / "trained/v1-cls.pth").read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ConversionError, match="a truncated file"):
        open_checkpoint(path)


def test_plain_pickle_is_refused(path: Path) -> None:
    path.write_bytes(pickle.dumps({"model": 1}, protocol=2))
    with pytest.raises(ConversionError, match="not a readable PyTorch checkpoint"):
        open_checkpoint(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_widens_exactly(dtype: torch.dtype) -> None:
    narrow = torch.randn(100).to(dtype)
    assert torch.equal(widen(narrow).to(dtype), narrow)
    assert widen(narrow).dtype == torch.float32


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(value: float) -> None:
    tensors = {"good": torch.ones(3), "bad.weight": torch.tensor([1.0, value, value])}
    with pytest.raises(
        ConversionError, match=r"NaN or infinite values in bad\.weight \(2 values\)"
    ):
        check_finite(tensors)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_one_value_that_is_not_finite_is_found_anywhere_and_large_ones_are_none(
    dtype: torch.dtype,
) -> None:
    large = torch.full((1000,), torch.finfo(dtype).max, dtype=dtype)
    assert not torch.linalg.vector_norm(large).isfinite()  # what the norm alone would say
    assert not_finite({"large": large, "empty": large[:0]}) == {}
    for value in (float("nan"), float("inf"), -float("inf")):
        for place in (0, 501, 999):
            broken = torch.zeros(1000, dtype=dtype)
            broken[place] = value
            assert not_finite({"large": large, "broken": broken}) == {"broken": 1}


def test_optimizer_is_weighed_once_even_if_it_holds_itself(path: Path) -> None:
    state: dict[str, Any] = {"exp_avg": torch.zeros(10), "step": 3}
    state["again"] = [state, (state["exp_avg"], torch.zeros(5, dtype=torch.float64))]
    assert tensor_bytes(state) == 80
    save({"model": TENSORS, "optimizer": {"state": {0: state}}, "scaler": torch.ones(9)}, path)
    assert open_checkpoint(path).optimizer_bytes == 80


# -- files that were made to do harm (more: `make fuzz`) -------------------------------------------


def with_entry(path: Path, ending: str, content: bytes, compression: int = 0) -> Path:
    """Change an entry of a checkpoint's archive, whose checksums stay right."""
    save({"model": TENSORS}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, held in entries.items():
            if name.endswith(ending):
                archive.writestr(name, content, compression)
            else:
                archive.writestr(name, held)
    return path


def test_archive_that_unpacks_to_more_than_it_is_is_refused(path: Path) -> None:
    with_entry(path, "data.pkl", bytes(10**6), zipfile.ZIP_DEFLATED)
    with pytest.raises(ConversionError, match=r"data\.pkl is compressed, .* \(1,000,000 of"):
        open_checkpoint(path)


def test_archive_that_says_it_spans_several_files_is_refused(path: Path) -> None:
    whole = save({"model": TENSORS}, path).read_bytes()
    place = whole.rindex(b"PK\x06\x07")  # the locator of the end: which disk, where, of how many
    path.write_bytes(whole[: place + 16] + b"\x09" + whole[place + 17 :])
    with pytest.raises(ConversionError, match="a truncated file"):
        open_checkpoint(path)


def test_archive_whose_directory_points_to_another_entry_is_refused(path: Path) -> None:
    """torch maps the file and would take the one for the other."""
    whole = bytearray(save({"model": {**TENSORS, "b": torch.ones(4)}}, path).read_bytes())
    with zipfile.ZipFile(path) as archive:
        first, second = (e for e in archive.infolist() if re.search(r"data/[01]$", e.filename))
    start = whole.rindex(second.filename.encode()) - 4  # the last field before its name
    struct.pack_into("<I", whole, start, first.header_offset)
    path.write_bytes(whole)
    with pytest.raises(ConversionError, match=rf"entry {second.filename} is damaged: File name in"):
        open_checkpoint(path)


@pytest.mark.parametrize("size", [0, 12, 20])
def test_storage_that_is_not_its_whole_entry_is_refused(path: Path, size: int) -> None:
    """torch maps the file and would take the rest from the next entry."""
    with_entry(path, "data/0", bytes(size))
    with pytest.raises(ConversionError, match=f"storage 0 has 16 bytes, but its entry has {size}"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("pickled", "message"),
    [
        (b"Nr\xff\xff\xff\x07", "memo number 134217727 in "),
        (b"}" + b")" + b"2\x86" * 60 + b"Ns", r"1,048,575 nested tuples, 20 levels deep"),
        (b"}" + b")" + b"\x85" * 300_000 + b"Ns", "101 nested tuples, 101 levels deep"),
        (b"\x8b\xa0\x0f\x00\x00" + b"\x01" * 4000, "an integer of 31,993 bits"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_pickle_that_would_take_memory_or_time_is_refused(
    path: Path, pickled: bytes, message: str, zipped: bool
) -> None:
    held = b"\x80\x02}" + pickled + b"Ns."
    if zipped:
        with_entry(path, "data.pkl", held)
    else:
        save({"model": TENSORS}, path, _use_new_zipfile_serialization=False)
        with path.open("rb") as file:
            for _ in range(3):
                pickle.load(file)
            path.write_bytes(path.read_bytes()[: file.tell()] + held)
    with pytest.raises(ConversionError, match=message):
        open_checkpoint(path)


def test_tar_is_refused(path: Path) -> None:
    """torch would unpack it, and wait for a pipe in it for ever."""
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("\x02storages"))
    whole = bytearray(path.read_bytes())
    whole[:2] = b"\x80\x02"
    whole[148:156] = b" " * 8
    whole[148:156] = f"{sum(whole[:512]):06o}\0 ".encode()
    path.write_bytes(whole)
    with pytest.raises(ConversionError, match="a tar archive"):
        open_checkpoint(path)


def test_tensor_that_the_file_does_not_hold_is_refused(path: Path) -> None:
    save({"model": {"weight": torch.ones(1).expand(2**40, 3)}}, path)
    with pytest.raises(ConversionError, match="but the file has only 1 of its values"):
        open_checkpoint(path)


def test_tensor_that_is_negated_when_it_is_read_is_read_so(path: Path) -> None:
    save({"model": {"weight": torch._neg_view(torch.ones(2))}}, path)
    opened = open_checkpoint(path).tensors["weight"]
    assert not opened.is_neg()
    assert opened.tolist() == [-1, -1]


def test_mark_of_synthetic_weights_must_be_text(path: Path) -> None:
    save({"model": TENSORS, "synthetic": torch.ones(2)}, path)
    with pytest.raises(ConversionError, match=r"synthetic marks synthetic weights .* not a Tensor"):
        open_checkpoint(path)


def test_names_that_a_terminal_would_follow_are_escaped_and_shortened(path: Path) -> None:
    save({"model": TENSORS, "a\nerror: b\x1b[2J\ud800": 1, "x" * 50_000: 1}, path)
    said = "".join(open_checkpoint(path).describe())
    assert r"a\nerror: b\x1b[2J\ud800" in said
    assert len(said) < 1000
