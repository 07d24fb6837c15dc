"""The repository that ``zsad export --triton`` writes, against Triton's own schema and the file itself."""

import importlib.util
from pathlib import Path

import onnxruntime as ort
import pytest
from typer.testing import CliRunner

from zsad import paths
from zsad.card import ModelCard
from zsad.cli import app
from zsad.onnx_export.triton import MOST, VARIANTS, config

TINY = paths.asset("tiny.onnx")


@pytest.fixture(scope="module")
def schema():
    """The class ``ModelConfig`` of tritonclient; its package wants grpc, the schema only protobuf."""
    tritonclient, _ = pytest.importorskip("tritonclient"), pytest.importorskip("google.protobuf")
    path = Path(tritonclient.__path__[0]) / "grpc" / "model_config_pb2.py"
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(schema, text):
    from google.protobuf import text_format

    return text_format.Parse(text, schema.ModelConfig())


def export(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)], env={"COLUMNS": "300", "TERM": "dumb"})


def test_the_repository_serves_the_file_as_it_is(tmp_path, schema):
    done = export("--triton", tmp_path / "repo")
    assert done.exit_code == 0 and "cuda, tensorrt, openvino" in done.output, done.output
    model = tmp_path / "repo" / "zsad"
    assert (model / "1" / "model.onnx").read_bytes() == TINY.read_bytes()
    session = ort.InferenceSession(model / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    for path in (model / "config.pbtxt", *sorted((model / "configs").iterdir())):
        said = read(schema, path.read_text())
        assert (said.name, said.backend, said.default_model_filename) == ("zsad", "onnxruntime", "model.onnx")
        assert [(one.name, list(one.dims)) for one in said.input] == [
            (one.name, one.shape[1:]) for one in session.get_inputs()
        ]
        shapes = {one.name: one.shape[1:] for one in session.get_outputs()}
        # A reshape to nothing: the graph's scores have no axis beside the batch, which Triton can't say otherwise.
        told = {one.name: [] if one.HasField("reshape") else list(one.dims) for one in said.output}
        assert told == shapes and set(said.dynamic_batching.preferred_batch_size) <= set(range(2, MOST + 1))
        assert {warm.batch_size for warm in said.model_warmup} == {1, MOST}
        assert [list(warm.inputs["image"].dims) for warm in said.model_warmup] == [list(said.input[0].dims)] * 2
    again = export("--triton", tmp_path / "repo")
    assert again.exit_code == 0, again.output


def test_each_variant_names_where_it_runs(schema):
    card = ModelCard.of(name="x", image_size=28, patch_size=14, embed_dim=8, layers=(1, 2))
    found = {name: read(schema, config(card, name)) for name in VARIANTS}
    kinds = {name: [schema.ModelInstanceGroup.Kind.Name(group.kind) for group in said.instance_group]
             for name, said in found.items()}  # fmt: skip
    assert kinds == {"cpu": ["KIND_CPU"], "cuda": ["KIND_GPU"], "tensorrt": ["KIND_GPU"], "openvino": ["KIND_CPU"]}
    fast = {name: said.optimization.execution_accelerators for name, said in found.items()}
    assert [one.name for one in fast["tensorrt"].gpu_execution_accelerator] == ["tensorrt"]
    assert fast["tensorrt"].gpu_execution_accelerator[0].parameters["precision_mode"] == "FP32"
    assert [one.name for one in fast["openvino"].cpu_execution_accelerator] == ["openvino"]
    assert not any((fast[name].gpu_execution_accelerator, fast[name].cpu_execution_accelerator) != ([], [])
                   for name in ("cpu", "cuda"))  # fmt: skip
    bare = read(schema, config(card, scores=False, features=True))
    assert {one.name: list(one.dims) for one in bare.output} == {"cls": [8], "patches": [2, 4, 8]}


def test_what_is_in_the_way_or_makes_no_sense_is_one_line(tmp_path):
    for words, says in (
        ((), "give --out FILE"),
        (("--out", "a.onnx", "--triton", "r"), "give --out FILE"),
        (("--triton", "r", "--int8", "--model", TINY), "takes --triton alone"),
        (("--triton", "r", "--model", tmp_path / "none.onnx"), "no such file"),
    ):
        done = export(*words)
        assert done.exit_code in (1, 2) and says in done.stderr, done.output
    config_file = tmp_path / "repo" / "zsad" / "config.pbtxt"
    config_file.parent.mkdir(parents=True)
    config_file.write_text('name: "mine"')
    done = export("--triton", tmp_path / "repo")
    assert (
        done.exit_code == 2 and "was not written by zsad" in done.stderr and config_file.read_text() == 'name: "mine"'
    )
    assert not (tmp_path / "repo" / "zsad" / "1" / "model.onnx").exists()
