import errno
import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.line.stations import line, part, parts, run
from zsad.errors import UsageError
from zsad.line.health import Health
from zsad.line.part import AgainError, failed
from zsad.line.settings import Folder
from zsad.line.sources import folder as module
from zsad.line.sources.folder import WatchedFolder, read_whole
from zsad.stream.item import stamp_of


class Taken:
    """Takes parts as a station would."""

    def __init__(self):
        self.opened, self.again = [], 0

    def __call__(self, part, *, wait=True):
        try:
            self.opened.append(part.open())
        except AgainError:
            self.again += 1
            part.done(None)
        else:
            part.done(failed("id", part.source, self.opened[-1].error))
        return True


def drained(folder, **said):
    taken = Taken()
    WatchedFolder(Folder(folder, **({"settle_ms": 0.0, "poll_ms": 2.0} | said)), once=True).run(
        taken, threading.Event(), Health({})
    )
    return taken


def test_each_file_once_by_path_size_and_content(tmp_path):
    parts(tmp_path / "p", 3)
    (tmp_path / "p" / "notes.txt").write_text("x")
    (tmp_path / "p" / ".hidden.png").write_bytes(b"x")
    part(tmp_path / "p" / "deep", "0.png")
    taken = drained(tmp_path / "p")
    assert [one.id.split("|")[0][-8:] for one in taken.opened] == ["0000.png", "0001.png", "0002.png"]
    path, size, _ = taken.opened[0].id.split("|")
    assert path == str(tmp_path / "p" / "0000.png") and int(size) == (tmp_path / "p" / "0000.png").stat().st_size
    assert len(drained(tmp_path / "p", recursive=True).opened) == 4
    again = part(tmp_path / "p", "0000.png", 101)
    assert drained(tmp_path / "p").opened[0].id != taken.opened[0].id and again.is_file()


def test_a_file_counts_when_it_is_whole(tmp_path):
    target, whole = tmp_path / "p", part(tmp_path, "whole.png").read_bytes()
    target.mkdir()
    taken, stop = Taken(), threading.Event()
    source = WatchedFolder(Folder(target, settle_ms=150.0, poll_ms=5.0))
    thread = threading.Thread(target=source.run, args=(taken, stop, Health({})))
    thread.start()
    with (target / "a.png").open("wb") as file:
        for start in range(0, len(whole), 200):
            file.write(whole[start : start + 200])
            file.flush()
            time.sleep(0.02)
    deadline = time.monotonic() + 5
    while not taken.opened and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert [one.data for one in taken.opened] == [whole]


def test_what_changes_while_it_is_read_is_given_again(tmp_path):
    path = part(tmp_path, "a.png")
    stamp = stamp_of(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(AgainError):
        read_whole(path, stamp)
    gone = read_whole(tmp_path / "gone.png", "12-1-1")
    assert gone.image is None and "can't be read" in gone.error and gone.id.endswith("gone.png|12|-")


def test_a_recorded_file_can_be_deleted_but_never_its_successor(tmp_path):
    parts(tmp_path / "p", 2)
    drained(tmp_path / "p", after="delete")
    assert list((tmp_path / "p").iterdir()) == []


def test_what_nobody_could_look_at_is_never_deleted(tmp_path, monkeypatch):
    parts(tmp_path / "parts", 1)
    (tmp_path / "parts" / "torn.png").write_bytes(b"no image")
    run(line(tmp_path, source={"kind": "folder", "path": "parts", "settle_ms": 0, "poll_ms": 5, "after": "delete"}))
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["torn.png"]


@pytest.mark.parametrize(("patience", "tries", "unread"), [(20.0, 4, 0), (-1.0, 1, 1)])
def test_a_file_that_can_t_be_read_now_is_tried_again_before_it_is_a_row(
    tmp_path, monkeypatch, patience, tries, unread
):
    monkeypatch.setattr("zsad.line.sources.folder._PASSING_S", patience)
    parts(tmp_path / "p", 1)
    failures, read = [], Path.read_bytes

    def full(path):
        failures.append(path)
        if len(failures) < 4:
            raise OSError(errno.EMFILE, "Too many open files")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", full)
    taken = drained(tmp_path / "p")
    assert len(failures) == tries
    assert [one.id.endswith("|-") for one in taken.opened] == [bool(unread)]


def test_a_folder_that_is_not_there(tmp_path):
    source = WatchedFolder(Folder(tmp_path / "no"))
    with pytest.raises(UsageError, match="no such folder"):
        source.check()
    health, stop = Health({}), threading.Event()
    thread = threading.Thread(target=source.run, args=(Taken(), stop, health))
    thread.start()
    time.sleep(0.05)
    assert [alarm.kind for alarm in health.alarms.standing] == ["source"]
    (tmp_path / "no").mkdir()
    time.sleep(0.3)
    stop.set()
    thread.join()
    assert health.alarms.standing == []


def test_a_restart_reads_only_what_is_new(tmp_path, monkeypatch):
    read, whole = [], module.read_whole

    def noted(path, *rest):
        read.append(path.name)
        return whole(path, *rest)

    monkeypatch.setattr(module, "read_whole", noted)
    parts(tmp_path / "parts", 3)
    found = run(line(tmp_path))
    assert read == ["0000.png", "0001.png", "0002.png"] and run(line(tmp_path)) == found and len(read) == 3
    size = (tmp_path / "parts" / "0001.png").stat().st_size
    (tmp_path / "parts" / "0001.png").write_bytes((tmp_path / "parts" / "0002.png").read_bytes().ljust(size, b" "))
    parts(tmp_path / "parts", 1, first=3)
    again = run(line(tmp_path))
    assert read[3:] == ["0001.png", "0003.png"] and len(again) == 5
    with sqlite3.connect(tmp_path / "station.sqlite") as db:
        db.execute("delete from files")
    assert run(line(tmp_path)) == again and len(read) == 9  # read, and known by what they hold
    assert run(line(tmp_path)) == again and len(read) == 9


def test_of_too_many_files_that_stay_an_alarm_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MANY", 1)
    parts(tmp_path / "parts", 2)
    source, health, stop = module.WatchedFolder(Folder(tmp_path / "parts", settle_ms=0)), Health({}), threading.Event()
    assert any("set after: delete" in warning for warning in source.check())
    assert not module.WatchedFolder(Folder(tmp_path / "parts", after="delete")).check()
    thread = threading.Thread(target=source.run, args=(lambda part: True, stop, health))
    thread.start()
    end = time.monotonic() + 20
    while not health.alarms.standing and time.monotonic() < end:
        time.sleep(0.01)
    stop.set()
    thread.join()
    assert [alarm.kind for alarm in health.alarms.standing] == ["folder"]
