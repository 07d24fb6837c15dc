"""Pictures of a scored video: key frames with heat, and the video with heat, score bar and event marks."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from zsad.errors import MissingExtraError, OutputError
from zsad.files import PART, output_errors, write_whole
from zsad.outside import printable
from zsad.pictures.heat import heat_table, to_bytes
from zsad.pictures.notes import Notes, draw_notes, font
from zsad.pictures.overlay import alpha_table
from zsad.types import ByteArray, FloatArray
from zsad.video.detector import VideoResult
from zsad.video.frames import Frame, fitted
from zsad.video.methods.look import FrameMethod
from zsad.video.source import open_video, read_ahead

KEY_LONGEST, VIDEO_LONGEST = 640, 960
"""Pixels of the longer side of a key frame, and of the annotated video, at most."""
MOST_KEYS = 60
"""Events with a key frame, the highest."""
_BAR = 26
_TICK = 1000
_DARK, _INK, _EVENT = (16, 12, 24), (255, 255, 255), (233, 83, 60)


def key_name(frame: int) -> str:
    """Return the name of a key frame's file."""
    return f"{frame:06d}.jpg"


def draw(
    method: FrameMethod, result: VideoResult, keys: Path, video: Path | None, on_frame: Any = lambda done, total: None
) -> list[int]:
    """Write key frames and, if it is asked for, the annotated video: one more reading of the video.

    Args:
        method: which frames it has looked at, and how its maps are painted.
        result: what it said.
        keys: folder of the key frames.
        video: the ``.webm`` file; None for none.
        on_frame: told of progress: frames done, and frames in all.

    Returns:
        The frames that have a picture.

    Raises:
        InputError: the video can't be read any more.
        OutputError: no space, or not allowed to write.
        MissingExtraError: this PyAV can't write VP9.
    """
    best = sorted(result.events, key=lambda event: -event.score)[:MOST_KEYS]
    wanted = {event.key: event for event in best}
    places = {int(position): i for i, position in enumerate(result.series.positions)}
    last = int(result.series.positions[-1]) if len(result.series) else -1
    if video is None:
        last = max(wanted, default=-1)
    done: list[int] = []
    if last < 0:
        return done
    with open_video(result.path, fps=method.sampling.folder_fps) as opened:
        size = _even(fitted(opened.width, opened.height, VIDEO_LONGEST))
        with _writer(video, size) as write, closing(read_ahead(_until(method.sampling.of(opened), last))) as frames:
            for frame in frames:
                index = places.get(frame.index)
                if index is None:
                    continue
                heat = method.shown(result.maps.small(index), result.rule.threshold)
                if frame.index in wanted:
                    event = wanted[frame.index]
                    _save(keys / key_name(frame.index), _key(frame, heat, event.region, opened.width))
                    done.append(frame.index)
                if write is not None:
                    write(_annotated(frame, heat, result, index, size), frame.timestamp)
                on_frame(frame.index + 1, last + 1)
    return done


def draw_plain(result: VideoResult, keys: Path, on_frame: Any = lambda done, total: None) -> list[int]:
    """Write key frames of a method that has no maps; arguments, errors and what is returned as of :func:`draw`."""
    best = sorted(result.events, key=lambda event: -event.score)[:MOST_KEYS]
    wanted, done = {event.key for event in best}, list[int]()
    if not wanted:
        return done
    with open_video(result.path) as opened, closing(_until(opened.frames(), max(wanted))) as frames:
        for frame in frames:
            if frame.index in wanted:
                _save(keys / key_name(frame.index), _key(frame, None, None, opened.width))
                done.append(frame.index)
            on_frame(frame.index + 1, max(wanted) + 1)
    return done


def painted(image: Image.Image, heat: FloatArray) -> Image.Image:
    """Paint heat ``(h, w)`` in [0, 1], of any size, over a picture."""
    levels = Image.fromarray(to_bytes(np.ascontiguousarray(heat))).resize(image.size, Image.Resampling.BILINEAR)
    over = levels.copy()
    over.putpalette(heat_table().tobytes())
    return Image.composite(over.convert("RGB"), image.convert("RGB"), levels.point(alpha_table()))


