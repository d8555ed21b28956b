"""The entry point of `mm-jax`: sets up streams, and turns errors into one line on stderr."""

import contextlib
import io
import os
import sys
import traceback

from mm_jax import startup
from mm_jax.output import print_log, say
from mm_jax.tool.arguments import application


def main() -> None:
    """Runs the command; a user's mistake prints one line on stderr, never a traceback."""
    _mend_streams()
    startup.prepare()
    print_log()
    try:
        try:
            application(sys.argv[1:])()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except (ValueError, OSError) as error:
        _end(str(error))
    except MemoryError as error:
        _end(f"not enough memory: {error}")
    except (RuntimeError, AssertionError) as error:
        if _lacks_platform(error):
            named = os.environ.get("JAX_PLATFORMS")
            _end(f"JAX_PLATFORMS is {named!r}, which JAX cannot use: unset it, or set it to cpu")
        if "RESOURCE_EXHAUSTED" in str(error):
            _end(f"not enough memory: {error}")
        raise
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)


def _lacks_platform(error: Exception) -> bool:
    """Returns True for what JAX raises where a platform cannot be used; of one without its plugin it asserts."""
    if isinstance(error, RuntimeError):
        return "initialize backend" in str(error)
    return traceback.extract_tb(error.__traceback__)[-1].filename.endswith("xla_bridge.py")


def _end(why: str) -> None:
    """Prints one line and exits with status 1; drops what stdout has buffered and cannot write."""
    say("error: " + " ".join(why.split("\n")))
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


def _mend_streams() -> None:
    """Opens closed streams on /dev/null, because the next opened file would take their descriptors; sets UTF-8."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if sys.stdout is None:
        say("error: standard output is closed: there is nowhere to print to")
        sys.exit(1)
