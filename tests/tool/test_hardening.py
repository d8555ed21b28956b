"""What the command met: hostile files, odd lists, closed streams, interrupts, ranges. One line and a status each."""

import io
import json
import math
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

import mm_jax
from mm_jax import checkpoint, files, output, terminal
from mm_jax import words as lists
from mm_jax.tool import checking, runs

from ..conftest import slow
from .conftest import make

WORDS = ["anna", "maria", "johan", "emma", "lena", "nora", "ida", "mia"]


def shell(text, **env):
    """Runs a line of shell, in which $MM is the command: (exit status, stdout, stderr)."""
    env = {**os.environ, "MM": f"{sys.executable} -m mm_jax", **env}
    done = subprocess.run(["bash", "-c", text], env=env, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def run(trained, tmp_path):
    """A copy of a run folder, to do harm to."""
    return shutil.copytree(trained / "mlp", tmp_path / "run")


# Lists


@pytest.mark.slow
def test_a_dot_inside_words(mm, tmp_path):
    path = make(tmp_path, ["st. ives", "st. johns", "st. mary", "st. paul", "u.s.", "ives"])
    assert mm("train", path, "--out", tmp_path / "run", "--model", "ngram")[0] == 0
    status, out, _ = mm("sample", tmp_path / "run", "-n", 50, "--json")
    assert status == 0
    assert any("." in word for word in json.loads(out)["words"])
    assert json.loads(mm("score", tmp_path / "run", "st. ives", "--json")[1])[0]["word"] == "st. ives"


@pytest.mark.slow
def test_words_with_unknown_characters_are_skipped_and_named(mm, trained, tmp_path):
    path = make(tmp_path, ["maria", "zoë7", "anna"])
    status, out, err = mm("eval", trained / "ngram", path, "--json")
    assert (status, json.loads(out)["list.txt"]["words"]) == (0, 2)
    assert "skipped of 3 words: 1 with characters that the model does not know (7 ë): zoë7" in err
    status, out, err = mm("score", trained / "ngram", "--file", path)
    assert (status, len(out.splitlines()), "zoë7" in err) == (0, 2, True)
    status, out, err = mm("score", trained / "ngram", "maria", "zoë7", "--json")
    assert (status, [each["word"] for each in json.loads(out)]) == (0, ["maria"])


def test_byte_order_marks_inside(mm, tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"".join(b"\xef\xbb\xbf" + word.encode() + b"\n" for word in WORDS))
    assert mm("train", path, "--out", tmp_path / "run", "--model", "counts")[0] == 0
    assert sorted(runs.RunFolder(tmp_path / "run").open().words) == sorted(WORDS)
    assert checking.check(path).clean == WORDS
    assert "byte-order mark inside" in checking.render(checking.check(path))


def test_devices_are_refused_and_pipes_are_read(mm, tmp_path, monkeypatch):
    status, _, err = mm("check", "/dev/zero")
    assert (status, "is a device" in err) == (1, True)
    assert shell(f"$MM check <(cat {lists.bundled_names()}) --json")[0] == 0
    monkeypatch.setattr(lists, "MAX_BYTES", 2**20)
    (tmp_path / "large").write_bytes(b"a\n" * 2**20)
    with pytest.raises(ValueError, match="more than 1 MiB"):
        lists.load_words(tmp_path / "large")


def test_joiners_are_not_odd(tmp_path):
    report = checking.check(make(tmp_path, ["👩\u200d🚀", "می\u200cخواهم"]))
    assert (report.odd, report.clean) == ([], ["👩\u200d🚀", "می\u200cخواهم"])


def test_too_many_characters_for_a_table(mm, tmp_path):
    points = [*range(0x4E00, 0x9FFF), *range(0xAC00, 0xD7A3)]
    path = make(tmp_path, ["".join(map(chr, points[i : i + 8])) for i in range(0, len(points), 8)])
    status, _, err = mm("train", path, "--out", tmp_path / "run", "--model", "bigram")
    assert (status, f"the alphabet has {len(points):,} characters" in err) == (1, True)


# Files


def test_files_of_two_runs_are_told_apart(mm, trained, tmp_path, run):
    path = make(tmp_path, mm_jax.load_words(lists.bundled_names()))
    assert mm("train", path, "--out", tmp_path / "other", "--model", "counts")[0] == 0
    for name in ("model.safetensors", "config.json"):
        mixed = shutil.copytree(run, tmp_path / name)
        shutil.copy(tmp_path / "other" / name, mixed / name)
        status, out, err = mm("sample", mixed)
        assert (status, out) == (1, "")
        assert "belong to different runs" in err


@pytest.mark.parametrize(
    "command", [["sample"], ["eval"], ["info"], ["top", "-n", "3", "--min-length", "1"], ["score", "delft"]]
)
def test_a_run_of_version_0_1_is_read_for_ever(mm, command):
    """Its files have format 1, and its model no mark of plan and words."""
    command[1:1] = [Path(__file__).parent / "run_of_format_1"]
    status, out, err = mm(*command)
    assert (status, "error" in err) == (0, False), err
    assert out


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b"{}",
        b"\xff\xfe",
        b'{"format": 1}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"format": NaN, "plan": {"model": "mlp"}, "words": "", "split": {}}',
        b'{"format": "2", "plan": {"model": "mlp"}, "words": "", "split": {}}',
        b'{"format": 2, "plan": null, "words": "", "split": {}}',
        b'{"format": 2, "plan": {"model": "mlp"}, "words": "", "split": {"train": -1, "dev": 0, "test": 0}}',
        b'{"format": 2, "plan": {"model": "mlp"}, "words": "", "split": {"train": null, "dev": [], "test": 0}}',
    ],
    ids=lambda content: content[:40].decode(errors="replace"),
)
def test_hostile_config(mm, run, content):
    (run / "config.json").write_bytes(content)
    for command in (["info", run], ["sample", run], ["train", lists.bundled_names(), "--out", run, "--resume"]):
        status, out, err = mm(*command)
        assert (status, out, err.count("config.json was altered")) == (1, "", 1)


