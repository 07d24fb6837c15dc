"""Stage 1, image -> network input: the only decode, resize and normalise in the project.

PIL bicubic and numpy are bit-identical to CLIP's own transform; OpenCV, kornia and torch resizes are not.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from zsad.card import ModelCard
from zsad.errors import InputError
from zsad.types import FloatArray, ImageLike

MIN_SIDE = 8
"""Smallest side of an image in pixels."""
MAX_ASPECT = 8.0
"""Largest ratio of the sides of an image that is squeezed into one square."""
MAX_PIXELS = 256_000_000
"""Largest number of pixels that is decoded; a larger one is refused as a decompression bomb."""


@dataclass(frozen=True)
class Decoded:
    """An image in memory, ready to be resized.

    Attributes:
        image: PIL image of mode ``L``, ``RGB`` or ``RGBA``, upright.
        name: where it came from, or ``""``.
        notes: conversions that were made, one phrase each.
    """

    image: Image.Image
    name: str = ""
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """``(H, W)`` in pixels."""
        return self.image.height, self.image.width


def decode(source: ImageLike, *, bits: int = 16, orient: bool = True) -> Decoded:
    """Decode a path, PIL image or array to an 8-bit image, fully read into memory.

    Args:
        source: path; PIL image of any mode; uint8 ``(H, W, 3)`` RGB or ``(H, W)`` grey; uint16 ``(H, W)``;
            float ``(H, W)`` or ``(H, W, 3)`` in [0, 1].
        bits: significant bits of 16-bit images: values are scaled by ``255 / (2**bits - 1)``, the same for
            every image, never stretched to its own range. In 8..16.
        orient: apply the EXIF orientation; off where a mask is paired pixel by pixel.

    Returns:
        The decoded image with notes of what was converted.

    Raises:
        InputError: unreadable, truncated, empty, too small, too large, or values out of range.
    """
    if isinstance(source, str | Path):
        name = str(source)
        with _named_errors(name), Image.open(source) as opened:
            return _from_pil(opened, name, bits, orient)
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "")
        with _named_errors(name or "PIL image"):
            return _from_pil(source, name, bits, orient)
    if isinstance(source, np.ndarray):
        return _from_array(source, bits)
    raise InputError(f"{type(source).__name__} is not an image: give a path, a PIL image or a numpy array")


def network_input(image: Image.Image, card: ModelCard) -> FloatArray:
    """Resize to S x S and normalise, as CLIP does.

    Args:
        image: mode ``L``, ``RGB`` or ``RGBA``.
        card: gives ``image_size`` S, ``mean`` and ``std``.

    Returns:
        float32 ``(3, S, S)``, RGB, channel-wise ``(x / 255 - mean) / std``.

    Source: CLIP's transform: bicubic resize in the image's own mode, RGB, scale, normalise.
    """
    side = card.image_size
    resized = image if image.size == (side, side) else image.resize((side, side), Image.Resampling.BICUBIC)
    pixels = np.asarray(resized.convert("RGB"), dtype=np.float32) / np.float32(255)  # (S, S, 3)
    normalised = (pixels - np.asarray(card.mean, np.float32)) / np.asarray(card.std, np.float32)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))  # (3, S, S)


def _from_pil(image: Image.Image, name: str, bits: int, orient: bool) -> Decoded:
    _check_size(image.width, image.height, name or "image")
    notes: list[str] = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"first of {image.n_frames} frames")  # type: ignore[attr-defined]
        image.seek(0)
    image.load()
    if orient and image.getexif().get(0x0112, 1) not in (0, 1):
        image = ImageOps.exif_transpose(image)
        notes.append("EXIF orientation applied")
    if image.mode.startswith(("I", "F")):
        decoded = _from_array(np.asarray(image), bits, name)
        return Decoded(decoded.image, name, (*notes, *decoded.notes))
    converted, note = _to_eight_bit(image)
    return Decoded(converted, name, (*notes, note) if note else tuple(notes))


def _to_eight_bit(image: Image.Image) -> tuple[Image.Image, str]:
    """Convert any 8-bit mode to L, RGB or RGBA; PIL's bicubic would fall back to nearest in the others."""
    if image.mode in ("L", "RGB", "RGBA"):
        # copy() detaches from the file; it also drops nothing that the resize reads.
        return image.copy(), ""
    if image.mode == "1":
        return image.convert("L"), "1-bit read as grey"
    if image.mode == "P":
        target = "RGBA" if "transparency" in image.info else "RGB"
        return image.convert(target), f"palette read as {target}"
    if image.mode in ("LA", "La", "PA", "RGBa"):
        return image.convert("RGBA"), f"{image.mode} read as RGBA"
    return image.convert("RGB"), f"{image.mode} read as RGB"


