"""Files that are damaged, cut off, or no videos: one line that names the file and the fault; what was read is kept."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av")

from tests.video.clips import cut, number, picture, write_clip, write_folder, write_sound
from zsad.errors import InputError
from zsad.video.cut_off import cut_off
from zsad.video.source import open_video


def refusal(path):
    with pytest.raises(InputError) as caught:
        open_video(path)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    return line


def test_what_is_no_video_is_one_line(tmp_path):
    def made(name, data=b""):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    clip = write_clip(tmp_path / "a.avi", 10)
    Image.fromarray(picture(1)).save(tmp_path / "picture.png")
    assert "no such file" in refusal(tmp_path / "absent.mp4")
    assert "empty file" in refusal(made("zero.mp4"))
    assert "not a video" in refusal(made("noise.mp4", os.urandom(4000)))
    assert "not a video" in refusal(made("page.mp4", b"<html>not found</html>"))
    assert "not a video" in refusal(tmp_path / "picture.png")
    assert "no video stream; it holds only audio" in refusal(write_sound(tmp_path / "sound.mp4"))
    assert "unknown codec" in refusal(made("codec.avi", clip.read_bytes().replace(b"FMP4", b"ZZZZ")))
    with pytest.raises(InputError, match="no such file"):
        open_video("a\0b.mp4")


def test_a_playlist_opens_no_other_file(tmp_path):
    write_clip(tmp_path / "a.ts", 10)
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile a.ts\n")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n")
    assert "not a video" in refusal(tmp_path / "list.mp4")
    assert "not a video" in refusal(tmp_path / "list.m3u8")


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".ts", ".gif", ".mp4", ".mov"])
def test_what_was_read_of_a_file_that_is_cut_off_is_kept(tmp_path, suffix):
    whole = write_clip(tmp_path / f"a{suffix}", 40, gop=4, faststart=suffix in (".mp4", ".mov"))
    assert cut_off(whole) == ""
    video = open_video(cut(whole, 0.8))
    seen = [number(frame.image) for frame in video.frames()]
    assert video.fault.startswith("cut off: it ends ")
    assert seen[:-1] == list(range(len(seen) - 1))
    assert seen[-1] == len(seen) - 1 or suffix == ".gif"  # of a GIF, the last frame may be half painted
    assert 0 < video.read == len(seen) < 40
    whole_again = open_video(whole)
    list(whole_again.frames())
    assert whole_again.fault == ""


def test_a_cut_that_leaves_nothing_says_how_much_there_is(tmp_path):
    whole = write_clip(tmp_path / "a.mp4", 20)  # its index stands at the end
    size = whole.stat().st_size
    assert f"cut off, and nothing of it can be read: it ends after {size // 2:,} of" in refusal(cut(whole, 0.5))


def test_damage_midway_loses_frames_and_says_so(tmp_path):
    whole = write_clip(tmp_path / "a.mkv", 40, gop=8, codec="mpeg4")
    data = bytearray(whole.read_bytes())
    rng = np.random.default_rng(0)
    middle = len(data) // 2
    data[middle : middle + 400] = rng.integers(0, 256, 400, np.uint8).tobytes()
    (tmp_path / "b.mkv").write_bytes(data)
    video = open_video(tmp_path / "b.mkv")
    assert [frame.index for frame in video.frames()] == list(range(video.read))
    assert video.read < 40
    assert video.fault.startswith("damaged")  # how far FFmpeg gets is its version's affair


def test_numbers_of_frames_have_no_gap_and_come_once(tmp_path):
    folder = write_folder(tmp_path / "f", 12)
    (folder / "004.png").unlink()
    assert "frame 4 is absent: 003.png is followed by 005.png" in refusal(folder)
    (folder / "005.png").unlink()
    assert "frames 4 to 5 are absent" in refusal(folder)
    twice = write_folder(tmp_path / "twice", 3)
    Image.fromarray(picture(1)).save(twice / "1.png")
    assert "have the same number" in refusal(twice)
    Image.fromarray(picture(1)).save(write_folder(tmp_path / "odd", 3) / "cover.png")
    assert "cover.png has no number" in refusal(tmp_path / "odd")
    (tmp_path / "none").mkdir()
    assert "without numbered pictures" in refusal(tmp_path / "none")


def test_frames_of_several_sizes_are_named(tmp_path):
    folder = write_folder(tmp_path / "f", 5)
    Image.fromarray(picture(3, size=(128, 96))).save(folder / "003.png")
    assert "frames of several sizes: 000.png 64 x 48, 003.png 128 x 96" in refusal(folder)


def test_a_damaged_picture_ends_the_reading_with_what_was_read(tmp_path):
    folder = write_folder(tmp_path / "f", 6)
    cut(folder / "004.png", 0.7, to=folder / "004.png")
    video = open_video(folder)
    assert [number(frame.image) for frame in video.frames()] == [0, 1, 2, 3]
    assert video.read == 4
    assert "004.png: damaged or truncated" in video.fault
    cut(folder / "000.png", 0.7, to=folder / "000.png")
    assert "000.png: damaged or truncated" in refusal_of_picture(folder)


def refusal_of_picture(folder):
    with pytest.raises(InputError) as caught:
        list(open_video(folder).frames())
    return str(caught.value)
