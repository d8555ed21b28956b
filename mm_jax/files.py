"""Writes files atomically: old content or new, never a part."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

_PART = ".part"  # the end of a temporary file's name


def write_whole(path: str | os.PathLike, *content: bytes | memoryview) -> None:
    """Writes a file from its parts, atomically: a reader finds the old content or the new, never a part of either.

    To a temporary file in the same folder, synced, and renamed; a symbolic link is followed. The mode is that of the
    file it replaces, or what the umask leaves.

    Raises OSError where the disk refuses: the old content is still there then. ValueError for what is no regular file,
    such as a device or a pipe, which would be replaced by one.
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
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path, names: Iterable[str]) -> None:
    """Removes what a process that was killed while it wrote files of these names left behind."""
    for name in names:
        for part in folder.glob(f".{name}.*{_PART}"):
            part.unlink(missing_ok=True)
