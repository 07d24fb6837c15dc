from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from zsad.scoring import DirectionScorer

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 64, "layers": 3, "head_width": 32},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="session")
def random_id(tmp_path_factory) -> str:
    """Id of a small CLIP with seeded random weights and a text tower."""
    path = tmp_path_factory.mktemp("random") / "small.json"
    path.write_text(json.dumps(CONFIG))
    return f"random:{path}"


def _content(module) -> bytes:
    """Digest of a module: classes, values and settings of everything in it."""
    digest = hashlib.sha256()
    for name, part in module.named_modules():
        digest.update(f"{name} {type(part)}".encode())
        for key, value in vars(part).items():
            if key in ("_parameters", "_buffers"):
                for inner, tensor in value.items():
                    digest.update(f"{inner} {tensor is not None and tensor.dtype}".encode())
                    digest.update(b"" if tensor is None else tensor.detach().contiguous().numpy().tobytes())
            elif key != "_modules":
                digest.update(f"{key} {value!r}".encode())
    return digest.digest()


@pytest.fixture(scope="session", autouse=True)
def _traced_once():
    """Tracing takes torch 6 s of work: each different graph is traced once, and tests get copies of it."""
    write = pytest.importorskip("zsad.onnx_export.write")
    from onnxscript import ir

    trace, traced = write.trace, {}

    def once(backbone, head, opset, *, features=False):
        key = (_content(backbone), _content(head), backbone.image_size, opset, features)
        if key not in traced:
            traced[key] = ir.to_proto(trace(backbone, head, opset, features=features))
        return ir.from_proto(traced[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "trace", once)
        yield


@pytest.fixture(scope="session")
def detector(random_id):
    """Torch detector with two feature layers, one dual and one plain, and a fused score."""

    from zsad.backbone import load_backbone
    from zsad.detector.torch_detector import TorchDetector
    from zsad.prompt.ensemble import text_vectors

    backbone = load_backbone(random_id, image_size=96, layers=(1, 3), vv_blocks=2)
    card = backbone.card(sigma=3.0, score_rule="fused(0.4)", prompt="clean | broken", layer_weights=(0.25, 0.75))
    vectors = text_vectors(backbone, "clean", "broken")
    card = card.changed(image_threshold=0.6, calibrated=True, details={**card.provenance.details, "note": "ünï"})
    return TorchDetector(backbone, DirectionScorer(vectors, card), card)


@pytest.fixture(scope="session")
def exported(detector, tmp_path_factory) -> Path:
    """The same as an ONNX file with stored phrases."""
    from zsad.onnx_export import export
    from zsad.onnx_export.recipe import Store, phrase_book

    book = phrase_book(detector.backbone, Store(("industrial",), ("screw",), ("clean", "broken", "a red square")))
    return export(detector, tmp_path_factory.mktemp("exported") / "small.onnx", phrases=book).path


@pytest.fixture(scope="session")
def photos() -> list[np.ndarray]:
    """Colour, grey and 16-bit grey, of different sizes."""
    rng = np.random.default_rng(3)
    return [
        rng.integers(0, 256, (80, 120, 3), dtype=np.uint8),
        rng.integers(0, 256, (64, 40), dtype=np.uint8),
        rng.integers(0, 65536, (100, 90), dtype=np.uint16),
        np.tile(np.linspace(0, 255, 96).astype(np.uint8), (96, 1)),
    ]
