"""What ``POST /predict`` answers."""

from __future__ import annotations

import time
from dataclasses import replace
from io import BytesIO
from typing import Any

from fastapi import HTTPException

from zsad.errors import ZsadError
from zsad.images.preprocess import Decoded
from zsad.line.station import Station
from zsad.stream.inspect import needed_bytes
from zsad.stream.memory import check_fits
from zsad.types import Result


def prediction_of(station: Station, data: bytes) -> dict[str, Any]:
    """Return what the station would say of an image; ``verdict`` without hysteresis and k of n.

    Raises:
        HTTPException: 400, no image that can be read.
    """
    start = time.perf_counter()
    decoded, result = _looked(station, data)
    judged = station.judge.alone(result)
    return {
        "score": round(result.score, 6),
        "threshold": judged.threshold,
        "verdict": judged.verdict,
        "fired": list(judged.fired),
        "width": decoded.image.width,
        "height": decoded.image.height,
        "regions": list(judged.regions),
        "model_hash": station.loaded.hash,
        "ms": round((time.perf_counter() - start) * 1e3, 2),
    }


def overlay_of(station: Station, data: bytes) -> bytes:
    """Return the picture of what was found as PNG; errors as :func:`prediction_of`."""
    from PIL import Image

    decoded, result = _looked(station, data)
    buffer = BytesIO()
    Image.fromarray(replace(result, image=decoded.image).overlay()).save(buffer, "PNG")
    return buffer.getvalue()


def _looked(station: Station, data: bytes) -> tuple[Decoded, Result]:
    detector = station.loaded.detector
    try:
        decoded = detector.decode(data)
        check_fits("image", needed_bytes(decoded))
        return decoded, station.judge.prepared(detector.batch([decoded])[0])
    except ZsadError as error:
        raise HTTPException(400, str(error)) from None
    except MemoryError:
        raise HTTPException(400, "image: does not fit in memory") from None