def test_an_altered_plan_is_noticed(mm, run):
    config = json.loads((run / "config.json").read_text())
    config["plan"]["surprise"] = [1]
    (run / "config.json").write_text(json.dumps(config))
    status, out, _ = mm("info", run)
    assert (status, out) == (1, "")


@pytest.mark.parametrize("content", [b"", b"step\n1\n", b"step,loss,dev\n1,x,2\n", b"\xff", b"a\0b\n1\0,2,3\n"])
def test_an_altered_history_is_named(mm, run, content):
    (run / "history.csv").write_bytes(content)
    status, _, err = mm("info", run)
    if content:
        assert (status, err.count("history.csv was altered")) == (1, 1)


@pytest.mark.parametrize("wrong", [{}, {"plan": "["}, {"plan": "[]"}, {"best_dev": "much"}, {"waited": "x"}])
def test_a_state_with_wrong_content(mm, run, wrong):
    path = run / "state.safetensors"
    arrays, about = checkpoint.read_arrays(path, "state")
    about = {name: value for name, value in about.items() if name not in ("sha256", "format", "package")}
    about = about | wrong if wrong else {"kind": "state"}
    checkpoint.write_arrays(path, arrays, about)
    options = ["--model", "mlp", "--steps", "40", "--hidden-dim", "16"]
    status, _, err = mm("train", lists.bundled_names(), "--out", run, "--resume", *options)
    assert (status, "state.safetensors" in err) == (1, True), err


def test_modes_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        files.write_whole(tmp_path / "new", b"a")
        (tmp_path / "mine").write_bytes(b"")
        (tmp_path / "mine").chmod(0o600)
        files.write_whole(tmp_path / "mine", b"a")
    finally:
        os.umask(old)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("new", "mine")] == [0o640, 0o600]


def test_what_a_killed_run_left_is_removed(mm, tmp_path):
    path, folder = make(tmp_path, WORDS), tmp_path / "run"
    killed = f"""
import os, signal
from pathlib import Path
from mm_jax import files
os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)
files.write_whole(Path({str(folder)!r}) / "words.txt", b"a")
"""
    subprocess.run([sys.executable, "-c", killed], check=False)
    (folder / ".words.txt.mine").write_bytes(b"")  # not of ours
    assert len(list(folder.iterdir())) == 2
    assert mm("train", path, "--out", folder, "--model", "counts")[0] == 0
    assert {each.name for each in folder.iterdir()} - set(runs.FILES) == {".lock", ".words.txt.mine"}


def test_fix_follows_links_and_refuses_devices(mm, tmp_path):
    path = make(tmp_path, WORDS)
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert mm("check", path, "--fix", tmp_path / "link")[0] == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().split() == WORDS
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", "/dev/null"):
        status, _, err = mm("check", path, "--fix", special)
        assert (status, "name a file to write" in err) == (1, True)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


