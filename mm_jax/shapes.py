"""Says what a file with a list looks like, and takes the words from it as options say.

`found` names what is not one word a line (an encoding, columns, a header, comments), each in one line with the option
that takes it; `take` takes the words. `mm-jax check` and every command that reads a list use both.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from mm_jax.checks import counted
from mm_jax.fields import SEEN, Kind, Line, Row, asked_kind_of, kind_of, suspected_comment
from mm_jax.symbols import FIX

ALL = "all"  # the column that is the whole line
MAX_WORDS = 20_000_000  # with counts
MAX_BYTES = 2**28  # of a file
_PREVIEW = 3  # words shown in a message
_COUNT = re.compile(r"\d{1,18}|\d{1,3}(,\d{3}){1,5}")
_COUNT_NAMES = {"count", "counts", "freq", "frequency", "n", "number", "occurrences", "total", "anzahl", "nombre"}
_WORD_NAMES = """name names word words town towns city cities place places title titles label text first_name firstname
forename surname last_name lastname given_name nickname vorname nachname wort stadt ort prénom prenom nom mot ville
palabra ciudad nome parola città naam woord plaats namn ord id rank gender sex year country language value"""
HEADINGS = {*_WORD_NAMES.split(), *_COUNT_NAMES, "first name", "last name", "given name"} - {"n"}


class Options(NamedTuple):
    """How the words of a file are taken.

    Attributes:
      column: number or name of the column with the words; None and "all" are the whole line.
      header: whether the first line is left out; a name as column or counts says so too.
      comment: what begins a line that is left out.
      counts: number or name of the column that says how often a word counts.
      encoding: a codec of Python; None is UTF-8.
    """

    column: int | str | None = None
    header: bool = False
    comment: str | None = None
    counts: int | str | None = None
    encoding: str | None = None

    @property
    def whole(self) -> bool:
        """Returns True if a word is a whole line."""
        return self.column is None or self.column == ALL

    def checked(self) -> "Options":
        """Returns the options; raises ValueError for those that contradict each other, or mean nothing."""
        for name, value in (("column", self.column), ("counts", self.counts)):
            if value is not None and (value == "" or (not isinstance(value, str) and not _is_number(value))):
                raise ValueError(f"{name} is {value!r}: give the number of a column, from 1 on, or its name")
        if self.counts is not None and self.whole:
            raise ValueError("counts stand in a column of their own: give the column of the words too")
        if self.counts is not None and self.counts == self.column:
            raise ValueError(f"column {self.column} cannot hold both the words and their counts")
        if self.comment is not None and not self.comment.strip():
            raise ValueError("comment is blank: give what begins a comment, such as #")
        try:
            "".encode(self.encoding or "utf-8")
        except (LookupError, ValueError):
            raise ValueError(f"encoding {self.encoding!r} is not known: give utf-16 or windows-1252, say") from None
        return self


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


PLAIN = Options()


class Taken(NamedTuple):
    """A word with its line and its count; or a line that has none, with the problem."""

    line: int
    word: str
    times: int = 1
    problem: str = ""


class Finding(NamedTuple):
    """Something about a file, in one line; where it `refuses`, the file cannot be read without an option."""

    kind: str
    text: str
    refuses: bool


def take(lines: Sequence[str], options: Options) -> Iterator[Taken]:
    """Takes the words of a file's lines, blank ones too, in order.

    Raises ValueError for columns that the file does not have.

    >>> [taken.word for taken in take(["name;n", "Anna;2"], Options(column="name"))]
    ['Anna']
    """
    body = _body(lines, options)
    if options.whole:
        for number, line in body[options.header and bool(body) :]:
            yield Taken(number, line.strip())
        return
    if not body:
        return
    kind = asked_kind_of(body)
    rows = kind.rows(body) if kind else [Row(number, [line.strip()]) for number, line in body]
    names = [field.strip() for field in rows[0].fields] if rows else []
    column, counts = _place(options.column, names), _place(options.counts, names)
    named = isinstance(options.column, str) or isinstance(options.counts, str)
    for row in rows[options.header or named or (kind is not None and kind.headed) :]:
        yield _taken(row, column, counts)


def _body(lines: Sequence[str], options: Options) -> list[Line]:
    """Returns the lines with their numbers, without blank ones and comments."""
    mark = options.comment
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return numbered if mark is None else [line for line in numbered if not line[1].lstrip().startswith(mark)]


def _place(column: int | str | None, names: Sequence[str]) -> int:
    """Returns the place of a column, from 0 on; -1 for none. Raises ValueError for a name that is not there."""
    if not isinstance(column, str):
        return -1 if column is None else column - 1
    column = unicodedata.normalize("NFC", column)
    if column not in names:
        shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise ValueError(f"no column is named {column!r}: the first line has {shown}")
    return names.index(column)


def _taken(row: Row, column: int, counts: int) -> Taken:
    """Returns the word of a row, on one line, and its count."""
    lacking = [place + 1 for place in (column, counts) if place >= len(row.fields)]
    if lacking:
        has = counted(len(row.fields), "column")
        return Taken(row.line, "", 0, f"no column {lacking[0]}, it has {has} ({', '.join(row.fields)[:40]!r})")
    word = " ".join(row.fields[column].split("\n")).strip()
    if counts < 0:
        return Taken(row.line, word)
    text = row.fields[counts].strip()
    if not _COUNT.fullmatch(text):
        return Taken(row.line, "", 0, f"{text[:40]!r} in column {counts + 1} is no count, a whole number")
    return Taken(row.line, word, int(text.replace(",", "")))


def expanded(taken: Iterable[Taken]) -> list[str]:
    """Returns the words, each as often as it counts: many references to one str.

    Raises ValueError for a line with a problem, and beyond MAX_WORDS or MAX_BYTES.

    >>> expanded([Taken(1, "Anna", 2), Taken(2, "Ida")])
    ['Anna', 'Anna', 'Ida']
    """
    entries = []
    for entry in taken:
        if entry.problem:
            raise ValueError(f"line {entry.line}: {entry.problem}: mend it, or {FIX} leaves such lines out")
        if entry.word and entry.times:
            entries.append(entry)
    total = sum(entry.times for entry in entries)
    size = sum(entry.times * (len(entry.word.encode(errors="replace")) + 1) for entry in entries)
    times = max(total / MAX_WORDS, size / MAX_BYTES)
    if total > len(entries) and times > 1:
        raise ValueError(
            f"the counts add up to {total:,} words of {size >> 20:,} MiB, more than {MAX_WORDS:,} words or "
            f"{MAX_BYTES >> 20} MiB: divide the counts, by {int(times) + 1} or more"
        )
    words: list[str] = []
    for entry in entries:
        words.extend([entry.word] * entry.times)
    return words


def decoded(raw: bytes, encoding: str | None) -> str:
    """Decodes the text of a file; raises ValueError, with line and byte, where it has another encoding."""
    try:
        return raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        start = error.start
        line = raw.count(b"\n", 0, start) + 1
        remedy = "give its encoding" if encoding else f"save it as UTF-8, or {FIX} leaves such lines out"
        raise ValueError(
            f"line {line}: byte {start + 1} of the file (0x{raw[start]:02x}) is not {encoding or 'UTF-8'}: {remedy}"
        ) from None
    except ValueError as error:
        raise ValueError(f"it is not {encoding}: {error}") from None


def lines_of(text: str) -> list[str]:
    """Splits a text into lines, at any line ends; without byte-order marks."""
    # Joined files hold byte-order marks in the middle too. All are removed: otherwise a word would change when it is
    # saved as the first line and read again.
    return text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def found(raw: bytes, options: Options) -> list[Finding]:
    """Names what is not one word a line and has no option yet, the encoding first; empty for a plain list.

    >>> [finding.kind for finding in found(b"Anna,100\\nIda,96", Options())]
    ['columns']
    """
    findings, encoding = [], options.encoding
    if encoding is None and (other := _encoding_of(raw)):
        findings.append(other[0])
        encoding = other[1]
        if not encoding:
            return findings
    try:
        text = raw.decode(encoding or "utf-8", errors="replace" if encoding is None else "strict")
    except ValueError:
        return findings  # `decoded` says where
    if options.column == ALL:
        return findings
    body = _body(lines_of(text), options)
    if not body:
        return findings
    findings += _comments(body)
    if options.column is not None:
        return [*findings, *_left(body, asked_kind_of(body), options)]
    if kind := kind_of(body):
        return [*findings, _shape(body, kind, options)]
    if tabs := [number for number, line in body if "\t" in line.strip()]:
        text = (
            f"{counted(len(tabs), 'line')} with a tab inside, first line {tabs[0]}: --column 1 takes what is before it"
        )
        findings.append(Finding("tabs", f"{text}; --column {ALL} takes the lines as they are", False))
    first = body[0][1].strip()
    if not options.header and len(body) > 1 and first.casefold() in HEADINGS:
        findings.append(_header(body[0][0], first))
    return findings


def _header(line: int, text: str) -> Finding:
    return Finding("header", f"line {line} looks like a header, {text[:60]!r}: --header skips it", False)


_NO_TEXT = (
    *(b"PK\x03\x04", b"%PDF-", b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"{\\rtf"),
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8"),  # pictures
)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _encoding_of(raw: bytes) -> tuple[Finding, str] | None:
    """Finds another encoding than UTF-8: the finding, and the codec, "" where there is no text. None for UTF-8."""
    if raw.startswith(_NO_TEXT):
        what = "no text, but an Office, zip, gzip or PDF file, or a picture: save its words as a text"
        return Finding("no text", what, True), ""
    codec = next((codec for mark, codec in _MARKS if raw.startswith(mark)), "")
    if not codec and (start := raw[: 2 * SEEN]).count(0) * 4 > len(start):  # of Latin text every other byte is 0
        codec = "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    if codec:
        return Finding("encoding", f"{codec[:6].upper()}, not UTF-8: give --encoding {codec}", True), codec
    lines = raw.replace(b"\r", b"\n").split(b"\n")
    others = [line for line in lines if not line.isascii() and not _is_utf8(line)]
    if not others or any(not line.isascii() and _is_utf8(line) for line in lines):
        return None  # a mixture is refused line by line
    try:
        read = others[0].decode("windows-1252").strip()
    except UnicodeDecodeError:
        return None
    text = f"not UTF-8, perhaps Windows-1252, where line {lines.index(others[0]) + 1} reads {read[:40]!r}"
    text += ": give --encoding windows-1252, or another that reads well"
    return Finding("encoding", text, True), "windows-1252"


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _comments(body: Sequence[Line]) -> Iterator[Finding]:
    """Yields a finding for lines that look like comments."""
    if mark := suspected_comment(body):
        lines = [line for line in body if line[1].lstrip().startswith(mark)]
        begin = "1 line begins" if len(lines) == 1 else f"{len(lines):,} lines begin"
        text = f"{begin} with {mark}, the first is line {lines[0][0]}: --comment '{mark}' skips them"
        yield Finding("comments", text, False)


def _shape(body: Sequence[Line], kind: Kind, options: Options) -> Finding:
    """Returns the finding for a kind, with the options that take its words."""
    rows, headed = _rows(body, kind, options)
    data = rows[headed:] or rows
    column = _word_column(data)
    names = [field.strip() for field in rows[0].fields] if headed else []
    numbers = _count_columns(data, column, names)
    # A name needs the first row to name all columns, each otherwise.
    named = headed and len(set(names)) == len(names) and all(name and not name.isdecimal() for name in names)
    give = [f"give --column {_quoted(names[column]) if named else column + 1}"]
    give[0] += " --header" if headed and not named and not kind.headed else ""
    if numbers:
        place = _quoted(names[numbers[0]]) if named else numbers[0] + 1
        give.append(f"--counts {place} if that column counts the words")
    width = max(len(row.fields) for row in data)
    looks = kind.title + (f", {counted(width, 'column')}" if kind.name == "columns" and kind.evident else "")
    looks += f" ({', '.join(names)})" if named and len(names) < 9 else " under a header line" if headed else ""
    words = [row.fields[column].strip() for row in data[: _PREVIEW + 1] if column < len(row.fields)]
    shown = ", ".join(word[:30] for word in words[:_PREVIEW]) + (", ..." if len(words) > _PREVIEW else "")
    whole = f"--column {ALL} if each line is a word" if kind.evident else f"--column {ALL} if not"
    if not kind.evident:
        looks = f"each line is a word, but perhaps these are {looks}"
    text = "; ".join([f"{looks}: {give[0]} for {shown}", *give[1:], whole])
    return Finding(kind.name, text, kind.evident)


def _quoted(name: str) -> str:
    """Returns a name as a shell takes it."""
    return name if re.fullmatch(r"[\w.-]+", name) else "'" + name.replace("'", "'\\''") + "'"


def _left(body: Sequence[Line], kind: Kind | None, options: Options) -> Iterator[Finding]:
    """Yields what a given column leaves open: a header line, and a column of counts."""
    rows, headed = _rows(body, kind, options) if kind else ([], False)
    if not rows:
        return
    by_name = isinstance(options.column, str) or isinstance(options.counts, str)
    names = [field.strip() for field in rows[0].fields]
    if isinstance(options.column, str) and options.column not in names:  # `take` says so
        return
    if headed and not (options.header or by_name or (kind and kind.headed)):
        yield _header(rows[0].line, ", ".join(names))
    numbers = _count_columns(rows[headed:], _place(options.column, names), names if headed else [])
    if options.counts is None and numbers:
        place = _quoted(names[numbers[0]]) if by_name else numbers[0] + 1
        text = f"column {numbers[0] + 1} holds whole numbers: --counts {place} if they count the words"
        yield Finding("counts", text, False)


def _rows(body: Sequence[Line], kind: Kind, options: Options) -> tuple[list[Row], bool]:
    """Returns the rows of the first lines, without suspected comments, and whether the first is a header."""
    mark = suspected_comment(body)
    lines = [line for line in body if mark is None or not line[1].lstrip().startswith(mark)]
    rows = [row for row in kind.rows(lines if kind.name == "json" else lines[:SEEN]) if row.fields]
    return rows, kind.headed or ((options.header or _has_header(rows)) and len(rows) > 1)


def _has_header(rows: Sequence[Row]) -> bool:
    """Returns True if the first row names columns: known names, or no number above a column of numbers."""
    first, rest = [field.strip() for field in rows[0].fields], rows[1:]
    if not rest or any(_COUNT.fullmatch(field) for field in first):
        return False
    return any(field.casefold() in HEADINGS for field in first) or any(
        all(place < len(row.fields) and _COUNT.fullmatch(row.fields[place].strip()) for row in rest)
        for place in range(len(first))
    )


def _columns(rows: Sequence[Row]) -> list[list[str]]:
    """Returns the fields of each column that most rows have."""
    width = Counter(len(row.fields) for row in rows).most_common(1)[0][0]
    return [[row.fields[place].strip() for row in rows if place < len(row.fields)] for place in range(width)]


_CODE = 3  # characters of a code


def _word_column(rows: Sequence[Row]) -> int:
    """Returns the first column that mostly holds words, neither numbers nor nothing; 0 if none does.

    Codes, such as those of countries, are passed over: short, of one length, beside a column of longer words.
    """
    found = {
        place: [len(field) for field in column]
        for place, column in enumerate(_columns(rows))
        if 2 * sum(bool(re.search(r"[^\s\d.,:+-]", field)) for field in column) > len(column)
    }
    longer = [place for place, sizes in found.items() if max(sizes) > _CODE]
    codes = [place for place, sizes in found.items() if len(set(sizes)) == 1 and max(sizes) <= _CODE]
    return next((place for place in found if place not in codes or not longer), 0)


def _count_columns(rows: Sequence[Row], words: int, names: Sequence[str]) -> list[int]:
    """Returns the columns of whole numbers other than 1, 2, 3, ...; first one whose name says so, then the last."""
    places = []
    saying = [place for place, name in enumerate(names) if name.casefold() in _COUNT_NAMES]
    for place, column in enumerate(_columns(rows)):
        if place != words and all(_COUNT.fullmatch(field) for field in column):
            values = [int(field.replace(",", "")) for field in column]
            if place in saying or len(values) < 3 or any(b - a != 1 for a, b in pairwise(values)):
                places.append(place)
    return sorted(places, key=lambda place: (place not in saying, -place))
