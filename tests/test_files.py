from __future__ import annotations

import errno
from pathlib import Path

import pytest

from zsad.errors import OutputError
from zsad.files import output_errors, write_whole


def test_a_file_is_replaced_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "new" / ("n" * 250)  # a name that leaves no room for an ending
    write_whole(path, b"one", synced=True)
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_was_there_stays_if_writing_fails(tmp_path, monkeypatch, error):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def fail(*_):
        raise error

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises((OutputError, KeyboardInterrupt), match=r"no space left to write; free some, then wait|^$"):
        write_whole(path, b"new", output_errors(path, again="wait"))
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"old")]


def test_remedies(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file of that name is in the way; choose another --cache"):
        write_whole(tmp_path / "file" / "x", b"", output_errors(tmp_path, "choose another --cache"))
