"""Checks a list of words: reports its sizes, its characters, odd lines and how they are handled."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mm_jax import words as lists
from mm_jax.checks import counted
from mm_jax.files import write_whole
from mm_jax.output import say
from mm_jax.shapes import PLAIN, Finding, Options, Taken, decoded, expanded, found, take
from mm_jax.symbols import GRAPHEMES, cut_lines, has_clusters
from mm_jax.tool.reading import weights

_REFUSED = "refused; --fix drops the line"
_MARK = "\ufeff"  # of byte order
# By code point, not by category: an old Python does not know the newest emoji. Joiners, zero-width spaces, tags and
# soft hyphens are text, and so is what is private or not yet assigned.
_SEPARATORS = re.compile("[\0\t\v\f\x1c-\x1f\x85\u2028\u2029]+")
_NO_TEXT = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # controls, bidi overrides


@dataclass(frozen=True)
class OddLine:
    """A line that is changed or refused: its number, the problem, the action taken."""

    line: int
    problem: str
    action: str


@dataclass(frozen=True)
class Report:
    """The result of `check`: the shape of the file, and figures of the list that `mm-jax train` takes.

    `load_words` fails on `refused` lines; `clean` is the mended list. No figures if the shape needs an option.
    """

    path: str
    shape: list[Finding]
    words: int
    distinct: int
    repeated: list[tuple[str, int]]
    train: int
    dev: int
    test: int
    dev_in_train: int
    test_in_train: int
    shortest: int
    longest: int
    mean_length: float
    alphabet: dict[str, int]
    clusters: list[str]
    mixed_case: bool
    odd: list[OddLine]
    refused: int
    clean: list[str]
    changed: int
    weighted: bool

    @property
    def needs_options(self) -> bool:
        """Returns True if the file is not one word a line, and no option says how to take it."""
        return any(finding.refuses for finding in self.shape)

    def as_dict(self) -> dict:
        """Returns all fields but the list itself, for JSON."""
        shape = [finding._asdict() for finding in self.shape]
        return {**{name: value for name, value in asdict(self).items() if name != "clean"}, "shape": shape}


def check(path: str | Path, options: Options = PLAIN) -> Report:
    """Checks a list line by line, of any content.

    Raises ValueError for an unreadable path, for no words, and for options that do not fit the file.
    """
    path, options = Path(path), options.checked()
    raw = lists.read_bytes(path)
    shape = found(raw, options)
    if any(finding.refuses for finding in shape):
        return _report(path, shape, [], [], [])
    try:
        lines, odd = _lines(raw, options)
        taken = list(take(lines, options))
        odd += [OddLine(entry.line, entry.problem, _REFUSED) for entry in taken if entry.problem]
        taken = [entry for entry in taken if entry.word]
        words = expanded(taken)
        clean, more = _mended(taken)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not words:
        reason = next((f"line {entry.line}: {entry.problem}" for entry in odd if entry.action == _REFUSED), None)
        remedy = "it should have one on each line" if reason is None else "if it is text, give its --encoding"
        raise ValueError(f"{path} holds no words: {reason + '; ' if reason else ''}{remedy}")
    return _report(path, shape, words, clean, odd + more, weighted=options.counts is not None)


def _lines(raw: bytes, options: Options) -> tuple[list[str], list[OddLine]]:
    """Returns the lines as `load_words` takes them, "" for those that it refuses, and what was odd about them."""
    text = decoded(raw, options.encoding) if options.encoding else raw.decode("utf-8", "surrogateescape")
    odd, lines = [], []
    if text.startswith(_MARK):
        text = text[1:]
        odd.append(OddLine(1, "a byte-order mark", "dropped"))
    if "\r" in text:
        odd.append(OddLine(text.count("\n", 0, text.index("\r")) + 1, "line ends with a carriage return", "dropped"))
    found_lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if found_lines[-1] == "":
        found_lines.pop()
    elif text:
        odd.append(OddLine(len(found_lines), "no newline at the end of the file", "accepted"))
    for number, line in enumerate(found_lines, 1):
        kept, problems = _one_line(line, options)
        lines.append(kept)
        odd += [OddLine(number, *problem) for problem in problems]
    return lines, odd


def _one_line(text: str, options: Options) -> tuple[str, list[tuple[str, str]]]:
    """Returns a line as `load_words` takes it, and its problems with what is done about them."""
    problems = []
    if not text.isascii():
        if any("\udc80" <= char <= "\udcff" for char in text):
            return "", [(_not_utf8(text.encode("utf-8", "surrogateescape")), _REFUSED)]
        if _MARK in text:
            problems.append(("a byte-order mark inside the file", "dropped"))
            text = text.replace(_MARK, "")
    stripped = text.strip()
    if not stripped:
        return "", [*problems, ("blank", "skipped")]
    if options.whole and text != stripped:
        problems.append(("blanks around the word", "dropped"))
    if (normal := unicodedata.normalize("NFC", text)) != text:
        problems.append(("characters in pieces (not NFC)", "put together"))
    return normal, problems


def _not_utf8(line: bytes) -> str:
    """Says which byte of a line is not UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} (0x{line[error.start]:02x}) is not UTF-8"
    return ""