# Ranges


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["sample", "RUN", "--seed", 2**32], "4294967295"),
        (["sample", "RUN", "--top-k", 2**31], "2147483647"),
        (["train", "LIST", "--out", "r", "--seed", 2**64], "4294967295"),
        (["train", "LIST", "--out", "r", "--model", "ngram", "--order", 2**63], "from 1 to 2147483647"),
    ],
)
def test_numbers_out_of_range(mm, trained, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    names = {"LIST": lists.bundled_names(), "RUN": trained / "ngram"}
    status, _, err = mm(*(names.get(arg, arg) for arg in args))
    assert (status, message in err) == (2, True), err


def test_the_largest_seed(mm, tmp_path):
    path = make(tmp_path, WORDS)
    assert mm("train", path, "--out", tmp_path / "run", "--model", "ngram", "--seed", 2**32 - 1)[0] == 0


def test_an_order_beyond_the_longest_word_is_cut(mm, tmp_path):
    path = make(tmp_path, WORDS)
    assert mm("train", path, "--out", tmp_path / "run", "--model", "ngram", "--order", 1000)[0] == 0
    assert len(runs.RunFolder(tmp_path / "run").open().params.levels) <= max(map(len, WORDS)) + 2


def test_a_run_that_got_worse_fails(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(lists.bundled_names())[::20])
    options = ["--model", "mlp", "--recipe", "lecture", "--lr", "1e5", "--steps", "30", "--hidden-dim", "16"]
    status, _, err = mm("train", path, "--out", tmp_path / "run", *options)
    assert status == 1
    assert "--lr" in err.splitlines()[-1]


# Streams, signals, the environment


@pytest.mark.slow
def test_closed_streams(tmp_path):
    path = make(tmp_path, WORDS)
    status, out, err = shell(f"$MM check {path} >&-")
    assert (status, "standard output is closed" in err) == (1, True)
    status, out, err = shell(f"$MM train {path} --out {tmp_path}/run --model counts 2>&-")
    assert status == 0
    assert "8 words with" not in out
    status, _, err = shell(f"$MM check {path} > /dev/full")
    assert (status, err.strip().splitlines()[-1]) == (1, "error: [Errno 28] No space left on device")
    status, _, err = shell(f"$MM check {path} --json | true; exit ${{PIPESTATUS[0]}}")
    assert (status in (0, 1, 141), err) == (True, "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bogus", *slow(["cuda", "rocm"])])  # tpu: in test_replacing.py
def test_an_unusable_platform_is_one_line(trained, name):
    if name == {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend()):
        pytest.skip(f"JAX has {name} here")
    status, out, err = shell(f"$MM info {trained}/ngram", JAX_PLATFORMS=name)
    assert (status, out, len(err.splitlines())) == (1, "", 1), err
    assert f"JAX_PLATFORMS is {name!r}" in err


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_not_mentioned(trained, tmp_path):
    (tmp_path / "cache").write_bytes(b"")  # a file where a folder should be
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "JAX_COMPILATION_CACHE_DIR": ""}
    status, _, err = shell(f"unset JAX_COMPILATION_CACHE_DIR; $MM sample {trained}/mlp", **env)
    assert (status, err.count("20 of 20 words")) == (0, 1)
    assert len(err.splitlines()) <= 2


@pytest.mark.parametrize("after", [0.6, *slow([0.15, 1.5])])
def test_ctrl_c_ends_at_once_and_in_silence(trained, tmp_path, after):
    command = [sys.executable, "-m", "mm_jax", "train", str(lists.bundled_names()), "--out", str(tmp_path / "run")]
    command += ["--model", "mlp", "--hidden-dim", "397"]
    env = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    env["XDG_CACHE_HOME"] = str(tmp_path)
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGINT, 130)
    assert "Traceback" not in err


# What a terminal is given


def test_text_for_a_terminal_is_escaped(monkeypatch, capsys):
    hostile = "a\x1b[2J\x9b\x00\u202eb\u2066"
    assert output.plain(hostile) == r"a\x1b[2J\x9b\x00\u202eb\u2066"
    assert output.plain("Zoë 中 👩\u200d🚀\t\n") == "Zoë 中 👩\u200d🚀\t\n"
    output.say(hostile)
    assert "\x1b" not in capsys.readouterr().err
    output.give(hostile, False, hostile)
    assert capsys.readouterr().out == hostile + "\n"
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", screen)
    output.give(hostile, False, hostile)
    output.give([hostile], True, "")
    assert "\x1b" not in screen.getvalue() and "\u202e" not in screen.getvalue()


def shown(table, width, monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: width is not None
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(width or 80))
    terminal.show(table)
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())  # less colours


