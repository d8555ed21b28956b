"""Splits a file that is not one word a line into rows of fields: columns, JSON, hunspell, one line, bullets.

`kind_of` looks at the first lines and says which of these they are; its `rows` splits all of them. Lines come with
their numbers, without blank ones.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

Line = tuple[int, str]
SEEN = 5000  # lines that a kind is found by
COMMENTS = re.compile(r"#(?!\ufe0f)|//|;")  # #\ufe0f begins a keycap emoji
_BLANKS = "  "  # two or more, of columns that stand below each other
_DELIMITERS = {
    "\t": "tab-separated",
    ";": "semicolon-separated",
    ",": "comma-separated",
    "|": "separated by |",
    _BLANKS: "aligned by blanks",
}
_CONSISTENT = 0.95  # share of the rows that have as many fields as most
_LEAST_FIELDS, _LEAST_BLANKS = 3, 5  # of one line, between separators and between blanks


class Row(NamedTuple):
    """The fields of a line, or of an entry of a JSON file, and its number."""

    line: int
    fields: list[str]


class Kind(NamedTuple):
    """A kind of file. Where it is not evident, the lines may be words all the same."""

    name: str
    title: str
    rows: Callable[[Sequence[Line]], list[Row]]
    evident: bool = True
    headed: bool = False  # the first row always holds the names of the columns


def kind_of(lines: Sequence[Line]) -> Kind | None:
    """Finds the kind of a file by its first lines; None for one word a line.

    >>> kind_of([(1, "Anna,100"), (2, "Bertha,96")]).title
    'comma-separated'
    >>> kind_of([(1, "Anna"), (2, "Bertha")])
    """
    comment = suspected_comment(lines)
    body = [line for line in lines if comment is None or not line[1].lstrip().startswith(comment)]
    if not body:
        return None
    seen = body[:SEEN]
    first = _json(body) or _hunspell(seen, len(body)) or _one_line(body)
    if first:
        return first
    found = [kind for kind in (*_columns(seen), *_marked(seen)) if kind]
    return next((kind for kind in found if kind.evident), found[0] if found else None)


def asked_kind_of(lines: Sequence[Line]) -> Kind | None:
    """Finds the kind of a file that has columns as a user says: the first separator in any line, if no other is found.

    >>> asked_kind_of([(1, "Anna,100")]).title
    'comma-separated'
    """
    if kind := kind_of(lines):
        return kind
    standing = (mark for mark in _DELIMITERS if any(mark in line for _, line in lines))
    mark = next(standing, None)
    return None if mark is None else Kind("columns", _DELIMITERS[mark], partial(_columns_rows, mark))


def suspected_comment(lines: Sequence[Line]) -> str | None:
    """Returns the mark, such as #, that begins some of the lines but not most; None where there is none."""
    tally = Counter(found[0] for _, line in lines if (found := COMMENTS.match(line.lstrip())))
    mark, count = tally.most_common(1)[0] if tally else ("", 0)
    return mark if 0 < count <= len(lines) / 2 else None


def _json(lines: Sequence[Line]) -> Kind | None:
    ends = lines[0][1].lstrip()[:1] + lines[-1][1].rstrip()[-1:]
    if ends not in ("[]", "{}") or not (rows := _json_rows(lines)):
        return None
    return Kind("json", "JSON", _json_rows, headed=rows[0].line == 0)


def _json_rows(lines: Sequence[Line]) -> list[Row]:
    """Returns the entries of a JSON file, after a row 0 of names where they are objects; none for any other file."""
    try:
        try:
            value = json.loads("\n".join(line for _, line in lines))
        except ValueError:
            value = [json.loads(line) for _, line in lines]  # one object a line
            if not all(isinstance(entry, dict) for entry in value):
                return []
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list)]
        value = lists[0] if len(lists) == 1 else [[name, part] for name, part in value.items()]
    head: list[Row] = []
    objects = [entry for entry in value if isinstance(entry, dict)]
    if objects and len(objects) == len(value):
        names = list(dict.fromkeys(name for entry in objects for name in entry))
        head, value = [Row(0, names)], [[entry.get(name) for name in names] for entry in objects]
    rows = [Row(n, list(map(_text, entry if isinstance(entry, list) else [entry]))) for n, entry in enumerate(value, 1)]
    return [*head, *rows] if any(row.fields for row in rows) else []


