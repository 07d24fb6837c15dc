"""What the camera does: uneven light, contrast, grey and false-colour looks, blur, noise, JPEG; pixels stay put."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from zsad.synthetic.noise import TAU, chance, enlarge, grain, grid, log_uniform, radius, uniform
from zsad.synthetic.sites import Window
from zsad.types import ByteArray, FloatArray


@dataclass(frozen=True)
class Camera:
    """One camera setting, drawn once per scene.

    Attributes:
        gain: light over the view, ``(h, w)``.
        bend: the tone curve: above 0 the share of the square root, which lifts shadows, below 0 that of the square.
        contrast: factor around mid grey.
        lift: added after contrast.
        balance: factor per channel, ``(3, 1, 1)``.
        look: "colour", "grey", "infrared", "xray" or "thermal".
        blur: radius in pixels, 0 for none.
        noise: standard deviation in [0, 1].
        quality: JPEG quality, 0 for none.
        coarse: factor by which the picture was enlarged from a smaller one, 1 for none.
    """

    gain: FloatArray
    bend: float
    contrast: float
    lift: float
    balance: FloatArray
    look: str
    blur: float
    noise: float
    quality: int
    coarse: float


def draw_camera(rng: np.random.Generator, h: int, w: int, look: str | None = None) -> Camera:
    """A random setting; ``look`` fixes the kind of picture."""
    gain = enlarge(rng.normal(1, rng.choice([0.02, 0.05, 0.12]), (3, 3)).astype(np.float32), h, w)
    if chance(rng, 0.3):
        x, _ = grid(h, w, uniform(rng, 0, TAU))
        gain += x * np.float32(rng.uniform(0.1, 0.8) / max(h, w))
    if chance(rng, 0.25):
        gain *= 1 - np.square(radius(h, w, w / 2, h / 2) * np.float32(1.4 / max(h, w))) * np.float32(
            rng.uniform(0.1, 0.6)
        )
    if look is None:
        look = str(rng.choice(["colour", "grey", "infrared", "xray", "thermal"], p=[0.72, 0.21, 0.03, 0.03, 0.01]))
    low = chance(rng, 0.15)
    return Camera(
        gain=gain,
        bend=uniform(rng, -0.6, 0.5),
        contrast=uniform(rng, 0.35, 0.7) if low else uniform(rng, 0.8, 1.25),
        lift=float(rng.normal(0, 0.08 if low else 0.03)),
        balance=(1 + rng.normal(0, 0.04, (3, 1, 1))).astype(np.float32),
        look=look,
        blur=log_uniform(rng, 0.3, 1.4) * max(h, w) / 256 if chance(rng, 0.4) else 0.0,
        noise=log_uniform(rng, 0.003, 0.045) if chance(rng, 0.65) else 0.0,
        quality=int(rng.integers(40, 96)) if chance(rng, 0.3) else 0,
        coarse=uniform(rng, 1.3, 2.6) if chance(rng, 0.1) else 1.0,
    )


def tone(camera: Camera, image: FloatArray, box: Window | None = None) -> FloatArray:
    """The pointwise effects on an image or a window of it: planar RGB in, planar RGB or grey in [0, 1] out."""
    gain = camera.gain if box is None else camera.gain[box]
    if camera.look == "colour":
        out = image * gain
        out *= camera.balance
    elif camera.look == "infrared":
        out = image[:1] * (gain * np.float32(0.7)) + np.float32(0.25)
    else:
        red, green, blue = (image[k : k + 1] * np.float32(share) for k, share in enumerate((0.299, 0.587, 0.114)))
        out = np.clip((red + green + blue) * gain, 0, 1)
        if camera.look == "xray":
            out = 1 - out
        elif camera.look == "thermal":
            out = np.concatenate([out * 1.6, np.square(out) * 1.2, 0.5 - np.abs(out - np.float32(0.3))])
    np.clip(out, 0, 1, out=out)
    # Instead of a power, which takes longer than everything else here.
    bent = np.sqrt(out) if camera.bend > 0 else np.square(out)
    bent *= np.float32(camera.contrast * abs(camera.bend))
    out *= np.float32(camera.contrast * (1 - abs(camera.bend)))
    out += bent
    out += np.float32(0.5 + camera.lift - 0.5 * camera.contrast)
    return np.clip(out, 0, 1, out=out)


def expose(rng: np.random.Generator, camera: Camera, image: FloatArray) -> ByteArray:
    """The rest of the chain on a toned image: blur, noise, eight bits, JPEG; planar float to ``(h, w, 3)`` uint8."""
    h, w = image.shape[1:]
    if camera.noise and not camera.blur:
        image = image + grain(rng, h, w) * np.float32(camera.noise)
    flat = image * np.float32(255)
    flat += np.float32(0.5)
    flat = np.clip(flat, 0, 255, out=flat).astype(np.uint8)
    if not (camera.blur or camera.quality) and camera.coarse == 1:
        out = np.empty((h, w, 3), np.uint8)
        for channel in range(3):
            out[..., channel] = flat[channel % len(flat)]
        return out
    bands = [Image.fromarray(band) for band in flat]
    picture = bands[0] if len(bands) == 1 else Image.merge("RGB", bands)
    if camera.coarse > 1:
        less = (max(int(w / camera.coarse), 8), max(int(h / camera.coarse), 8))
        picture = picture.resize(less, Image.Resampling.BOX).resize((w, h), Image.Resampling.BICUBIC)
    if camera.blur:
        picture = picture.filter(ImageFilter.BoxBlur(camera.blur))
        if camera.blur > 0.8:
            picture = picture.filter(ImageFilter.BoxBlur(camera.blur * 0.7))
        if camera.noise:
            speckle = (grain(rng, h, w) * np.float32(camera.noise * 255)).astype(np.int16)
            noisy = np.asarray(picture).astype(np.int16)
            noisy += speckle if noisy.ndim == 2 else speckle[..., None]
            picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    if camera.quality:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=camera.quality)
        picture = Image.open(file)
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))
