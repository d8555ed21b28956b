"""Writes files atomically: old content or new, never a part."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

_BLOCK = 2**24  # bytes
_PART = ".part"  # the end of a temporary file's name


def copy_whole(path: str | os.PathLike, source: Path) -> None:
    """Writes the content of another file atomically; as `write_whole`, but in blocks."""
    with source.open("rb") as file:
        write_whole(path, iter(lambda: file.read(_BLOCK), b""))


def write_whole(path: str | os.PathLike, content: bytes | memoryview | Iterable[bytes | memoryview]) -> None:
    """Writes a file atomically: a reader finds the old content or the new, never a part of either.

    `content` may come in parts. Writes a temporary file in the same folder, syncs and renames it. Follows symbolic
    links. Keeps the mode of an old file; a new one has that of the umask.

    Raises OSError if the disk is full or read-only; the old content stays. Raises ValueError for a folder, a device or
    a pipe, which a rename would replace.
    """
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path} is a folder, a device or a pipe: name a file to write")
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}{_PART}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            file.writelines([content] if isinstance(content, bytes | memoryview) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path, names: Iterable[str]) -> None:
    """Removes temporary files of these names, which a killed process left behind."""
    for name in names:
        for part in folder.glob(f".{name}.*{_PART}"):
            part.unlink(missing_ok=True)
