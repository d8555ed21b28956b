"""Checks a list of words: reports its sizes, its characters, odd lines and how they are handled."""

import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from mm_jax import words as lists

_JOINERS = "\u200c\u200d"  # some scripts and emoji need them
_CONTROL = ("Cc", "Cf", "Cs", "Co", "Cn")


@dataclass(frozen=True)
class OddLine:
    """A line that is changed or refused: its number, the problem, the action taken."""

    line: int
    problem: str
    action: str


@dataclass(frozen=True)
class Report:
    """The result of `check`; `load_words` fails on `refused` lines, and `clean` is the mended list."""

    path: str
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
    mixed_case: bool
    odd: list[OddLine]
    refused: int
    clean: list[str]

    def as_dict(self) -> dict:
        """Returns all fields but the list itself, for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "clean"}


def check(path: str | Path) -> Report:
    """Checks a list line by line, of any content; raises ValueError for an unreadable path, and for no words."""
    path = Path(path)
    raw = lists.read_bytes(path)
    odd: list[OddLine] = []
    clean: list[str] = []
    refused = 0
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
        odd.append(OddLine(1, "a byte-order mark", "dropped"))
    if b"\r" in raw:
        odd.append(OddLine(raw.count(b"\n", 0, raw.index(b"\r")) + 1, "line ends with a carriage return", "dropped"))
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = raw.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    elif raw:
        odd.append(OddLine(len(lines), "no newline at the end of the file", "accepted"))
    for number, line in enumerate(lines, 1):
        word, problems = _one_line(line)
        odd += [OddLine(number, problem, action) for problem, action in problems]
        refused += any(action.startswith("refused") for _, action in problems)
        if word:
            clean.append(word)
    if not clean:
        raise ValueError(f"{path} holds no words: it should have one on each line")
    return _report(path, clean, odd, refused)


def _one_line(line: bytes) -> tuple[str, list[tuple[str, str]]]:
    """Returns the clean word of a line ("" for none), and its problems with the action of `load_words`."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return "", [
            (f"byte {error.start + 1} (0x{line[error.start]:02x}) is not UTF-8", "refused; --fix drops the line")
        ]
    problems = []
    if lists.BYTE_ORDER_MARK in text:
        problems.append(("a byte-order mark inside the file", "dropped"))
        text = text.replace(lists.BYTE_ORDER_MARK, "")
    if not text.strip():
        return "", [*problems, ("blank", "skipped")]
    if text != text.strip():
        problems.append(("blanks around the word", "dropped"))
        text = text.strip()
    if (normal := unicodedata.normalize("NFC", text)) != text:
        problems.append(("characters in pieces (not NFC)", "put together"))
        text = normal
    if control := sorted({char for char in text if unicodedata.category(char) in _CONTROL and char not in _JOINERS}):
        named = ", ".join(f"U+{ord(char):04X}" for char in control)
        problems.append((f"control or format characters: {named}", "kept; --fix takes them out"))
        text = "".join(char for char in text if char not in control)
    return text.strip(), problems


def _report(path: Path, words: list[str], odd: list[OddLine], refused: int) -> Report:
    """Computes the figures of a report from the clean words."""
    tally = Counter(words)
    try:
        split = lists.split_words(words)
    except ValueError:
        split = lists.Split(words, [], [])
    seen = set(split.train)
    lengths = [len(word) for word in words]
    folded = {word.casefold() for word in tally}
    return Report(
        path=str(path),
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
        alphabet=dict(Counter("".join(words)).most_common()),
        mixed_case=len(folded) < len(tally)
        or (any(w != w.lower() for w in tally) and any(w == w.lower() for w in tally)),
        odd=sorted(odd, key=lambda entry: entry.line),
        refused=refused,
        clean=words,
    )


def render(report: Report, most: int = 20) -> str:
    """Writes the report as text, with at most `most` odd lines."""
    lines = [
        f"{report.path}: {report.words:,} words, {report.distinct:,} distinct",
        f"lengths {report.shortest} to {report.longest}, {report.mean_length:.1f} on average",
    ]
    if report.repeated:
        lines.append(
            "repeated most: " + ", ".join(f"{word} {n}" for word, n in report.repeated) + " (--dedup: once each)"
        )
    if report.dev:
        lines.append(
            f"train {report.train:,}, dev {report.dev:,} ({report.dev_in_train:,} also in train), "
            f"test {report.test:,} ({report.test_in_train:,} also in train)"
        )
    else:
        lines.append("too few words for dev and test: `mm-jax train` trains on all of them")
    characters = " ".join(f"{char if char != ' ' else 'blank'}:{n}" for char, n in list(report.alphabet.items())[:40])
    lines.append(f"{len(report.alphabet)} characters: {characters}" + (" ..." if len(report.alphabet) > 40 else ""))
    if report.mixed_case:
        lines.append("upper and lower case are mixed: kept, as different characters")
    lines += [f"line {entry.line}: {entry.problem}: {entry.action}" for entry in report.odd[:most]]
    if len(report.odd) > most:
        lines.append(f"... and {len(report.odd) - most:,} more odd lines (--json has them all)")
    if not report.odd:
        lines.append("no odd lines")
    return "\n".join(lines)
