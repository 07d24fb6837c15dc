import time
from pathlib import Path

import numpy as np
import pytest

from zsad.line import drifting as module_of_drift
from zsad.line import health as module
from zsad.line.drifting import Drifting
from zsad.line.health import Alarms, Health
from zsad.line.part import Record
from zsad.line.sinks.archive import ArchiveFolder, retain
from zsad.line.sinks.settings import Archive
from zsad.thresholds import Good, ThresholdsFile
from zsad.types import Result, Thresholds


def test_alarms_begin_and_end_once():
    alarms = Alarms()
    alarms.rise("drift", "higher")
    alarms.rise("drift", "higher still")
    alarms.tell("clock", "set")
    news = alarms.news()
    assert [(one.kind, one.text, one.ended) for one in news] == [
        ("drift", "higher", False), ("clock", "set", False), ("clock", "set", True)
    ]  # fmt: skip
    assert alarms.news() == [] and [one.kind for one in alarms.standing] == ["drift"]
    alarms.put_back(news)
    alarms.end("drift")
    alarms.end("drift")
    assert [one.ended for one in alarms.news()] == [False, False, True, True]


def test_latency_and_counts():
    health = Health({"ok": 3}, budget_ms=150)
    for ms in range(1, 201):
        health.note("ok", ms)
    values = np.arange(1, 201)
    found = health.latency()
    assert [found[name] for name in ("p50", "p95", "p99")] == pytest.approx(
        [np.quantile(values, q) for q in (0.5, 0.95, 0.99)], abs=0.06
    )
    assert health.misses == 50 and health.counts["ok"] == 203 and health.total == 203


def test_the_rate_is_that_of_the_last_minute_however_high(monkeypatch):
    moment = 1000.25
    monkeypatch.setattr(module.time, "monotonic", lambda: moment)
    health = Health({})
    for second in range(180):
        moment = 1000.25 + second
        for _ in range(100 if second < 90 else 40):
            health.note("ok", 5)
    assert health.rate == pytest.approx(40, rel=0.02)
    moment += 50
    assert health.rate == pytest.approx(40 * 10 / 60, rel=0.05)


def test_a_clock_that_is_set_is_an_alarm_and_a_stalled_loop_is_dead(monkeypatch):
    shift = 0.0
    monkeypatch.setattr(module.time, "time", lambda: 1e9 + shift)
    health = Health({})
    health.beat()
    health.alarms.news()
    shift = 3600.0
    health.beat()
    assert [one.kind for one in health.alarms.news()] == ["clock", "clock"]
    health.beat()
    assert health.alarms.news() == [] and health.alive
    assert health.careful_time < 1e9 + 60  # nothing is old enough to be removed, because the clock was set
    shift = -3600.0
    assert health.careful_time == 1e9 + shift
    monkeypatch.setattr(module, "ALIVE_S", -1.0)
    assert not health.alive


def drifted(scores, rule="score"):
    rng = np.random.default_rng(0)
    good = tuple(rng.uniform(0.1, 0.3, 60).tolist())
    file = ThresholdsFile(Thresholds(image=0.5, pixel=0.5, rule=rule), good=Good(good, good))
    alarms = Alarms()
    watching = Drifting(file, alarms)
    for score in scores(rng):
        result = Result(score, np.full((4, 4), score, np.float32))
        watching.add(Record("a", "b", "c", score, 0.5, "ok"), result)
    return [alarm.kind for alarm in alarms.standing]


@pytest.mark.parametrize("rule", ["score", "region"])
def test_the_drift_alarm_rises_with_drift_and_not_without(rule):
    assert drifted(lambda rng: rng.uniform(0.1, 0.3, 300), rule) == []
    assert drifted(lambda rng: rng.uniform(0.25, 0.45, 300), rule) == ["drift"]


def test_the_drift_alarm_ends_when_parts_are_as_before(monkeypatch):
    monkeypatch.setattr("zsad.line.drifting.QUIET", 200)
    both = ((0.25, 0.45, 300), (0.1, 0.3, 600))
    assert drifted(lambda rng: np.concatenate([rng.uniform(*part) for part in both])) == []
    assert drifted(lambda rng: np.concatenate([rng.uniform(*part) for part in both[::-1]])) == ["drift"]


def test_false_alarms_of_drift_have_one_budget_for_the_whole_run(monkeypatch):
    monkeypatch.setattr("zsad.line.drifting.WATCHED", 2)
    given, watch = [], module_of_drift.DriftWatch
    monkeypatch.setattr(module_of_drift, "DriftWatch", lambda good, **said: given.append(said) or watch(good, **said))
    drifted(lambda rng: rng.uniform(0.1, 0.3, 400))
    assert len(given) == 201 and 0.009 < sum(said["alarm"] for said in given) < 0.01


def test_without_good_parts_nothing_is_watched():
    assert not Drifting(None, Alarms()).watches
    assert not Drifting(ThresholdsFile(Thresholds(image=0.5)), Alarms()).watches


def test_what_an_archive_keeps(tmp_path):
    now = time.mktime((2026, 11, 30, 12, 0, 0, 0, 0, 0))
    for day in ("2026-11-01", "2026-11-28", "2026-11-29"):
        for n in range(3):
            path = tmp_path / day / f"1200{n:02d}.000-ok-0123456789ab.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"x" * 1000)
    (tmp_path / "2026-11-28" / "notes.txt").write_bytes(b"x" * 10_000)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "old.png").write_bytes(b"x" * 10_000)
    assert retain(tmp_path, 10, 1, now) == 3 and not (tmp_path / "2026-11-01").exists()
    assert retain(tmp_path, 10, 4.5e-6, now) == 2
    kept = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert kept == ["2026-11-28/120002.000-ok-0123456789ab.png",
                    *(f"2026-11-29/1200{n:02d}.000-ok-0123456789ab.png" for n in range(3)),
                    "mine/old.png"]  # fmt: skip
    assert not (tmp_path / "2026-11-01").exists() and (tmp_path / "2026-11-28" / "notes.txt").exists()


def test_an_image_that_can_t_be_removed_is_an_alarm_and_holds_up_no_other(tmp_path, monkeypatch):
    (tmp_path / "2026-11-01").mkdir()
    for n in range(3):
        (tmp_path / "2026-11-01" / f"1200{n:02d}.000-ok-0123456789ab.png").write_bytes(b"x")
    unlink = Path.unlink

    def refused(path, missing_ok=False):
        if path.name.startswith("120000"):
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    archive, health = ArchiveFolder(Archive(tmp_path, days=0)), Health({})
    archive._health = health
    archive._retain()
    assert [alarm.text for alarm in health.alarms.standing] == [
        f"{tmp_path}: old images can't be removed (Permission denied)"
    ]
    assert [path.name[:6] for path in tmp_path.rglob("*.png")] == ["120000"]
    monkeypatch.setattr(Path, "unlink", unlink)
    archive._retain()
    assert not health.alarms.standing and not list(tmp_path.iterdir())
