"""A short form of ``benchmarks/many_files.py``: stop half way, resume, resume with nothing left."""

from __future__ import annotations

import pytest


def test_stop_and_resume_over_many_files(tmp_path):
    pytest.importorskip("psutil")
    from benchmarks import many_files

    record = many_files.measure(tmp_path, 280)
    assert record["failed_checks"] == []
    assert record["report"]["rows"] == 280 and record["report_stopped"]["rows"] >= 100
