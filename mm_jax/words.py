"""Word lists: finds, reads and splits them."""

import functools
import hashlib
import logging
import os
import random
import stat
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mm_jax.checks import as_list
from mm_jax.vocab import Vocab

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
DOWNLOAD_SECONDS = 4
MAX_BYTES = 2**28
BYTE_ORDER_MARK = "\ufeff"

_PACKAGE = Path(__file__).parent
_DATA = _PACKAGE.parent / "data"  # of a checkout; an installed wheel has none
_logger = logging.getLogger("mm_jax")


class Split(NamedTuple):
    """Three lists of words: train to learn from, dev to make choices, test to report a loss once.

    >>> Split(train=["emma", "ava"], dev=["mia"], test=["eve"]).dev
    ['mia']
    """

    train: list[str]
    dev: list[str]
    test: list[str]


class WordList(NamedTuple):
    """A list of words with its split and its vocabulary.

    If the words are too few for three lists, `split.train` holds all of them.

    >>> found = WordList.of(["emma", "ava"])
    >>> found.split.train, found.vocab.chars
    (['emma', 'ava'], '.aemv')
    """

    split: Split
    vocab: Vocab

    @classmethod
    def of(cls, words: Sequence[str]) -> "WordList":
        """Splits words and collects their characters; raises ValueError as `Vocab.from_words`."""
        try:
            split = split_words(words)
        except ValueError:
            split = Split(list(as_list(words)), [], [])
        return cls(split, Vocab.from_words(words))

    @property
    def words(self) -> list[str]:
        """Returns all words: train, dev, test."""
        return [word for part in self.split for word in part]

    @property
    def characters(self) -> int:
        """Counts the characters of all words, ends included."""
        return sum(len(word) + 1 for part in self.split for word in part)


def find_words() -> Path:
    """Returns the file that `load_words()` reads.

    Tries in this order: `find_names()`; a verified download of names.txt into the user's cache (one try, a few
    seconds); the bundled list of given names, with a warning.
    """
    return find_names() or _download() or bundled_names()


def find_names() -> Path | None:
    """Looks for names.txt in `data/` of the checkout and in the folder `$MM_JAX_DATA`; None if it is in neither."""
    folders = [_DATA]
    if named := os.environ.get("MM_JAX_DATA"):
        folders.append(Path(named))
    return next((folder / "names.txt" for folder in folders if (folder / "names.txt").is_file()), None)


def is_names(path: Path) -> bool:
    """Returns True for the lecture's names.txt, whose figures are known."""
    return hashlib.sha256(path.read_bytes()).hexdigest() == NAMES_SHA256


def bundled_names() -> Path:
    """Returns the path of the given names that come with mm_jax."""
    installed = _PACKAGE / "given_names.txt"
    return installed if installed.is_file() else _PACKAGE.parent / "data" / "given_names.txt"


@functools.cache
def _download() -> Path | None:
    """Downloads names.txt, once a process; on any failure warns and returns None."""
    import pooch  # slow to import; only a first run without names.txt needs it

    pooch.get_logger().setLevel("WARNING")
    fetch: Any = pooch.HTTPDownloader(timeout=DOWNLOAD_SECONDS)
    cache = pooch.os_cache("mm_jax")
    try:
        return Path(pooch.retrieve(NAMES_URL, f"sha256:{NAMES_SHA256}", "names.txt", cache, downloader=fetch))
    except Exception as error:  # no network, no such page, another file than expected, an unwritable cache
        _logger.warning(
            "names.txt could not be downloaded (%s): using the bundled given names instead. "
            "To use it, put names.txt into %s.",
            type(error).__name__,
            "data/ or into the folder that MM_JAX_DATA names" if _DATA.is_dir() else "a folder that MM_JAX_DATA names",
        )
        return None


def load_words(path: str | os.PathLike | None = None) -> list[str]:
    """Reads the words of a text file, one a line, in order; without a path, of the file `find_words()`.

    Takes UTF-8 with any line ends, and normalises to NFC. Drops byte-order marks, surrounding blanks and blank lines.
    Keeps duplicates: they tell how common a word is.

    Raises:
      ValueError: the path is missing, a directory, a device, too large or unreadable; the text is not UTF-8 (line and
        byte are named); no words are left.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "list.txt")
    >>> _ = path.write_text("emma\\n\\n  ava\\n")
    >>> load_words(path)
    ['emma', 'ava']
    """
    path = find_words() if path is None else Path(path)
    words = [word for line in read_lines(path) if (word := line.strip())]
    if not words:
        raise ValueError(f"{path} holds no words: it should have one on each line")
    return words


def read_lines(path: str | os.PathLike) -> list[str]:
    """Reads the lines of a UTF-8 text file, normalised to NFC; raises ValueError as `load_words`."""
    path = Path(path)
    raw = read_bytes(path)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start
        line = raw.count(b"\n", 0, start) + 1
        raise ValueError(
            f"{path}, line {line}: byte {start + 1} of the file (0x{raw[start]:02x}) is not UTF-8: save it as UTF-8"
        ) from None
    # Joined files hold byte-order marks in the middle too. All are removed: otherwise a word would change when it is
    # saved as the first line and read again.
    text = text.replace(BYTE_ORDER_MARK, "")
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n")


def read_bytes(path: Path) -> bytes:
    """Reads the bytes of a file or a pipe; raises ValueError for anything else, and for more than MAX_BYTES."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        else:
            kind = "a directory" if stat.S_ISDIR(mode) else "a device or a socket"
            raise ValueError(f"{path} is {kind}: name a text file with one word on each line")
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{path} does not exist: name a text file with one word on each line") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES >> 20} MiB, the limit: give a part of it")
    return raw


def split_words(words: Sequence[str]) -> Split:
    """Splits words into 80% train, 10% dev and 10% test, shuffled by `random.Random(42)`: exactly the lecture's split.

    Raises ValueError for fewer than 6 words: one of the three would be empty. Source: makemore part 2.

    >>> [len(part) for part in split_words([str(number) for number in range(100)])]
    [80, 10, 10]
    """
    words = list(as_list(words))  # a copy: it is shuffled
    random.Random(42).shuffle(words)
    first, second = int(0.8 * len(words)), int(0.9 * len(words))
    split = Split(words[:first], words[first:second], words[second:])
    if not all(split):
        raise ValueError(f"{len(words)} words are too few to split into train, dev and test: give at least 6")
    return split