def _key(frame: Frame, heat: FloatArray | None, region: Any, width: int) -> Image.Image:
    size = fitted(frame.image.width, frame.image.height, KEY_LONGEST)
    picture = frame.image.resize(size, Image.Resampling.BICUBIC)
    if heat is not None:
        picture = painted(picture, heat)
    if region is not None:
        scale = size[0] / max(1, width)
        box = tuple(round(side * scale) for side in region)
        draw_notes(picture, Notes(boxes=((box[0], box[1], box[2], box[3]),)), np.zeros((1, 1), np.uint8))
    return picture


def _annotated(frame: Frame, heat: FloatArray, result: VideoResult, index: int, size: tuple[int, int]) -> Image.Image:
    """Return a frame with heat, and below it a bar: the score, the threshold, and whether an event is on."""
    picture = Image.new("RGB", (size[0], size[1] + _BAR), _DARK)
    picture.paste(painted(frame.image.resize(size, Image.Resampling.BILINEAR), heat), (0, 0))
    series, threshold = result.series, result.rule.threshold
    top = max(float(series.values.max()), threshold, 1e-9)
    pen, y = ImageDraw.Draw(picture), size[1]
    on = any(event.start <= frame.index < event.end for event in result.events)
    full, score = size[0] - 1, max(0.0, float(series.values[index]))
    pen.rectangle((0, y + 2, round(full * score / top), y + 10), fill=_EVENT if on else (190, 180, 200))
    at = round(full * threshold / top)
    pen.rectangle((at - 1, y, at, y + 12), fill=_INK)
    text = f"{frame.timestamp:8.2f} s   score {series.values[index]:.3g}"
    pen.text((4, y + _BAR - 2), text, fill=_INK, font=font(11), anchor="ls")
    if on:
        pen.rectangle((0, 0, size[0] - 1, y - 1), outline=_EVENT, width=3)
        label = next((e.label for e in result.events if e.start <= frame.index < e.end and e.label), "event")
        pen.text((full - 4, y + _BAR - 2), printable(label)[:40], fill=_EVENT, font=font(11), anchor="rs")
    return picture


def _until(frames: Iterable[Frame], last: int) -> Generator[Frame, None, None]:
    for frame in frames:
        if frame.index > last:
            return
        yield frame
        if frame.index == last:
            return


def _save(path: Path, picture: Image.Image) -> None:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    write_whole(path, buffer.getvalue())


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)


@contextmanager
def _writer(path: Path | None, size: tuple[int, int]) -> Generator[Any, None, None]:
    """Give a function that takes pictures with their seconds, or None; the file is there when all went well."""
    if path is None:
        yield None
        return
    av = _pyav()
    part = path.with_name(f".{path.name}{PART}")
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with av.open(str(part), "w", format="webm") as container:
                try:
                    stream = container.add_stream("libvpx-vp9", rate=25)
                except ValueError:
                    raise OutputError("this PyAV has no VP9 encoder; leave the video out with --no-video") from None
                stream.width, stream.height, stream.pix_fmt = size[0], size[1] + _BAR, "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, _TICK)
                stream.options = {"deadline": "realtime", "cpu-used": "8", "crf": "34", "b": "0", "row-mt": "1"}
                yield _Encoder(av, container, stream).write
                for packet in stream.encode():
                    container.mux(packet)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@dataclass
class _Encoder:
    """Pictures into a stream; no two at the same tick."""

    av: Any
    container: Any
    stream: Any
    last: int = -1

    def write(self, picture: Image.Image, seconds: float) -> None:
        pixels: ByteArray = np.asarray(picture)
        frame = self.av.VideoFrame.from_ndarray(pixels, format="rgb24")
        self.last = frame.pts = max(self.last + 1, math.floor(seconds * _TICK + 0.5))
        frame.time_base = Fraction(1, _TICK)
        for packet in self.stream.encode(frame):
            self.container.mux(packet)


def _pyav() -> Any:
    try:
        import av
    except ModuleNotFoundError:
        raise MissingExtraError("annotated videos", "video") from None
    return av