def _from_array(array: np.ndarray[Any, Any], bits: int, name: str = "") -> Decoded:
    where = name or "array"
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] == 3):
        raise InputError(f"{where}: shape {array.shape} is not an image; give (H, W) or (H, W, 3) in RGB order")
    _check_size(array.shape[1], array.shape[0], where)
    if array.dtype == np.uint8:
        return Decoded(Image.fromarray(np.ascontiguousarray(array)), name)
    if np.issubdtype(array.dtype, np.floating):
        return Decoded(_from_float(array, where), name, ("float scaled by 255",))
    if np.issubdtype(array.dtype, np.integer) and array.ndim == 2:
        return Decoded(_from_wide(array, bits, where), name, (f"{bits}-bit scaled by 1/{(2**bits - 1) / 255:g}",))
    raise InputError(f"{where}: dtype {array.dtype} is not supported; give uint8, uint16 grey, or float in [0, 1]")


def _from_float(array: np.ndarray[Any, Any], where: str) -> Image.Image:
    if not np.isfinite(array).all():
        raise InputError(f"{where}: contains NaN or infinite values; clean the array first")
    if array.min() < 0 or array.max() > 1:
        raise InputError(
            f"{where}: float values reach from {array.min():.4g} to {array.max():.4g}; scale them to [0, 1]"
        )
    return Image.fromarray(np.rint(array * 255.0).astype(np.uint8))


def _from_wide(array: np.ndarray[Any, Any], bits: int, where: str) -> Image.Image:
    if not 8 <= bits <= 16:
        raise InputError(f"{where}: bits must lie in 8..16, got {bits}")
    top = 2**bits - 1
    low, high = int(array.min()), int(array.max())
    if low < 0 or high > top:
        raise InputError(f"{where}: values reach from {low} to {high}, outside of {bits} bits; give the right bits")
    return Image.fromarray(np.rint(array.astype(np.float32) * np.float32(255.0 / top)).astype(np.uint8))


def _check_size(width: int, height: int, where: str) -> None:
    if min(width, height) < MIN_SIDE:
        raise InputError(f"{where}: {width} x {height} px is too small; each side needs at least {MIN_SIDE} px")
    if width * height > MAX_PIXELS:
        raise InputError(f"{where}: {width} x {height} px is above the limit of {MAX_PIXELS:,} px; cut it up first")


def check_aspect(width: int, height: int, where: str) -> None:
    """Refuse an image so long that squeezing it into a square hides defects.

    Raises:
        InputError: the ratio of the sides is above ``MAX_ASPECT``.
    """
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InputError(f"{where}: {width} x {height} px is longer than {MAX_ASPECT:g}:1; use tiles (--tile N)")


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a bad file into one line that names it."""
    try:
        with warnings.catch_warnings():
            # Size is checked by _check_size; PIL's own advice on odd metadata is not for the user.
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"{name}: is a folder, not an image") from None
    except PermissionError:
        raise InputError(f"{name}: not allowed to read it; check its permissions") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: {_why_not_an_image(name)}") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name}: too many pixels, refused as a decompression bomb; cut it up first") from None
    except MemoryError:
        raise InputError(f"{name}: does not fit in memory; cut it up first") from None
    except Exception as error:  # decoders raise anything: SyntaxError, struct.error, IndexError, ...
        detail = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{name}: damaged or truncated image ({detail}); save it again") from None


def _why_not_an_image(name: str) -> str:
    try:
        empty = Path(name).stat().st_size == 0
    except OSError:
        empty = False
    return "empty file" if empty else "not an image that can be read; give PNG, JPEG, TIFF, WebP or BMP"
