"""Files are written whole or not at all."""

import os
import stat

import pytest

from mm_jax import files


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "deep" / "file"
    for content in (b"one", b"another"):
        files.write_whole(path, content)
        assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["file"]


def test_where_the_disk_refuses_the_old_content_stays(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_whole(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_links_are_followed_and_modes_are_kept(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    files.write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/null"):
        with pytest.raises(ValueError, match="name a file to write"):
            files.write_whole(path, b"new")


def test_parts_of_a_killed_process_are_removed(tmp_path):
    for name in (".words.txt.0a1b.part", ".words.txt.mine", ".other.0a1b.part", "words.txt"):
        (tmp_path / name).write_bytes(b"")
    files.remove_parts(tmp_path, ["words.txt"])
    assert sorted(os.listdir(tmp_path)) == [".other.0a1b.part", ".words.txt.mine", "words.txt"]
