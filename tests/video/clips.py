"""Small videos whose frames carry their numbers in their pixels, for every test that needs a video file.

``write_clip(path, 30)`` writes 30 frames of 64 x 48; frame ``i`` shows ``i`` as eight blocks, black or white, most
significant first, in the upper half (64 levels of grey would not outlive a codec); ``number`` reads it back. The lower
half is grey, unless ``draw`` paints it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, BITS = 64, 48, 8
CODECS = {
    ".mp4": "libx264",
    ".mov": "mpeg4",
    ".mkv": "libx264",
    ".webm": "libvpx",
    ".avi": "mpeg4",
    ".ts": "libx264",
    ".mpg": "mpeg2video",
    ".gif": "gif",
}
Draw = Callable[[int, np.ndarray], None]


def picture(index: int, draw: Draw | None = None, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """Return frame ``index``: uint8 (H, W, 3), RGB; ``draw(index, frame)`` may paint its lower half."""
    width, height = size
    frame = np.full((height, width, 3), 128, np.uint8)
    side = width // BITS
    for bit in range(BITS):
        frame[: height // 2, bit * side : (bit + 1) * side] = 255 * (index >> (BITS - 1 - bit) & 1)
    if draw is not None:
        draw(index, frame)
    return frame


def number(frame: np.ndarray | Image.Image) -> int:
    """Return which number, below 256, an upright frame of any size carries."""
    pixels = np.asarray(frame, np.float64)
    pixels = pixels.mean(axis=-1) if pixels.ndim == 3 else pixels
    row, side = pixels[: pixels.shape[0] * 3 // 8], pixels.shape[1] / BITS
    blocks = [row[1:, round((b + 0.25) * side) : round((b + 0.75) * side)].mean() for b in range(BITS)]
    return sum(int(block > 127) << (BITS - 1 - b) for b, block in enumerate(blocks))


def write_clip(
    path: Path,
    frames: int = 30,
    *,
    fps: int = 25,
    codec: str = "",
    draw: Draw | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    times: Sequence[int] | None = None,
    b_frames: int = 0,
    rotation: int = 0,
    interlaced: bool = False,
    gop: int = 12,
    first: int = 0,
    start: int = 0,
    with_audio: bool = False,
    faststart: bool = False,
) -> Path:
    """Write a clip.

    Args:
        path: its ending says in which container.
        frames: how many.
        fps: frames per second.
        codec: FFmpeg's name of the encoder, by default one that fits the container.
        draw: paints a frame, see :func:`picture`.
        size: width and height, even, of a frame as it is stored.
        times: milliseconds of each frame, ascending, for a variable frame rate.
        b_frames: most frames in a row that need a later one.
        rotation: degrees against the clock by which a player turns it, written into the file (needs PyAV 16).
        interlaced: whether it is encoded, and marked, as interlaced (top field first).
        gop: frames from one key frame to the next.
        first: number that the first frame carries.
        start: time of the first frame, in frames (or ms with ``times``).
        with_audio: a silent track beside it.
        faststart: index before the data, in MP4 and MOV, so that a part of the file can be read.
    """
    import av

    unit = Fraction(1, 1000) if times is not None else Fraction(1, fps)
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        name = codec or CODECS[path.suffix]
        stream = container.add_stream(name, rate=fps, options=_options(name, interlaced))
        stream.width, stream.height = size
        stream.pix_fmt = "rgb8" if name == "gif" else "yuv420p"
        stream.codec_context.time_base = unit
        stream.codec_context.gop_size = gop
        if name not in ("gif", "libvpx"):
            stream.codec_context.max_b_frames = b_frames
        if rotation:
            stream.set_display_rotation(rotation)
        sound = container.add_stream("aac", rate=8000) if with_audio else None
        if sound is not None:
            _silence(container, sound, seconds=frames / fps)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(first + index, draw, size), format="rgb24")
            frame.pts = start + (index if times is None else times[index])
            frame.time_base = unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_folder(folder: Path, frames: int = 12, *, first: int = 0, pattern: str = "{:03d}.png") -> Path:
    """Write a folder of numbered pictures; the first carries, and is called by, the number ``first``."""
    folder.mkdir(parents=True)
    for index in range(first, first + frames):
        Image.fromarray(picture(index)).save(folder / pattern.format(index))
    return folder


def write_sound(path: Path) -> Path:
    """Write a file with an audio stream and nothing else."""
    import av

    with av.open(str(path), "w") as container:
        _silence(container, container.add_stream("aac", rate=8000), seconds=1.0)
    return path


def cut(path: Path, share: float = 0.6, to: Path | None = None) -> Path:
    """Copy the first part of a file's bytes, as an interrupted transfer leaves it."""
    data = path.read_bytes()
    target = to or path.with_name(f"cut_{path.name}")
    target.write_bytes(data[: int(len(data) * share)])
    return target


def _options(codec: str, interlaced: bool) -> dict[str, str]:
    if codec == "libx264":
        return {"preset": "ultrafast", "crf": "18"} | ({"x264-params": "tff=1"} if interlaced else {})
    return {"flags": "+ildct+ilme", "top": "1"} if interlaced else {}


def _silence(container, stream, seconds: float) -> None:
    import av

    stream.layout = "mono"
    for at in range(0, int(seconds * 8000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, at, Fraction(1, 8000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
