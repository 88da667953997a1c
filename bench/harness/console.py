"""Progress for whoever waits: one line for everything that takes long, with the time since the beginning."""

import sys
import time

BEGIN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGIN:5.0f} s] {text}", file=sys.stderr, flush=True)


class Skip(Exception):
    """Something that cannot be measured here, and why."""
