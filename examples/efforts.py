"""Prints what each effort of `mm-jax train` promises and takes, in CPU seconds, for lists from 50 to a million words.

    python examples/efforts.py --effort quick normal

A list is made of names of data/given_names.txt put together and cut. Its command runs in a process of its own; the
program cache is filled by one run before (--cold leaves that out), as it is by a user's first list.
"""

import argparse
import random
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from mm_jax import words as word_lists

LISTS = ((50, 8), (1_000, 8), (30_000, 8), (1_000_000, 8), (5_000, 60))  # words, and their characters


def made(count: int, length: int) -> list[str]:
    """Makes distinct words of one length."""
    names, draw = word_lists.load_words(word_lists.bundled_names()), random.Random(0)
    found: dict[str, None] = {}
    while len(found) < count:
        word = ""
        while len(word) < length:
            word += draw.choice(names)
        found[word[:length]] = None
    return list(found)


def measure(path: Path, effort: str) -> tuple[str, str, float]:
    """Runs `mm-jax train`; returns what it tries, the seconds it promises, and those it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "mm_jax", "train", path, "--out", path.with_suffix(".run"), "--effort", effort]
    done = subprocess.run([*command, "--overwrite"], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    tries, promised = re.findall(r"^tries (.*): about ([\d,]+) s of CPU$", done.stderr + done.stdout, re.MULTILINE)[0]
    return tries, promised, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(argv: list[str] | None = None) -> None:
    """Runs the command; `argv` replaces sys.argv[1:]."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effort", nargs="+", choices=("quick", "normal", "best"), default=["quick", "normal", "best"])
    parser.add_argument("--lists", nargs="+", type=int, metavar="WORDS", default=[count for count, _ in LISTS])
    parser.add_argument("--cold", action="store_true", help="do not fill the program cache before")
    args = parser.parse_args(argv)
    print("| words | characters | effort | tries | promised | took |\n|--|--|--|--|--|--|")
    with tempfile.TemporaryDirectory() as folder:
        for count, length in LISTS:
            if count not in args.lists:
                continue
            path = Path(folder, f"{count}.txt")
            path.write_text("\n".join(made(count, length)), encoding="utf-8")
            for effort in args.effort:
                if not args.cold and effort != "best":  # whose compilation is lost in 15 minutes
                    measure(path, effort)
                tries, promised, took = measure(path, effort)
                print(f"| {count:,} | {length} | {effort} | {tries} | {promised} | {took:.0f} |", flush=True)


if __name__ == "__main__":
    main()