@pytest.mark.parametrize("width", [None, 200, 80, 60, 40, 20])
def test_a_table_loses_columns_before_digits(monkeypatch, width):
    table = Table(title="nats per character")
    for heading in ("", "entries", "CPU s", "train", "dev", "+-", "unseen", "test", "+-", "new"):
        table.add_column(heading)
    table.add_row(
        "MLP, lecture part 2", "11,897", "12.34", "2.0151", "2.4642", "0.012", "2.5003", "2.4711", "0.012", "85%"
    )
    text = shown(table, width, monkeypatch)
    assert "2.4642" in text and "…" not in text and "..." not in text
    assert (width or 10**6) >= max(map(len, text.splitlines()))
    if width is None:
        assert "85%" in text and "2.4711" in text


def test_loss_tables_show_names_of_files_as_they_are(monkeypatch):
    row = mm_jax.evaluate(mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0), ["ab", "b"])
    text = shown(terminal.losses_table({"[red]\x1bx": row}), None, monkeypatch)
    assert r"[red]\x1bx" in text
    assert f"{row.nll:.4f}" in text and not math.isnan(row.nll)
    assert Console(file=io.StringIO()).is_terminal is False


# Pictures and large alphabets


def test_families_without_a_regular_font_are_left_out(monkeypatch):
    from matplotlib import font_manager

    from mm_jax.tool import pictures

    def font(name, weight, style="normal"):
        return font_manager.FontEntry(fname=f"{name}-{weight}", name=name, weight=weight, style=style)

    fonts = [font("B", 400), font("A", "normal"), font("A", 700), font("Condensed", 380), font("C", 400, "italic")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    assert pictures._families.__wrapped__() == {"A": "A-normal", "B": "B-400"}


@pytest.mark.slow
def test_pictures_of_any_script_give_no_warnings(mm, tmp_path, monkeypatch):
    """With three families of fonts: to read all of a machine's takes a quarter of a minute."""
    from mm_jax.tool import pictures

    found = pictures._families()
    monkeypatch.setattr(
        pictures, "_families", lambda: dict([*found.items()][:3]) | {"DejaVu Sans": found["DejaVu Sans"]}
    )
    monkeypatch.setattr(pictures, "MAX_CHARACTERS", 12)
    words = [chr(0x4E00 + i) + chr(0x4E80 + i % 9) + "\U0001f600" for i in range(20)]
    path = make(tmp_path, [*words, "$x^2$", "a_b"])
    assert mm("train", path, "--out", tmp_path / "run", "--model", "counts")[0] == 0
    status, out, err = mm("plot", tmp_path / "run")  # warnings are errors here
    assert (status, err, len(out.split())) == (0, "", 2)


def test_a_character_without_a_font_is_its_code_point():
    from matplotlib.figure import Figure

    from mm_jax.tool import pictures

    figure = Figure()
    ax = figure.subplots()
    text = ax.text(0, 0, "a\U000e0041\x1b")
    ax.set_xticks([0, 1], ["a", "\U000e0042"])
    pictures.make_readable(figure)
    assert text.get_text() == r"aE0041\x1b"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "E0042"]


def test_a_large_alphabet_takes_little_memory():
    """3,000 characters, 6,000 words: no table of contexts x characters (16,000 x 3,000) is made."""
    import tracemalloc

    rng = random.Random(0)
    words = ["".join(chr(0x4E00 + int(rng.paretovariate(0.5)) % 3000) for _ in range(3)) for _ in range(6000)]
    vocab = mm_jax.Vocab.from_words([*words, "".join(chr(0x4E00 + i) for i in range(3000))])
    tracemalloc.start()
    params = mm_jax.ngram.fit(words, vocab, 4)
    assert mm_jax.evaluate(params, words).nll < math.log(len(vocab))
    assert len(mm_jax.most_probable(params, 10)) == 10
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60e6


COMMANDS = "check train sample compare mix score eval plot page top info"


@pytest.mark.parametrize("command", ["", *COMMANDS.split()])  # fmt: skip
def test_help_fits_a_terminal_and_is_in_plain_words(mm, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = mm(*command.split(), "--help")
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80
    assert not re.search(r"[{}]|<path>|range>|<str>|<int>|x<=|<=x|\.\.\.\.", out)
    if command in ("check", "train", "compare"):
        assert "LIST  A text file" in out


def test_help_of_train_says_what_goes_with_a_model(mm):
    out = mm("train", "--help")[1]
    sizes = out.split("Sizes, only with --model NAME:")[1]
    assert "--hidden-dim N" in sizes and "rnn 256" in sizes and "None" not in sizes
    assert "--steps N" in out.split("Training, only with --model NAME")[1].split("Sizes")[0]


def test_messages_are_wrapped_by_cells(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    output.say("train: " + "東京都 " * 12 + "end")
    rows = capsys.readouterr().err.splitlines()
    assert len(rows) > 2 and max(map(cell_len, rows)) <= 40
    assert "".join(rows).replace(" ", "") == "train:" + "東京都" * 12 + "end"
