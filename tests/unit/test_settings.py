"""config.yaml: what is accepted, and errors that name the path and what may stand there."""

import copy
import json
import math
from pathlib import Path, PurePosixPath
from typing import Any, get_args

import pytest
import yaml
from videomae.config import settings
from videomae.config.entry import Family, Recorded, Values
from videomae.config.models import RELEASES, Protocol
from videomae.config.settings import Settings
from videomae.errors import ConversionError
from videomae.model.architecture import GIVABLE
from videomae.model.families import FAMILIES
from videomae.model.networks import NETWORKS, Network
from videomae.score.protocols import PROTOCOLS

from tests.conftest import ROOT

SHIPPED = ("kinetics400", "k710", "ssv2", "ucf101")
THIRTEEN = 13


def read(config: dict[str, Any]) -> Settings:
    """Read, as the Snakefile does."""
    return settings.read(config, SHIPPED)


def load(path: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / path).read_text())
    return config


@pytest.fixture
def config() -> dict[str, Any]:
    return {"variants": {"mine": {"checkpoint": "synthetic:tiny-finetuned"}}}


def edited(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Set a value by its dotted path."""
    config = copy.deepcopy(config)
    *parents, last = path.split(".")
    place = config
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return config


CONDITIONS = {"clip": "synthetic", "image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def test_plain_run_converts_the_thirteen() -> None:
    variants = read(load("config.yaml")).variants
    assert len(variants) == THIRTEEN
    assert all(variant.source.kind == "gdrive" for variant in variants.values())
    assert all(variant.recorded for variant in variants.values())
    assert sum(variant.entry.published is not None for variant in variants.values()) == 8


def test_whole_zoo_has_giants_that_a_plain_run_leaves_out() -> None:
    variants = read(load("config.yaml") | {"models": "all"}).variants
    assert len(variants) == 27
    assert NETWORKS["giant"] == Network(1408, 40, 16, 6144, 512, 4, 8, patch_size=14)
    assert not [name for name in read(load("config.yaml")).variants if "videomae2" in name]


def test_rehearsal_has_the_same_thirteen_from_synthetic_weights() -> None:
    rehearsed, real = read(load("rehearsal/config.yaml")), read(load("config.yaml"))
    assert list(rehearsed.variants) == list(real.variants)
    for name, variant in rehearsed.variants.items():
        assert str(variant.source) == f"synthetic:{name}"
        assert variant.labels == real.variants[name].labels
        assert variant.recorded is not None


def test_small_models_were_recorded_with_sixteen_heads_and_the_scripts_eps() -> None:
    for name, variant in read(load("config.yaml")).variants.items():
        assert variant.recorded is not None
        overrides = variant.recorded.config
        assert overrides.layer_norm_eps == 1e-12
        assert overrides.num_attention_heads == (16 if "small" in name else None)
        assert variant.options == ["--dtype=float32", "--config"]


def test_models_may_be_chosen_by_a_comma_separated_text(config: dict[str, Any]) -> None:
    config["variants"]["other"] = {"checkpoint": "gdrive:1234567890"}
    assert list(read(config).variants) == ["mine", "other"]
    assert list(read(config | {"models": "other, mine"}).variants) == ["other", "mine"]


def test_every_value_that_can_be_given_has_a_key() -> None:
    assert Values.model_fields.keys() == GIVABLE.keys()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("variants.mine.config.heads", 3, r"variants\.mine\.config\.heads: unknown key.*num_att"),
        (
            "variants.mine.config.num_atention_heads",
            3,
            r"num_atention_heads: unknown key \(did you mean num_attention_heads\?\)",
        ),
        ("variants.mine.config.num_attention_heads", "six", r"config\.num_attention_heads: 'six'"),
        ("variants.mine.config.num_attention_heads", 0, r"config\.num_attention_heads: 0 is less"),
        ("variants.mine.config.use_mean_pooling", 1, r"config\.use_mean_pooling: 1 is not"),
        ("variants.mine.label", "x", r"variants\.mine\.label: unknown key \(did you mean labels"),
        ("variants.mine.labels", "k400", r"variants\.mine\.labels: 'k400' is neither kinetics400"),
        ("variants.mine.sha256", "abc", r"variants\.mine\.sha256: 'abc' .*expected SHA-256 of the"),
        (
            "variants.mine.checkpoint",
            "gdrive:",
            r"variants\.mine\.checkpoint: 'gdrive:' is not a sou",
        ),
        ("variants.mine.checkpoint", "ftp://x/y", r"variants\.mine\.checkpoint: 'ftp://x/y' is no"),
        (
            "variants.mine.checkpoint",
            "synthetic:x",
            r"synthetic:x is unknown; choose from videomae",
        ),
        (
            "variants.mine.recorded",
            {"shape": [1]},
            r"mine\.recorded: the key `logits` is missing \(meaning: the",
        ),
        (
            "variants.mine.recorded",
            "truth.npy",
            r"mine\.recorded: 'truth\.npy' is not an \.npz file",
        ),
        ("variants.mine.recorded", "none.npz", r"mine\.recorded: no such file: /.*/none\.npz"),
        (
            "variants.mine.recorded",
            ["truth.npz"],
            r"mine\.recorded: \['truth\.npz'\] is not text or a mapping",
        ),
        ("recorded", "truth.npz", r"recorded: this key describes one checkpoint; give `check"),
        (
            "variants.mine.recorded",
            {"shape": [1], "logits": [1], "under": "x"},
            r"recorded\.under: 'x' is not a key of recorded_under, which has no keys",
        ),
        (
            "variants.mine.recorded",
            {"shape": [1], "logits": [1], "clip": "synthetic"},
            r"mine\.recorded: image_mean, image_std missing",
        ),
        (
            "variants.mine.recorded",
            {"shape": [1], "logits": [[[0.5]]], **CONDITIONS},
            r"recorded\.logits\.0\.0: \[0\.5\] is not a number",
        ),
        (
            "variants.mine.recorded",
            {"shape": [1], "logits": [[1, 2], [3]], **CONDITIONS},
            r"recorded\.logits: rows have different lengths: 1, 2",
        ),
        (
            "variants.mine.recorded",
            {"shape": [1], "logits": [1], "mask": "synthetic:x", **CONDITIONS},
            r"recorded\.mask: 'synthetic:x' needs a ratio between 0 and 1",
        ),
        ("variants.mine.sha256", "9" * 5000, r"^.{900,1100}$"),
        (
            "variants.mine.published",
            {"dataset": "UCF101", "top1": 91.3},
            r"mine\.published: the key `source` is missing \(meaning: the page",
        ),
        (
            "variants.mine.published",
            {"dataset": "Kinetics", "top1": 80, "source": "https://example.org"},
            r"published\.dataset: 'Kinetics' is neither a known data .*\(did you mean Kinetics-",
        ),
        (
            "variants.mine.published",
            {"dataset": "UCF101", "top1": 913, "source": "https://example.org"},
            r"published\.top1: 913 is greater than the maximum",
        ),
        (
            "variants.mine.datasets",
            ["UCF101", "SSV2"],
            r"mine\.datasets\.1: 'SSV2' is neither .* sets are Kinetics-400, .*Something-Some",
        ),
        (
            "variants.mine.base_model",
            "mine",
            r"mine\.base_model: 'mine' is neither another variant nor OWNER/NAME on the hub",
        ),
        (
            "license",
            "cc-by-nc-4",
            r"license: 'cc-by-nc-4' is not an identifier .*mean cc-by-nc-4\.0\?",
        ),
        (
            "license",
            "my own",
            r"license: 'my own' is not an identifier .*write other and give license_name",
        ),
        ("license", "other", r"license: other needs .* neither is given"),
        ("license_name", "my own", r"license_name: this key needs `license: other`"),
        ("models", ["min"], r"models: 'min' is not a variant \(did you mean mine\?\)"),
        ("recorded_outputs", "ignore", r"recorded_outputs: 'ignore' is not one of require, warn"),
        ("push.enabled", True, r"push: the key `namespace` is missing; `enabled: true` needs it"),
        ("push.token", "hf_x", r"push\.token: unknown key"),
        (
            "push.revision",
            "refs/pr/1",
            r"push\.revision: 'refs/pr/1' .*give a branch name",
        ),
        ("push.revision", "a" * 40, r"push\.revision: 'a{40}' .*give a branch name"),
        ("push.dry_run", "yes", r"push\.dry_run: 'yes'"),
        ("device", "gpu", r"device: 'gpu' is not one of cpu, cuda, auto"),
        ("releases", ["4.0.0"], r"releases\.0: '4\.0\.0' is not one of 4\.26\.1"),
        ("checkpoints_dir", "/nowhere", "checkpoints_dir: no such folder: /nowhere"),
        ("add_to_checkpoints_dir", True, "add_to_checkpoints_dir: give checkpoints_dir too"),
        ("published", "nowhere", r"published: 'nowhere' is neither a folder \(looked for"),
        ("variant", {}, r"^variant: unknown key \(did you mean variants\?\)"),
        ("variants.a b", {"checkpoint": "x"}, "the key 'a b' does not match"),
    ],
)
def test_error_names_the_path_and_what_is_allowed(
    config: dict[str, Any], path: str, value: Any, message: str
) -> None:
    with pytest.raises(ConversionError, match=message):
        read(edited(config, path, value))


def test_accuracy_on_a_data_set_of_other_classes_than_the_labels_is_refused(
    config: dict[str, Any],
) -> None:
    stated = {"dataset": "Kinetics-400", "top1": 80, "source": "https://example.org"}
    config = edited(config, "variants.mine.published", stated)
    read(edited(config, "variants.mine.labels", "kinetics400"))
    with pytest.raises(ConversionError, match=r"variants\.mine: published: .*has 174 classes"):
        read(edited(config, "variants.mine.labels", "ssv2"))
    with pytest.raises(ConversionError, match=r"variants\.mine\.labels: for LABEL_0"):
        read(edited(config, "variants.mine.labels", "none"))


def test_checkpoints_without_an_entry_are_named_after_their_files(
    config: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("run 7/epoch.1.pth", "run 7/epoch.2.pth", "run8/epoch.1.pth", "deep/latest"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def names(**values: Any) -> list[str]:
        return list(read({**config, "license": "mit", **values}).variants)

    assert names(checkpoint=f"{tmp_path}/run 7/epoch.1.pth") == ["epoch.1"]
    assert names(checkpoint="hub:them/zoo/a/it.pth") == ["it"]
    assert names(checkpoints=f"{tmp_path}/run 7/*.pth") == ["epoch.1", "epoch.2"]
    assert names(checkpoint=f"{tmp_path}/run 7/") == ["run-7"]
    assert names(checkpoints=[f"{tmp_path}/run*/*.pth", f"{tmp_path}/run8/*"]) == [
        *("run-7-epoch.1", "run-7-epoch.2", "run8-epoch.1")
    ]
    with pytest.raises(ConversionError, match=r"no file matches '\*\.nothing' \(looked in"):
        names(checkpoints="*.nothing")
    with pytest.raises(ConversionError, match="checkpoint: no such file: /nowhere"):
        names(checkpoint="/nowhere.pth")


def test_checkpoint_without_an_entry_takes_what_is_said_beside_it(config: dict[str, Any]) -> None:
    beside = {"config": {"num_attention_heads": 3}, "weights": "model_ema", "labels": "ssv2"}
    found = read({**config, "license": "mit", "checkpoint": "hub:them/zoo/it.pth", **beside})
    assert found.variants["it"].options == [
        *("--weights=model_ema", "--dtype=float32", "--config", "num_attention_heads=3"),
    ]
    assert found.variants["it"].labels == ["ssv2"]
    assert found.license == {}  # that one is the authors' weights'
    with pytest.raises(ConversionError, match=r"config\.heads: unknown key"):
        read({**config, "checkpoint": "hub:them/zoo/it.pth", "config": {"heads": 3}})


def test_no_variants_is_one_message() -> None:
    with pytest.raises(
        ConversionError, match="variants: no variants are given; add some, or give `checkpoint`"
    ):
        read({})


def test_one_published_folder_is_of_one_variant(config: dict[str, Any], tmp_path: Path) -> None:
    config["variants"]["other"] = dict(config["variants"]["mine"])
    with pytest.raises(ConversionError, match=r"is one folder for 2 variants.*models=NAME"):
        read(edited(config, "published", str(tmp_path)))
    found = read(edited(config, "published", "lab/{variant}@v1")).variants
    assert found["other"].published == "lab/other@v1"
    assert found["other"].published_files == ["results/published/other"]


def test_every_release_has_its_pins() -> None:
    pins = {path.stem for path in (ROOT / "envs/releases").iterdir()} - {"constraints"}
    assert set(RELEASES) == pins
    for release in pins:
        lines = (ROOT / f"envs/releases/{release}.txt").read_text().splitlines()
        assert f"transformers=={release}" in lines


def test_every_family_that_config_may_name_has_its_code_and_paper() -> None:
    assert list(get_args(Family)) == list(FAMILIES)


def test_every_protocol_that_config_may_name_is_one() -> None:
    assert list(get_args(Protocol)) == list(PROTOCOLS)


def test_card_is_given_what_config_states_and_no_more(config: dict[str, Any]) -> None:
    license_ = {"license": "other", "license_name": "ours", "license_link": "LICENSE"}
    stated = {
        **{"datasets": ["UCF101", "lab/videos"], "base_model": "base"},
        "family": "VideoMAE V2",
    }
    config["variants"]["base"] = {"checkpoint": "gdrive:1234567890"}
    config["variants"]["mine"] |= stated
    found = read({**config, **license_})
    assert found.license == license_
    assert found.variants["base"].card_options({}, "lab") == []
    options = found.variants["mine"].card_options(license_, None)
    assert options == [
        *("--license=other", "--license-name=ours", "--license-link=LICENSE"),
        "--family=VideoMAE V2",
        *("--data-set=UCF101", "--data-set=lab/videos", "--base-model=base"),
    ]
    # A variant is on the hub where this one goes; another's model stays where it is.
    assert "--base-model=lab/base" in found.variants["mine"].card_options({}, "lab")
    found = read(edited(config, "variants.mine.base_model", "them/base"))
    assert "--base-model=them/base" in found.variants["mine"].card_options({}, "lab")


def test_checkpoints_that_are_not_here_can_not_be_removed(config: dict[str, Any]) -> None:
    there: Any = PurePosixPath("bucket/results")
    config = {**config, "keep_checkpoints": False}
    assert not read(config).keep_checkpoints
    with pytest.raises(
        ConversionError, match="removes local checkpoints only, not those in bucket/results"
    ):
        settings.read(config, SHIPPED, results=there)


def test_synthetic_weights_can_not_be_set_to_be_pushed(config: dict[str, Any]) -> None:
    push = {"enabled": True, "namespace": "lab"}
    with pytest.raises(ConversionError, match=r"push\.enabled: mine have synthetic weights"):
        read(config | {"push": push})


def test_labels_may_be_a_file_beside_the_config(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.txt").write_text("a\n")
    variant = read(edited(config, "variants.mine.labels", "my.txt")).variants["mine"]
    assert variant.labels == ["my.txt"]


def test_numbers_and_switches_may_come_as_text_as_from_the_command_line() -> None:
    push = {"dry_run": "true", "private": "false", "enabled": "True", "namespace": "1"}
    score = {"videos": "list.csv", "clips": "7", "as_authors": "true", "root": "2"}
    values = {"num_frames": "8", "use_mean_pooling": "false"}
    recorded = {"shape": ["1", "400"], "logits": ["0.5", ["1e-3"]], "config": {}}
    more = {"recorded_outputs": "skip", "keep_checkpoints": "false", "score": score}
    found = settings.parse({"push": push, "config": values, **more})
    assert found.push.given == {
        **{"dry_run": True, "private": False, "enabled": True, "overwrite": False},
        **{"namespace": "1", "revision": "main"},
    }
    assert found.config.given == {"num_frames": 8, "use_mean_pooling": False}
    assert (found.score and found.score.clips, found.score and found.score.root) == (7, "2")
    assert not found.keep_checkpoints
    with pytest.raises(
        ConversionError, match=r"^recorded\.logits: rows have different lengths: 0, 1$"
    ):
        settings.parse({"recorded": recorded})
    outputs = settings.parse({"recorded": {**recorded, "logits": ["0.5", "-1"]}}).recorded
    assert isinstance(outputs, Recorded)
    assert (outputs.shape, outputs.logits) == ([1, 400], [0.5, -1.0])


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "keep_checkpoints",
            "no",
            r"^keep_checkpoints: 'no' is not true or false \(meaning: wheth",
        ),
        ("push.private", 1, r"^push\.private: 1 is not true or false"),
        ("config.num_frames", "8.5", r"^config\.num_frames: '8\.5' is not a whole number"),
        ("config.num_frames", 8.0, r"^config\.num_frames: 8\.0 is not a whole number"),
        ("config.num_frames", True, r"^config\.num_frames: True is not a whole number"),
        ("config.num_frames", "-1", r"^config\.num_frames: -1 is less than the minimum of 1"),
        ("config.num_frames", "9" * 5000, r"is not a whole number"),
        (
            "recorded_under.x.image_std",
            [1, math.nan, 1],
            r"x\.image_std\.1: nan is not a finite num",
        ),
        ("checkpoint", "\udcff", r"^checkpoint: '\\udcff' has bytes that are not UTF-8"),
        ("labels", None, r"^labels: the value is empty; give one, or leave the key out"),
        ("variants.mine", None, r"^variants\.mine: None is not a mapping of keys to values$"),
        ("push", ["x"], r"^push: \['x'\] is not a mapping of keys to values \(meaning: where"),
        ("checkpoints", [], r"^checkpoints: \[\] has fewer than 1 items"),
        ("checkpoints", "", r"^checkpoints: the text is empty"),
        ("checkpoints", 3, r"^checkpoints: 3 is not text"),
        ("checkpoints", {"a": 1}, r"^checkpoints: \{'a': 1\} is not text or a list \(meaning: one"),
        ("releases", ["5.0.0", "5.0.0"], r"^releases: '5\.0\.0' appears twice"),
        ("recorded_outputs", "require ", r"'require ' is not one of .*\(did you mean require\?\)"),
        (
            "score",
            {},
            r"^score: the key `videos` is missing \(meaning: the list of videos, with PATH LABEL",
        ),
        (
            "score",
            {"videos": {"kinetics": "x"}},
            r"^score\.videos\.kinetics: the key 'kinetics' is not one of kinetics400, .*mean kin",
        ),
        ("variants.mine.1", 2, r"^variants\.mine\.1: unknown key"),
        (
            "variants.mine",
            {"checkpont": "x"},
            r"^variants\.mine\.checkpont: unknown key \(did you mean checkpoint\?\).* \(and 1 mor",
        ),
    ],
)
def test_nothing_else_is_taken_for_a_value(
    config: dict[str, Any], path: str, value: Any, message: str
) -> None:
    with pytest.raises(ConversionError, match=message) as refusal:
        settings.parse(edited(config, path, value))
    assert "\n" not in str(refusal.value)


def test_key_that_is_no_text_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConversionError, match=r"^1: a key must be text$"):
        settings.parse({**config, 1: 2})  # type: ignore[dict-item]
    with pytest.raises(ConversionError, match=r"^variants\.1: the key 1 is not text"):
        settings.parse({"variants": {1: {"checkpoint": "a.pth"}}})


def test_secret_in_a_value_is_not_shown(config: dict[str, Any]) -> None:
    config["variants"]["mine"]["published"] = "https://me:secret@host.org/x?token=secret"
    with pytest.raises(ConversionError, match=r"'https://host\.org/x'") as refusal:
        settings.parse(config)
    assert "secret" not in str(refusal.value)


def test_config_stays_as_it_is() -> None:
    """As a module this is given the config of the workflow that imports it."""
    config = load("config.yaml")
    config |= {"keep_checkpoints": "true", "config": {"num_frames": "8"}}
    before = copy.deepcopy(config)
    read(config)
    assert config == before


def test_what_is_not_said_is_not_passed_on(config: dict[str, Any]) -> None:
    config["recorded_under"] = {"here": {**CONDITIONS, "config": {"layer_norm_eps": 1e-12}}}
    recorded = {"under": "here", "shape": [1, 2], "logits": [1], "image_std": [1, 1, 1]}
    variant = read(edited(config, "variants.mine.recorded", recorded)).variants["mine"]
    assert json.loads(variant.recorded_option) == {
        **{"clip": "synthetic", "image_mean": [0.5] * 3, "image_std": [1.0] * 3},
        **{"config": {"layer_norm_eps": 1e-12}, "shape": [1, 2], "logits": [1.0]},
    }


def test_files_of_the_hub_are_inputs_of_their_own(config: dict[str, Any]) -> None:
    variant = read(load("config.yaml")).variants["videomae-base"]
    assert variant.recorded_files == {
        "clip": "results/inputs/clip/hf-internal-testing/spaghetti-video/eating_spaghetti.npy",
        "mask": "results/inputs/mask/hf-internal-testing/bool-masked-pos/bool_masked_pos.pt",
    }
    for name in ("hub:a/b/c.json", "hub:datasets/a/b/c.json"):
        labels = read(edited(config, "variants.mine.labels", name)).variants["mine"].labels
        assert labels == ["results/inputs/labels/a/b/c.json"]
