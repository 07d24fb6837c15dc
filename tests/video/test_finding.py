"""Which videos are found, in which order, and what is said of the rest."""

from __future__ import annotations

import pytest

from tests.video.clips import write_folder
from zsad.errors import UsageError
from zsad.video.finding import find_videos, video_names


def test_folders_are_searched_in_natural_order(tmp_path):
    for name in ("clip10.mp4", "clip9.mkv", "sub/deep/x.webm", "notes.txt", ".hidden.mp4", "out/NAME/annotated.webm"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    write_folder(tmp_path / "Test" / "Test001", 2)
    write_folder(tmp_path / "Test" / "Test001_gt", 2)
    write_folder(tmp_path / "Test" / "Test002", 2, pattern="frame{}.png")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "bolt1.png").touch()
    said = []
    found = find_videos([tmp_path], skip=tmp_path / "out", say=said.append)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "clip9.mkv", "clip10.mp4", "Test/Test001", "Test/Test002", "sub/deep/x.webm"
    ]  # fmt: skip
    assert said == [
        "not read, files of another kind: notes.txt",
        "not read, folders of masks: Test/Test001_gt",
        "not read, pictures without a common number: pictures/bolt1.png",
    ]


def test_what_is_named_is_tried_once(tmp_path):
    video = tmp_path / "a.bin"
    video.touch()
    absent = tmp_path / "absent.mp4"
    (tmp_path / "empty").mkdir()
    frames = write_folder(tmp_path / "frames", 2)
    assert find_videos([video, absent, video, tmp_path / "empty", frames]) == [
        video,
        absent,
        tmp_path / "empty",
        frames,
    ]


def test_two_videos_of_one_name_are_refused():
    assert video_names(["a/x.mp4", "b/y.mp4"]) == ["x", "y"]
    with pytest.raises(UsageError, match="have the same name, X"):
        video_names(["a/x.mp4", "b/X.avi"])
