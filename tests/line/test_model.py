"""The model of a station: what its thresholds must fit."""

import pytest

from zsad.detector.loading import load
from zsad.errors import UsageError
from zsad.line.model import load_model
from zsad.line.settings import line_of
from zsad.thresholds import ThresholdsFile, write_thresholds
from zsad.types import Look, Thresholds


def test_thresholds_of_tiles_are_refused_where_a_station_has_none(tmp_path):
    (tmp_path / "parts").mkdir()
    configured = line_of(
        {"source": {"kind": "folder", "path": "parts"}, "thresholds": "t.json"}, tmp_path / "line.yaml"
    )
    for look, why in ((Look("auto"), "with tiles auto at 16 bits"), (Look(None, 12), "without tiles at 12 bits")):
        write_thresholds(tmp_path / "t.json", ThresholdsFile(Thresholds(0.5), look=look))
        with pytest.raises(UsageError, match=f"t.json: these thresholds were measured {why}, and a station looks"):
            load_model(configured)
        assert load_model(configured, load(tile=look.tile, bits=look.bits)).file.look == look
    write_thresholds(tmp_path / "t.json", ThresholdsFile(Thresholds(0.5), look=Look()))
    assert load_model(configured).thresholds.image == 0.5
