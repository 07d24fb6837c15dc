"""What a run does not read of its folders is named and counted; a path that is not there costs nothing."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from zsad.cli import app
from zsad.stream import find_images


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            Image.new("RGB", (32, 32), "grey").save(root / name)
        else:
            (root / name).write_bytes(b"\0" * 16)
    return root


def listed(root, **options):
    said: list[str] = []
    items = find_images([root], say=said.append, **options)
    return sorted(item.label for item in items if not item.error), said, [i.error for i in items if i.error]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_files_of_another_kind_and_folders_are_named_and_counted(tmp_path):
    make(tmp_path, "ok.png", "a.heic", "b.dcm", "c", "sub/d.png", ".hidden", "Thumbs.db", "@eaDir/ok.png")
    labels, said, errors = listed(tmp_path)
    assert labels == ["ok.png"] and not errors
    assert said == ["3 files of another kind: a.heic, b.dcm, c", "1 sub-folder: sub/; --recursive looks into them"]
    assert listed(tmp_path, recursive=True)[:2] == (["ok.png", "sub/d.png"], said[:1])
    done = run("detect", tmp_path)
    assert done.exit_code == 0 and "not read: 3 files of another kind: a.heic, b.dcm, c" in done.stderr


def test_many_are_counted_and_not_all_spelt_out(tmp_path):
    make(tmp_path, "ok.png", *(f"{i:03d}.heic" for i in range(40)))
    (line,) = listed(tmp_path)[1]
    assert line.startswith("40 files of another kind: 000.heic, 001.heic") and line.endswith("007.heic and more")


LAYOUTS = {
    "mvtec": (["test/dent/0.png", "test/good/0.png"], ["ground_truth/dent/0_mask.png"]),
    "pairs": (["images/0.png"], ["masks/0.png"]),
    "VisA": (["Data/Images/0.png"], ["Data/Masks/0.png"]),
    "beside": (["0.png"], ["0_mask.png"]),
    "DAGM": (["Test/0001.png"], ["Test/Label/0001_label.png"]),
    "capitals": (["test/0.png"], ["Ground_Truth/0_MASK.png"]),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_masks_of_a_layout_are_no_parts(tmp_path, kind):
    images, masks = LAYOUTS[kind]
    make(tmp_path, *images, *masks)
    labels, said, _ = listed(tmp_path, recursive=True)
    assert labels == sorted(images)
    assert (
        len(said) == 1 and said[0].startswith("1 mask: ") and said[0].endswith("--include-masks reads them as images")
    )
    assert listed(tmp_path, recursive=True, masks=True)[:2] == (sorted(images + masks), [])


@pytest.mark.parametrize("names", [["masks/0.png"], ["masks/a/0.png", "masks/b/0.png"], ["0_mask.png", "1_mask.png"]])
def test_masks_that_are_all_there_is_are_read(tmp_path, names):
    make(tmp_path, *names)  # respirators, say
    assert listed(tmp_path, recursive=True)[0] == sorted(names)


def test_a_folder_of_masks_that_is_named_itself_is_read(tmp_path):
    make(tmp_path, "test/0.png", "ground_truth/dent/0_mask.png")
    assert listed(tmp_path / "ground_truth", recursive=True)[0] == ["dent/0_mask.png"]
    assert listed(tmp_path / "ground_truth" / "dent")[0] == ["0_mask.png"]


def test_the_command_scores_no_masks_unless_asked(tmp_path):
    make(tmp_path, "test/0.png", "ground_truth/0_mask.png")

    def files(*more):
        rows = run("detect", tmp_path, "-r", "--json", "-", *more).stdout.splitlines()
        return [json.loads(row)["file"] for row in rows]

    assert len(files()) == 1 and len(files("--include-masks")) == 2


# ---- paths and names with a slip


def test_a_path_with_a_slip_makes_nothing(tmp_path, monkeypatch):
    make(tmp_path, "parts/0.png")
    monkeypatch.chdir(tmp_path)
    done = run("detect", "prats", "--out", "out")
    assert done.exit_code == 2 and "prats: no such file or folder (did you mean parts?)" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]
    assert "did you mean parts/0.png?" in run("detect", "parts/O.png").stderr
    # One of several is that one's row.
    assert run("detect", "parts", "prats").exit_code == 1


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["detect", "parts", "--model", "tny"], "model tny: is not known (did you mean tiny?)"),
        (["detect", "parts", "--model", "tiny.onx"], "did you mean tiny?"),
        (["detect", "parts", "--model", "modle.onnx"], "modle.onnx: no such file (did you mean model.onnx?)"),
        (["detect", "parts", "--prompt", "industral"], "did you mean industrial?"),
        (["eval", "--data", "mvtek:parts"], "did you mean mvtec"),
        (["eval", "--data", "folders:prats"], "no such folder (did you mean parts?)"),
        (["eval", "--data", "csv:lst.csv"], "no such file (did you mean list.csv?)"),
        (["data", "check", "vsia", "parts"], "did you mean visa or"),
    ],
)
def test_names_with_a_slip_get_near_ones(tmp_path, monkeypatch, arguments, said):
    make(tmp_path, "parts/0.png", "model.onnx", "list.csv")
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code in (1, 2) and said in done.stderr and "missing" not in done.stderr
    assert done.stderr.count("\n") == 1