def _text(value: Any) -> str:
    """Returns a JSON value as a field."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


_FLAGS = re.compile(r"\S/[^\s/]+(\s|$)")
_MORPHOLOGY = re.compile(r"\t.*|\s+[a-z]{2}:\S.*")


def _hunspell(lines: Sequence[Line], total: int) -> Kind | None:
    """Finds a number on the first line which is that of the others, or words with /FLAGS after it."""
    first, rest = lines[0][1].strip(), [line.strip() for _, line in lines[1:]]
    if not re.fullmatch("[0-9]{1,9}", first) or len(rest) < _LEAST_FIELDS:
        return None
    counted = abs(int(first) - (total - 1)) <= total // 10
    flagged = sum(bool(_FLAGS.search(line)) for line in rest) * 5 > len(rest)
    if not (counted or flagged) or sum(line.isdecimal() for line in rest) * 2 > len(rest):
        return None
    return Kind("hunspell", "the number of words on the first line, as in a hunspell dictionary", _hunspell_rows)


def _hunspell_rows(lines: Sequence[Line]) -> list[Row]:
    """Returns the words and their flags, without the first number."""
    first = next((i for i, (_, line) in enumerate(lines) if line.strip().isdecimal()), None)
    rows = []
    for number, line in (line for i, line in enumerate(lines) if i != first):
        fields = re.split(r"(?<!\\)/", _MORPHOLOGY.sub("", line), maxsplit=1)
        rows.append(Row(number, [field.replace("\\/", "/") for field in fields]))
    return rows


_NAMED = {_BLANKS: "runs of blanks", "\t": "tabs", ";": "semicolons", ",": "commas", "|": "|", " ": "blanks"}


def _one_line(lines: Sequence[Line]) -> Kind | None:
    if len(lines) != 1:
        return None
    for delimiter, least in (*dict.fromkeys(_DELIMITERS, _LEAST_FIELDS).items(), (" ", _LEAST_BLANKS)):
        rows = _fields_of_lines(delimiter, lines)
        if len(rows) >= least:
            title = f"one line of {len(rows):,} words between {_NAMED[delimiter]}"
            return Kind("one line", title, partial(_fields_of_lines, delimiter), evident=delimiter != " ")
    return None


def _fields_of_lines(delimiter: str, lines: Sequence[Line]) -> list[Row]:
    """Returns each field as a row of its own."""
    return [Row(row.line, [field]) for row in _columns_rows(delimiter, lines) for field in row.fields if field.strip()]


def _columns(lines: Sequence[Line]) -> Iterator[Kind]:
    """Yields a kind for each delimiter that stands in half of the lines: evident where the fields are as many."""
    for delimiter, title in _DELIMITERS.items():
        if len(lines) < 2 or sum(delimiter in line for _, line in lines) * 2 < len(lines):
            continue
        rows = _columns_rows(delimiter, lines)
        width, count = Counter(len(row.fields) for row in rows).most_common(1)[0]
        split = partial(_columns_rows, delimiter)
        if max(len(row.fields) for row in rows) == 1:  # it stands in quotation marks
            continue
        if all(len(row.fields) == 1 or not any(row.fields[1:]) for row in rows):
            yield Kind("trailing", f"words with {_NAMED[delimiter]} after them", split)
        elif delimiter == "\t" or (width > 1 and count >= _CONSISTENT * len(rows)):
            yield Kind("columns", title, split)
        else:
            yield Kind("columns", f"columns between {_NAMED[delimiter]}", split, evident=False)


_RULE = re.compile(r"[\s|:-]+")  # below the header of a table in Markdown


def _columns_rows(delimiter: str, lines: Sequence[Line]) -> list[Row]:
    """Splits lines at a delimiter, where that does not stand in quotation marks."""
    if lines and lines[0][1].strip() == f"sep={delimiter}":  # of Excel
        lines = lines[1:]
    if delimiter == _BLANKS:
        return [Row(number, re.split(" {2,}", line.strip())) for number, line in lines]
    if delimiter == "|":
        lines = [line for line in lines if not _RULE.fullmatch(line[1])]
    plain = [Row(number, [field.strip() for field in line.split(delimiter)]) for number, line in lines]
    if not any('"' in line for _, line in lines):
        return plain
    reader = csv.reader((f"{line}\n" for _, line in lines), delimiter=delimiter, skipinitialspace=True)
    rows, begin = [], 0
    try:
        for fields in reader:
            rows.append(Row(lines[begin][0], fields))
            begin = reader.line_num
    except csv.Error:
        return plain
    # A mark that begins a word and is never closed would swallow the lines after it.
    return plain if len(rows) < len(lines) and len({len(row.fields) for row in plain}) == 1 else rows


_NUMBERED = re.compile(r"\s*(\d{1,9})\s*[.)]\s*([^\d\s].*)")
_BULLET = re.compile(r"\s*[-*+•‣–—]\s+(\S.*)")
_QUOTED = re.compile(r"\s*(?:\"(.*)\"|'(.*)'|“(.*)”|«(.*)»)\s*")
_NO_NUMBER = r"(?=.*[^\s\d:=.,+-])"
_COUNT_LAST = re.compile(_NO_NUMBER + r"\s*(.*?[^\s:=])[\s:=]+(\d{1,18})\s*")
_COUNT_FIRST = re.compile(r"\s*(\d{1,18})\s+" + _NO_NUMBER + r"(.*)")


def _marked(lines: Sequence[Line]) -> Iterator[Kind]:
    """Yields the kinds in which every line has the same form."""
    if len(lines) < 2:
        return
    if numbers := _all_match(_NUMBERED, lines):
        first = int(numbers[0][1])
        if [int(found[1]) for found in numbers] == list(range(first, first + len(numbers))):
            yield Kind("numbered", "a numbered list", partial(_matched_rows, _NUMBERED))
    if _all_match(_BULLET, lines):
        yield Kind("bullets", "a list with bullets", partial(_matched_rows, _BULLET))
    if _all_match(_QUOTED, lines):
        yield Kind("quoted", "words in quotation marks", partial(_matched_rows, _QUOTED))
    for pattern, title, place in (
        (_COUNT_LAST, "a number behind each word", 2),
        (_COUNT_FIRST, "a number before each word", 1),
    ):
        if counts := _all_match(pattern, lines):
            values = [int(found[place]) for found in counts]
            falling = values == sorted(values, reverse=True) and values[0] > values[-1]
            padded = place == 1 and any(line[:1] in " \t" for _, line in lines)  # as `uniq -c` prints
            yield Kind("counted", title, partial(_matched_rows, pattern), evident=falling or padded)


def _all_match(pattern: re.Pattern, lines: Sequence[Line]) -> list[re.Match]:
    """Returns the matches of all lines; empty where one does not match."""
    matches = []
    for _, line in lines:
        if not (found := pattern.fullmatch(line)):
            return []
        matches.append(found)
    return matches


def _matched_rows(pattern: re.Pattern, lines: Sequence[Line]) -> list[Row]:
    """Returns the groups of each line; a line that does not match is one field."""
    rows = []
    for number, line in lines:
        found = pattern.fullmatch(line)
        rows.append(Row(number, [part.strip() for part in found.groups() if part is not None] if found else [line]))
    return rows
