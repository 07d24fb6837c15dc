"""Which images a dataset keeps for training, in each of the forms that has such a split."""

import json

import pytest

from tests.data.original_forms import image, text, write_dagm, write_mvtec_ad, write_visa
from zsad.data.catalog import CATALOG
from zsad.data.spec import DataSpec, load_samples
from zsad.data.training_split import training_images


@pytest.mark.parametrize(("name", "write"), [("visa", write_visa), ("dagm", write_dagm), ("mvtec-ad", write_mvtec_ad)])
def test_original_forms(tmp_path, name, write):
    write(tmp_path)
    if name == "dagm":  # that of every other class is anomalous
        image(tmp_path / "Class1" / "Train" / "0577.PNG")
    spec = DataSpec("d", name, tmp_path)
    found = training_images(spec)
    assert set(found) == ({"Class1"} if name == "dagm" else set(CATALOG[name].classes))
    assert all(len(paths) == 1 and paths[0].is_file() for paths in found.values())
    assert not {path for paths in found.values() for path in paths} & {s.image for s in load_samples(spec).samples}


def test_lists(tmp_path):
    for name in ("a", "b", "c"):
        image(tmp_path / f"{name}.png", ord(name))
    text(
        tmp_path / "list.csv",
        "image,label,class,split\na.png,good,bolt,Train\nb.png,bad,bolt,train\nc.png,good,bolt,\n",
    )
    spec = DataSpec("d", "csv", tmp_path / "list.csv")
    assert training_images(spec) == {"bolt": [tmp_path / "a.png"]}
    assert [sample.image.name for sample in load_samples(spec).samples] == ["c.png"]
    record = {"img_path": "a.png", "mask_path": "", "cls_name": "bolt", "specie_name": "", "anomaly": 0}
    meta = {"train": {"bolt": [record]}, "test": {"bolt": [record | {"img_path": "c.png"}]}}
    (tmp_path / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    for layout in ("meta", "visa"):  # a dataset in the form of AnomalyCLIP's scripts
        assert training_images(DataSpec("d", layout, tmp_path)) == {"bolt": [tmp_path / "a.png"]}
    assert training_images(DataSpec("d", "folders", tmp_path)) == {}
