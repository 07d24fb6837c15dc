"""A model repository for Triton: the ONNX file, and how it is served; checked by Triton's own schema in the tests.

``config.pbtxt`` serves on processors; ``configs/NAME.pbtxt`` are the same on a GPU, with TensorRT and with OpenVINO,
and are chosen by ``tritonserver --model-config-name NAME``. Each names the kind of device that it runs on, so that
Triton chooses none by itself.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from zsad.card import ModelCard
from zsad.detector.onnx_detector import CLS, IMAGE, MAP, PATCHES, SCORE, OnnxDetector
from zsad.errors import UsageError
from zsad.files import output_errors, write_whole
from zsad.onnx_export.files import check_place, data_path, written_beside
from zsad.outputs import begins, check_folder, check_output
from zsad.outside import printable

NAME = "zsad"
"""The model's name in Triton."""
MOST = 8
"""Images that Triton puts together, at most."""
DELAY_US = 2000
"""Microseconds that the first of them waits for others."""
_HEAD = "# written by zsad export --triton"
_CPU, _GPU = (f"instance_group [ {{ kind: {kind} count: 1 }} ]" for kind in ("KIND_CPU", "KIND_GPU"))
VARIANTS = {
    "cpu": _CPU,
    "cuda": _GPU,
    "tensorrt": _GPU
    + """
optimization { execution_accelerators { gpu_execution_accelerator [ {
  name: "tensorrt"
  parameters { key: "precision_mode" value: "FP32" }
  parameters { key: "max_workspace_size_bytes" value: "1073741824" }
} ] } }""",
    "openvino": _CPU
    + """
optimization { execution_accelerators { cpu_execution_accelerator [ { name: "openvino" } ] } }""",
}
"""Where a model runs -> what its configuration says of it. TensorRT in float32: value attention overflows float16."""


def place_of(repository: Path) -> Path:
    """Return where the ONNX file of a repository lies, once nothing is in the way there.

    Raises:
        OccupiedError: files that zsad did not write.
        OutputError: the place can't be written.
    """
    check_folder(repository, "choose another --triton")
    for path in _configs(repository).values():
        check_output(path, begins(_HEAD.encode()), "choose another --triton")
    path = repository / NAME / "1" / "model.onnx"
    check_place(path)
    return path


def copied(source: Path, path: Path) -> None:
    """Copy an ONNX file to its place in a repository, with its weights if they are apart.

    Raises:
        OutputError: it can't be written.
        UsageError: it is that file itself.
    """
    if path.exists() and source.samefile(path):
        raise UsageError(f"{printable(source)}: lies in that repository already; choose another --triton")
    apart = data_path(source)
    with written_beside(path) as part:
        shutil.copyfile(source, part)
    if apart.exists():  # the graph knows them by this name
        with output_errors(path, "choose another --triton"):
            shutil.copyfile(apart, path.with_name(apart.name))


def configure(repository: Path) -> list[Path]:
    """Write the configurations for the file at :func:`place_of`; returns their paths.

    Raises:
        ModelError: the file is no model of zsad.
        OutputError: they can't be written.
    """
    detector = OnnxDetector(repository / NAME / "1" / "model.onnx")
    found = _configs(repository)
    for variant, path in found.items():
        text = config(detector.card, variant, scores=detector.scores, features=detector.carries_features)
        write_whole(path, text.encode(), output_errors(path, "choose another --triton", "try again"))
    return list(found.values())


def config(card: ModelCard, variant: str = "cpu", *, scores: bool = True, features: bool = False) -> str:
    """Return the configuration of a model as protobuf text (``inference.ModelConfig``).

    Args:
        card: of the model.
        variant: one of :data:`VARIANTS`.
        scores: whether the file gives map ``(B, S, S)`` and score ``(B,)``.
        features: whether it gives cls ``(B, D)`` and patches ``(B, L, N, D)``.
    """
    S, L, D = card.input.image_size, len(card.reading.layers), card.reading.embed_dim
    score = f'  {{ name: "{SCORE}" data_type: TYPE_FP32 dims: [ 1 ] reshape {{ shape: [ ] }} }}'  # (B,)
    given = [_tensor(MAP, [S, S]), score] if scores else []
    given += [_tensor(CLS, [D]), _tensor(PATCHES, [L, card.grid**2, D])] if features else []
    outputs = ",\n".join(given)
    warm = "\n".join(_warm(count, S) for count in (1, MOST))
    return f"""{_HEAD}: {variant}
# Input: what zsad.images.preprocess.network_input gives of an image, float32 (3, {S}, {S}).
name: "{NAME}"
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: {MOST}
input [
{_tensor(IMAGE, [3, S, S])}
]
output [
{outputs}
]
dynamic_batching {{ preferred_batch_size: [ {MOST // 2}, {MOST} ] max_queue_delay_microseconds: {DELAY_US} }}
{VARIANTS[variant]}
{warm}
"""


def _configs(repository: Path) -> dict[str, Path]:
    folder = repository / NAME
    return {"cpu": folder / "config.pbtxt"} | {
        variant: folder / "configs" / f"{variant}.pbtxt" for variant in VARIANTS if variant != "cpu"
    }


def _tensor(name: str, dims: list[int]) -> str:
    return f'  {{ name: "{name}" data_type: TYPE_FP32 dims: [ {", ".join(map(str, dims))} ] }}'


def _warm(count: int, side: int) -> str:
    return f"""model_warmup {{
  name: "batch of {count}" batch_size: {count}
  inputs {{ key: "{IMAGE}" value {{ data_type: TYPE_FP32 dims: [ 3, {side}, {side} ] zero_data: true }} }}
}}"""
