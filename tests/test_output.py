"""Messages: a command that works in silence says what it does."""

import time

import pytest

from mm_jax import output


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(output, "SILENCE", 0.1)
    monkeypatch.setattr(output, "_hushed", False)
    monkeypatch.setattr(output, "print", lambda *args, **kwargs: lines.append(args[0]), raising=False)
    return lines


def test_a_silence_is_broken_and_then_less_often(said):
    with output.busy("drawing words"):
        time.sleep(0.6)
    assert set(said) == {"drawing words ..."}
    assert 2 <= len(said) <= 3  # after 0.1, 0.3 and 0.7 s


def test_the_innermost_is_said(said):
    with output.busy("learning"):
        with output.busy("compiling"):
            time.sleep(0.2)
        assert said == ["compiling ..."]
        time.sleep(0.2)
    assert said == ["compiling ...", "learning ..."]


def test_a_command_that_speaks_or_is_quick_or_hushed_says_nothing_more(said, monkeypatch):
    with output.busy("learning"):
        pass
    with output.busy("learning"):
        for _ in range(6):
            time.sleep(0.04)
            output.say("line")
    assert set(said) == {"line"}
    output.hush()
    with output.busy("learning"):
        time.sleep(0.3)
    assert set(said) == {"line"}


def test_an_error_ends_it(said):
    with pytest.raises(ValueError), output.busy("learning"):
        raise ValueError
    assert output._doing == []
    time.sleep(0.2)
    assert said == []
