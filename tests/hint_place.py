"""A folder with everything that the commands of ``test_hints_run`` name: drawn parts, models of a few kilobytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fakes import write_class
from tests.part_images import part
from zsad.line.database import Database, Message

SMALL = Path(__file__).with_name("detector") / "small.onnx"
SUITE = """
name: two
resolution: model
runs:
  - name: one
    detector: {model: small.onnx}
    datasets: [ksdd, mpdd]
"""


def noise(path: Path, seed: int, size: tuple[int, int] = (40, 30)) -> None:
    """Write a picture of ``size`` (W, H) that is unlike every other seed's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(60, 200, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def build(place: Path) -> Path:
    """Fill a folder; returns it."""
    for i in range(4):
        noise(place / "good" / f"{i}.png", i)
    for i in range(2):
        noise(place / "parts" / f"{i}.png", 10 + i)
        noise(place / "more" / f"{i}.png", 20 + i)
    part(place / "deep" / "a.png")
    part(place / "deep" / "below" / "b.png")
    part(place / "deepest" / "below" / "b.png")
    part(place / "part.png")
    part(place / "large.png", size=(160, 120))
    part(place / "thin.png", size=(1700, 25))
    write_class(place / "nuts" / "nut", seed=1)
    write_class(place / "bolts" / "bolt", seed=2)
    for name in ("0.png", "0_mask.png"):
        part(place / "masked" / name)
    part(place / "set" / "deeper" / "0_mask.png")
    (place / "broken").mkdir()
    (place / "broken" / "0.png").write_bytes(b"")
    (place / "my models").mkdir()
    (place / "empty" / "one.parts").mkdir(parents=True)
    (place / "old.jsonl").write_text('{"file": "a.png", "score": 0.5, "anomalous": false}\n', encoding="utf-8")
    write_class(place / "turned" / "nut", n_good=1, n_bad=2, size=(40, 40), seed=3)
    for path in (place / "turned" / "nut" / "test" / "spot").iterdir():
        exif = Image.Exif()
        exif[0x0112] = 3  # orientation: upside down
        picture = Image.open(path)
        picture.save(path, exif=exif)
    left = Database(place / "station.sqlite")
    left.commit([], [Message("mqtt", "alarms", "a", "{}")])
    left.close()
    marked = "".join(f"good/{i}.png,good\n" for i in range(4))
    (place / "right.csv").write_text(f"path,mark\n{marked}", encoding="utf-8")
    (place / "odd").mkdir()
    (place / "odd" / "card.json").write_text("{}", encoding="utf-8")
    (place / "odd" / "memory.safetensors").write_bytes(b"x")
    (place / "older").mkdir()
    (place / "older" / "card.json").write_text('{"kind": "zsad bundle", "format": 0}', encoding="utf-8")
    (place / "older" / "memory.safetensors").write_bytes(b"x")
    for name in ("kept/nuts/nut/nut/test/good/000.png.npy",
                 "results.csv", "taken.jsonl", "taken.json", "foreign/report.html", "foreign/one.json", "foreign/0.txt",
                 "seen/overlay/own.png", "other/card.json"):  # fmt: skip
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("written by hand\n", encoding="utf-8")
    for i in range(30):
        (place / "nuts" / "nut" / "test" / "good" / f"note{i}.txt").write_text("", encoding="utf-8")
    (place / "limit.json").write_text(json.dumps({"image": 0.5, "pixel": 0.5}), encoding="utf-8")
    (place / "tiled.yaml").write_text(
        "source: {kind: folder, path: parts}\nmodel: small.onnx\nthresholds: tiled.json\n", encoding="utf-8"
    )
    (place / "suite.yaml").write_text(SUITE, encoding="utf-8")
    (place / "marks.csv").write_text("path,mark\ngood/0.png,good\nnone.png,bad\n", encoding="utf-8")
    (place / "mine.csv").write_text("name,start,end,label\nclip,1,3,fire\n", encoding="utf-8")
    (place / "scores").mkdir()
    np.save(place / "scores" / "clip.npy", np.arange(4.0))
    shutil.copy(SMALL, place / "small.onnx")
    return place


def with_features(target: Path, *, scores: bool = True) -> None:
    """Write small.onnx with its features as outputs, as ``zsad export --features`` would; without ``scores`` alone."""
    import onnx
    from onnx import helper

    model = onnx.load(SMALL)
    graph = model.graph
    shape = onnx.numpy_helper.from_array(np.array([0, 1, 8, 16], np.int64), "hint_shape")
    spatial = onnx.numpy_helper.from_array(np.array([2, 3], np.int64), "hint_spatial")
    graph.initializer.extend([shape, spatial])
    layers = []
    for name in ("first", "second"):
        layers.append(f"{name}_layer")
        graph.node.append(helper.make_node("Reshape", [f"{name}_unit", "hint_shape"], [f"{name}_flat"]))
        graph.node.append(helper.make_node("Transpose", [f"{name}_flat"], [layers[-1]], perm=[0, 1, 3, 2]))
    graph.node.append(helper.make_node("Concat", layers, ["patches"], axis=1))
    graph.node.append(helper.make_node("ReduceMean", ["first_unit", "hint_spatial"], ["pooled"], keepdims=0))
    graph.node.append(helper.make_node("LpNormalization", ["pooled"], ["cls"], axis=1, p=2))
    if not scores:
        del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("cls", onnx.TensorProto.FLOAT, ["batch", 8]))
    graph.output.append(helper.make_tensor_value_info("patches", onnx.TensorProto.FLOAT, ["batch", 2, 16, 8]))
    onnx.save(model, target)
