"""Word lists: finds, reads and splits them."""

import functools
import hashlib
import logging
import os
import random
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mm_jax.checks import as_list, counted
from mm_jax.shapes import MAX_BYTES, Options, decoded, expanded, lines_of, take
from mm_jax.streams import WordFile, sizes_of
from mm_jax.symbols import CHARACTERS, GRAPHEMES, has_clusters
from mm_jax.vocab import Vocab

NAMES_URL = "https://raw.githubusercontent.com/karpathy/makemore/988aa59e4d8fefa526d06f3b453ad116258398d4/names.txt"
NAMES_SHA256 = "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d"
DOWNLOAD_SECONDS = 4
_HELD_OUT = 20_000  # words of dev and of test, of a long list
SHORT = 500  # words: the dev part of a shorter list is too small for choices

_PACKAGE = Path(__file__).parent
_DATA = _PACKAGE.parent / "data"  # of a checkout; an installed wheel has none
_logger = logging.getLogger("mm_jax")


class Split(NamedTuple):
    """Three lists of words: train to learn from, dev to make choices, test to report a loss once.

    >>> Split(train=["emma", "ava"], dev=["mia"], test=["eve"]).dev
    ['mia']
    """

    train: Sequence[str]
    dev: list[str]
    test: list[str]

    @property
    def words(self) -> Sequence[str]:
        """Returns all words: train, dev, test."""
        if isinstance(self.train, WordFile):
            return self.train.whole
        return [word for part in self for word in part]


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
    def of(cls, words: Sequence[str], units: str | None = None) -> "WordList":
        """Splits words and collects their symbols; raises ValueError as `Vocab.from_words`.

        `units` None takes graphemes where one of the list has several characters, else characters.
        """
        words = as_list(words)
        if units is None:
            chars = words.chars if isinstance(words, WordFile) else set("".join(words))
            units = GRAPHEMES if has_clusters(words, chars) else CHARACTERS
        try:
            split = split_words(words)
        except ValueError:
            split = Split(list(words), [], [])
        return cls(split, Vocab.from_words(words, units))

    @property
    def is_short(self) -> bool:
        """Returns whether dev is too small for choices, so that cross-validation makes them."""
        return sum(map(len, self.split)) < SHORT

    @property
    def is_long(self) -> bool:
        """Returns whether the words lie in a file, so that what takes memory in proportion to them is left out."""
        return isinstance(self.split.train, WordFile)

    @property
    def words(self) -> Sequence[str]:
        """Returns all words: train, dev, test."""
        return self.split.words

    @property
    def tokens(self) -> int:
        """Counts the symbols of all words, ends included."""
        return sum(sizes_of(part, self.vocab.units).total for part in self.split)


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


def load_words(
    path: str | os.PathLike | None = None,
    *,
    column: int | str | None = None,
    header: bool = False,
    comment: str | None = None,
    counts: int | str | None = None,
    encoding: str | None = None,
) -> list[str]:
    """Reads the words of a text file, one a line, in order; without a path, of the file `find_words()`.

    Takes UTF-8 with any line ends, and normalises to NFC. Drops byte-order marks, surrounding blanks and blank lines.
    Keeps duplicates: they tell how common a word is.

    Args:
      path: of the file.
      column: the number, from 1 on, or the name of the column that holds the words: of a file with columns (csv, tsv,
        words with numbers), JSON, a hunspell dictionary, or one line of words. None is the whole line.
      header: whether to leave out the first line; naming a column does so too.
      comment: leaves out lines that begin with this.
      counts: the number or the name of a column of whole numbers: a word stands in the list as often as it says.
      encoding: a codec of Python, such as "utf-16"; None is UTF-8.

    Raises:
      ValueError: the path is missing, a directory, a device, too large or unreadable; the text is not UTF-8 (line and
        byte are named); no words are left; a line does not have the column, or its count is no whole number; the counts
        add up to more than 20,000,000.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "list.txt")
    >>> _ = path.write_text("emma\\n\\n  ava\\n")
    >>> load_words(path)
    ['emma', 'ava']
    >>> _ = path.write_text("name,count\\nemma,2\\nava,1\\n")
    >>> load_words(path, column="name", counts="count")
    ['emma', 'emma', 'ava']
    """
    options = Options(column, header, comment, counts, encoding).checked()
    path = find_words() if path is None else Path(path)
    return words_of(read_bytes(path), path, options)


def words_of(raw: bytes, path: Path, options: Options) -> list[str]:
    """Takes the words of a file's bytes; raises ValueError as `load_words`."""
    try:
        lines = lines_of(unicodedata.normalize("NFC", decoded(raw, options.encoding)))
        if options.whole and not options.header and options.comment is None:
            words = [word for line in lines if (word := line.strip())]
        else:
            words = expanded(take(lines, options))
    except ValueError as error:
        raise ValueError(f"{path}{', ' if str(error).startswith('line ') else ': '}{error}") from None
    if not words:
        raise ValueError(f"{path} holds no words: it should have one on each line")
    return words


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


def _split_file(words: WordFile) -> Split:
    """Splits a long list, as `split_words` says, into a new temporary file."""
    held = min(_HELD_OUT, max(1, len(words) // 10))
    chosen = random.Random(42).sample(range(len(words)), 2 * held)
    folder = Path(tempfile.mkdtemp(prefix="mm_jax-"))
    try:
        train, apart = words.parted(folder, chosen)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise ValueError(f"{words.path} cannot be split in {folder}: {error.strerror}") from None
        raise
    return Split(train, apart[:held], apart[held:])


def split_words(words: Sequence[str]) -> Split:
    """Splits words into 80% train, 10% dev and 10% test, shuffled by `random.Random(42)`: exactly the lecture's split.

    Of a long list, a `WordFile`, dev and test take 20,000 words each at most, drawn by `random.Random(42)`; train is
    the rest in its order, another `WordFile`.

    Raises ValueError for fewer than 6 words: one of the three would be empty. Source: makemore part 2.

    >>> [len(part) for part in split_words([str(number) for number in range(100)])]
    [80, 10, 10]
    """
    if isinstance(words, WordFile) and len(words) >= 6:
        return _split_file(words)
    words = list(as_list(words))  # a copy: it is shuffled
    random.Random(42).shuffle(words)
    first, second = int(0.8 * len(words)), int(0.9 * len(words))
    split = Split(words[:first], words[first:second], words[second:])
    if not all(split):
        few = f"{counted(len(words), 'word')} {'is' if len(words) == 1 else 'are'} too few"
        raise ValueError(f"{few} to split into train, dev and test: give at least 6")
    return split