def _mended(taken: Sequence[Taken]) -> tuple[list[str], list[OddLine]]:
    """Returns the words of the clean copy, and the lines with characters that are no text.

    A word that would become another word of the list, or nothing, stays as it is; but blanks side by side become one.
    """
    clean = {word: _single_blanks(_without_controls(word)) for word in dict.fromkeys(entry.word for entry in taken)}
    tally = Counter(clean.values())
    entries, odd = [], []
    for entry in taken:
        word = clean[entry.word]
        if characters := sorted({char for char in entry.word if _NO_TEXT.match(char)}):
            if not word or tally[word] > 1:
                action = f"kept, by --fix too: it would be {f'{word!r}, another word' if word else 'empty'} without"
                word = entry.word
            else:
                blank = all(_SEPARATORS.match(char) for char in characters)
                action = f"kept; --fix {'writes a blank' if blank else 'takes them out'}"
            named = ", ".join(f"U+{ord(char):04X}" for char in characters)
            odd.append(OddLine(entry.line, f"control or format characters: {named}", action))
        elif "  " in entry.word:
            odd.append(OddLine(entry.line, "blanks side by side", "kept; --fix writes one"))
        entries.append(entry._replace(word=word))
    return expanded(entries), odd


def _without_controls(word: str) -> str:
    """Returns a word without control characters; those that separate become a blank."""
    return word if word.isprintable() else _NO_TEXT.sub("", _SEPARATORS.sub(" ", word)).strip()


def _single_blanks(word: str) -> str:
    """Returns a word with one blank wherever several stand side by side, as lists whose symbols are words need it."""
    return re.sub("  +", " ", word)


def _report(
    path: Path,
    shape: list[Finding],
    words: list[str],
    clean: list[str],
    odd: Sequence[OddLine] = (),
    weighted: bool = False,
) -> Report:
    """Computes the figures of a report from the words that `load_words` takes."""
    tally = Counter(words)
    try:
        split = lists.split_words(words)
    except ValueError:
        split = lists.Split(words, [], [])
    seen = set(split.train)
    lengths = [len(word) for word in words] or [0]
    alphabet = dict(Counter("".join(words)).most_common())
    graphemes = cut_lines(words, GRAPHEMES) if has_clusters(words, alphabet) else ()
    several = (grapheme for grapheme in graphemes if len(grapheme) > 1)
    return Report(
        path=str(path),
        shape=shape,
        words=len(words),
        distinct=len(tally),
        repeated=[(word, n) for word, n in tally.most_common(5) if n > 1],
        train=len(split.train),
        dev=len(split.dev),
        test=len(split.test),
        dev_in_train=sum(word in seen for word in split.dev),
        test_in_train=sum(word in seen for word in split.test),
        shortest=min(lengths),
        longest=max(lengths),
        mean_length=sum(lengths) / len(lengths),
        alphabet=alphabet,
        clusters=[cluster for cluster, _ in Counter(several).most_common(5)],
        mixed_case=any(char.lower() != char and char.lower() in alphabet for char in alphabet),
        odd=sorted(odd, key=lambda entry: entry.line),
        refused=sum(entry.action == _REFUSED for entry in odd),
        clean=clean,
        weighted=weighted,
        changed=sum(a != b for a, b in zip(words, clean, strict=True)),
    )


def render(report: Report, most: int = 20) -> str:
    """Writes the report as text, with at most `most` odd lines."""
    shape = [f"shape: {finding.text}" for finding in report.shape]
    if report.needs_options:
        return "\n".join([f"{report.path}:", *shape])
    lines = [
        f"{report.path}: {counted(report.words, 'word')}, {report.distinct:,} distinct",
        *shape,
        f"lengths {report.shortest} to {report.longest}, {report.mean_length:.1f} on average",
    ]
    if report.weighted:
        lines.append(weights(report.words, report.distinct))
    if report.repeated:
        once = "" if report.weighted else " (--dedup: once each)"
        lines.append("repeated most: " + ", ".join(f"{word} {n}" for word, n in report.repeated) + once)
    if report.dev:
        lines.append(
            f"train {report.train:,}, dev {report.dev:,} ({report.dev_in_train:,} also in train), "
            f"test {report.test:,} ({report.test_in_train:,} also in train)"
        )
    else:
        lines.append("too few words for dev and test: `mm-jax train` trains on all of them")
    characters = " ".join(f"{char if char != ' ' else 'blank'}:{n}" for char, n in list(report.alphabet.items())[:40])
    lines.append(
        f"{counted(len(report.alphabet), 'character')}: {characters}" + (" ..." if len(report.alphabet) > 40 else "")
    )
    if report.clusters:
        lines.append(f"kept together, unless --units characters: graphemes of several, {' '.join(report.clusters)}")
    if report.mixed_case:
        lines.append("upper and lower case are mixed: kept, as different characters")
    lines += [f"line {entry.line}: {entry.problem}: {entry.action}" for entry in report.odd[:most]]
    if len(report.odd) > most:
        more = counted(len(report.odd) - most, "more odd line")
        lines.append(f"... and {more} (--json has them all)")
    if not report.odd:
        lines.append("no odd lines")
    return "\n".join(lines)


def write(report: Report, path: Path) -> None:
    """Writes the clean copy, one word a line, and says so; raises ValueError where it would replace the list."""
    if path.exists() and path.samefile(report.path):
        raise ValueError(f"{path} is the list itself: name another file for the clean copy")
    write_whole(path, "\n".join([*report.clean, ""]).encode())
    about = f", {report.changed:,} of them other than `mm-jax train` takes from {report.path}" if report.changed else ""
    say(f"wrote {counted(len(report.clean), 'word')} to {path}{about}")
