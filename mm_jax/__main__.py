"""`python -m mm_jax` is the command `mm-jax`."""

import signal

# Ctrl-C ends the process at once, wherever it is: Python's own handler would end imports in a traceback, and wait for
# compilations. Nothing is lost: files are written whole, and training handles it by itself.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from mm_jax.tool.entry import main as main  # noqa: E402

if __name__ == "__main__":
    main()
