import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.part_images import part, write_parts
from zsad.errors import UsageError

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet  # noqa: E402

from zsad.batch.inputs import listed  # noqa: E402


def names(*sources, **more):
    return [(one.id, one.error) for one in listed([str(one) for one in sources], say=lambda line: None, **more)]


def add(archive, name, data=b"x" * 100, kind=tarfile.REGTYPE, link=""):
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = len(data), kind, link
    archive.addfile(entry, io.BytesIO(data))


def test_folders_patterns_files_and_a_list_are_each_input_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_parts(tmp_path / "a", 3)
    part(tmp_path / "a" / "deep" / "d.png")
    (tmp_path / "a" / "notes.txt").write_text("x")
    paths = ["a/p0.png", None, "", "a/gone.png", str(tmp_path / "a/p2.png")]
    parquet.write_table(pa.table({"path": paths}), "l.parquet")
    assert names("a") == [(f"a/p{n}.png", "") for n in range(3)]
    assert names("a", recursive=True)[-1] == ("a/deep/d.png", "")
    assert names("a/*.png", "a", "a/p1.png") == names("a")
    assert names("l.parquet") == [("a/p0.png", ""), ("a/gone.png", ""), (str(tmp_path / "a/p2.png"), "")]
    assert names("a", "l.parquet") == [*names("a"), ("a/gone.png", "")]
    assert names("none/*.png") == [("none/*.png", "no file matches this pattern")]
    assert names("gone") == [("gone", "no such file or folder")]


def test_a_list_s_paths_are_below_its_folder(tmp_path):
    (tmp_path / "lists").mkdir()
    table = pa.table({"file": pa.array(["../a.png"]).dictionary_encode(), "n": [1]})
    parquet.write_table(table, tmp_path / "lists" / "l.parquet")
    where = str(tmp_path / "lists" / "l.parquet")
    assert names(where, column="file") == [(f"{tmp_path}/lists/../a.png", "")]
    with pytest.raises(UsageError, match=r"has no column path.*--column"):
        names(where)
    with pytest.raises(UsageError, match="column n is int64, not text"):
        names(where, column="n")


def test_a_list_that_is_none_is_one_line(tmp_path):
    where = tmp_path / "l.parquet"
    for data in (b"", b"PAR1 nonsense PAR1", b"PAR1" + bytes(200) + b"PAR1"):
        where.write_bytes(data)
        with pytest.raises(UsageError, match=r"l\.parquet"):
            names(where)
    parquet.write_table(pa.table({"path": ["a\0b"]}), where)
    with pytest.raises(UsageError, match="is no path"):
        names(where)


def test_members_of_a_shard_are_read_at_their_place_and_their_names_are_only_names(tmp_path):
    shard = str(tmp_path / "s.tar")
    with tarfile.open(shard, "w") as archive:
        add(archive, "../../etc/a.png", b"first")
        add(archive, "/abs/b.png", b"second")
        add(archive, "/abs/b.png", b"third")
        add(archive, "x" * 200 + ".png", b"long")
        add(archive, "notes.txt")
        add(archive, ".hidden.png")
        add(archive, "link.png", b"", tarfile.SYMTYPE, "/etc/passwd")
        add(archive, "hard.png", b"", tarfile.LNKTYPE, "/etc/passwd")
        add(archive, "device.png", b"", tarfile.CHRTYPE)
        add(archive, "folder.png", b"", tarfile.DIRTYPE)
        add(archive, "empty.png", b"")
    found = listed([shard], say=lambda line: None)
    tails = [one.id.removeprefix(f"{shard}::") for one in found]
    assert tails == ["../../etc/a.png", "/abs/b.png", "/abs/b.png#2", "x" * 200 + ".png", "empty.png"]
    assert {one.file for one in found} == {shard}
    with Path(shard).open("rb") as file:
        data = [os.pread(file.fileno(), one.size, one.offset) for one in found]
    assert data == [b"first", b"second", b"third", b"long", b""]
    assert [one.error for one in found] == ["", "", "", "", "empty file"]


def test_damaged_and_hostile_shards_are_rows(tmp_path):
    good, cut, packed = tmp_path / "good.tar", tmp_path / "cut.tar", tmp_path / "p.tar.gz"
    with tarfile.open(good, "w") as archive:
        add(archive, "a.png", b"a" * 2000)
        add(archive, "b.png", b"b" * 2000)
    cut.write_bytes(good.read_bytes()[:4000])
    packed.write_bytes(b"\x1f\x8b nonsense")
    assert [error != "" for _, error in names(cut)] == [False, True, True]
    assert "ends within it" in names(cut)[1][1] and "damaged archive" in names(cut)[2][1]
    assert "unpack it to a plain .tar" in names(packed)[0][1]
    (tmp_path / "no.tar").write_bytes(b"no archive at all" * 100)
    assert "damaged archive" in names(tmp_path / "no.tar")[0][1]
    entry = tarfile.TarInfo("bomb.png")
    entry.size, entry.type = 2_000_000_000, tarfile.XHDTYPE  # a header that claims two gigabytes
    (tmp_path / "bomb.tar").write_bytes(entry.tobuf() + bytes(4096))
    assert "no archive of images" in names(tmp_path / "bomb.tar")[0][1]
    entry.size, entry.type = 2_000_000_000, tarfile.REGTYPE
    (tmp_path / "large.tar").write_bytes(entry.tobuf() + bytes(4096))
    assert "larger than 1 GB" in names(tmp_path / "large.tar")[0][1]
