"""Decoding: the frames a file has, and what is said of files that have none."""

from pathlib import Path

import numpy as np
import pytest
from videomae.score import decoding
from videomae.score.preprocessing import Authors
from videomae.score.protocols import PROTOCOLS

from tests import filmed
from tests.conftest import DATA

VIDEOS = DATA / "videos"


def everything(path: Path) -> decoding.Video:
    return decoding.read(path, range)


def test_only_wanted_frames_are_held(tmp_path: Path) -> None:
    video = decoding.read(filmed.film(tmp_path / "a.mkv"), lambda total: [0, total // 2])
    assert sorted(video.frames) == [0, 10]
    assert np.array_equal(video.frames[10], filmed.frame(10, 64, 48))


@pytest.mark.parametrize(("degrees", "quarters"), [(-90, 3), (90, 1), (180, 2), (0, 0)])
def test_a_turned_video_is_turned_as_decord_does(
    degrees: int, quarters: int, tmp_path: Path
) -> None:
    source = filmed.film(tmp_path / "a.mp4", codec="libx264", pix_fmt="yuv420p")
    video = everything(filmed.turned(tmp_path / "turned.mp4", source, degrees))
    expected = np.rot90(everything(source).frames[3], quarters)
    assert np.array_equal(video.frames[3], expected)


@pytest.mark.parametrize(("width", "height"), [(65, 49), (54, 71)])
def test_odd_sizes_are_read(width: int, height: int, tmp_path: Path) -> None:
    path = filmed.film(tmp_path / "odd.mkv", width, height, 3, "ffv1", "bgr0")
    assert np.array_equal(everything(path).frames[2], filmed.frame(2, width, height))


def test_vp9_is_read(tmp_path: Path) -> None:
    path = filmed.film(tmp_path / "a.webm", frames=5, codec="libvpx-vp9", pix_fmt="gbrp")
    video = everything(path)
    assert video.total == 5
    assert np.array_equal(video.frames[4], filmed.frame(4, 64, 48))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_frames_are_counted_and_not_the_time_between_them(suffix: str, tmp_path: Path) -> None:
    times = [0, 1, 2, 30, 31, 90, 91]
    video = everything(filmed.film(tmp_path / f"a.{suffix}", frames=len(times), times=times))
    assert video.total == len(times)
    assert video.lacking == ""
    for number in range(len(times)):
        assert np.array_equal(video.frames[number], filmed.frame(number, 64, 48))


def test_of_a_cut_mkv_what_is_there_is_read_and_the_rest_named(tmp_path: Path) -> None:
    path = filmed.film(tmp_path / "cut.mkv", frames=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = everything(path)
    assert 0 < video.total < 70
    assert len(video.frames) == video.total
    assert video.lacking == f"truncated: it has {video.total / filmed.RATE:.1f} of 4.0 s"


@pytest.mark.parametrize(
    ("flags", "words"),
    [("", "can't be decoded"), ("faststart", r"truncated: it has \d\d of 100 frames")],
)
def test_a_cut_mp4_is_unreadable_as_for_decord(flags: str, words: str, tmp_path: Path) -> None:
    options = {"movflags": flags} if flags else {}
    path = filmed.film(tmp_path / "cut.mp4", frames=100, container=options)
    assert everything(path).total == 100
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(decoding.UnreadableError, match=words):
        everything(path)


def test_of_a_long_video_only_the_clips_frames_are_held() -> None:
    protocol = PROTOCOLS["kinetics400"]
    wanted = Authors(protocol).wanted(90_000)
    assert len(wanted) == 80
    assert wanted[0] == 0
    assert wanted[-1] == 89_996


def test_frames_of_several_sizes_are_no_video(tmp_path: Path) -> None:
    path = filmed.film(tmp_path / "a.mkv", frames=2)
    sizes = iter([32, 48])
    with pytest.raises(decoding.UnreadableError, match="different sizes"):
        decoding.read(path, range, lambda frame: frame[: next(sizes)])


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(decoding.UnreadableError, match="the file has no video, only audio"):
        everything(filmed.sound(tmp_path / "sound.mkv"))


def test_a_video_without_frames_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(decoding.UnreadableError, match=r"no frames|can't be decoded"):
        everything(filmed.film(tmp_path / "none.mkv", frames=0))


@pytest.mark.parametrize("content", [b"", b"not a video" * 500])
def test_what_is_no_video_is_unreadable(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(decoding.UnreadableError, match="can't be decoded"):
        everything(path)


def test_best_stream_is_read_and_not_a_cover_picture_before_it() -> None:
    covered, bare = everything(VIDEOS / "covered.mp4"), everything(VIDEOS / "bare.mp4")
    assert (covered.total, covered.lacking) == (bare.total, bare.lacking) == (100, "")
    for number in range(100):
        assert np.array_equal(covered.frames[number], bare.frames[number])


def test_cover_picture_alone_is_no_video(tmp_path: Path) -> None:
    path = filmed.sound_with_cover(tmp_path / "song.mp4")
    with pytest.raises(
        decoding.UnreadableError, match="the file has no video, only audio, a cover picture"
    ):
        everything(path)


def test_edit_list_is_read_as_by_decord() -> None:
    """Blue means of every fourth frame as decord 0.6.0 gives them: 0 7 14 22 … 94 96 96 …"""
    video = everything(VIDEOS / "end-cut.mp4")
    assert (video.total, video.lacking) == (76, "")
    means = [float(video.frames[number][..., 2].mean()) for number in range(0, 76, 4)]
    by_decord = [0, 7, 14, 22, 31, 39, 46, 55, 62, 70, 78, 87, 94, *[96] * 6]
    assert means == pytest.approx(by_decord, abs=1.1)
    bare = everything(VIDEOS / "bare.mp4")
    for number in range(76):
        assert np.array_equal(video.frames[number], bare.frames[min(number, 49)])


def test_relative_name_with_a_colon_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filmed.film(tmp_path / "take:2.mkv")
    monkeypatch.chdir(tmp_path)
    assert everything(Path("take:2.mkv")).total == 20
