"""The scripted functions of a case, and the loop by which an interpreter in Python answers cases.

A runner reads cases from its standard input and writes outcomes to its standard output, one JSON object per line; so do
`run_moto.py`, `run_ministack.py` and, for the embedded engine, `interpret.rs`.

A case is `{"name", "machine", "start", "functions"}`: the compiled text, what it is started with, and for each function
the steps that its calls take one after the other, the last of them over and over:

- `{"return": VALUE}`
- `{"echo": {}}` returns the event
- `{"throw": {"errorType": ..., "errorMessage": ..., ...}}` fails as the code of a function does
- `{"refuse": {"error": ..., "cause": ...}}` fails as Lambda itself does, which the function does not see
- `{"slow": {}}` does not answer in time

An outcome is `{"name", "status", "output", "error", "cause", "calls", "waits"}`: calls as `[function, event]`, waits as
the seconds that Wait states were to take. Nobody waits for them: only what a slow function is waited for is real time.
"""

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

# Interpreters spend most of a case waiting for their own threads.
CASES_AT_ONCE = 8

# How long a case may take. Only one that hangs takes that long.
PATIENCE_SECONDS = 60


class Case:
    """A case that runs: its functions, and what was asked of them."""

    def __init__(self, given):
        self.given = given
        self.calls = []
        self.waits = []
        self.ended = threading.Event()
        self._made = {}
        self._lock = threading.Lock()

    def call(self, function, event):
        """The step that a call takes. A slow one is returned from only when the case has ended."""
        with self._lock:
            made = self._made.get(function, 0)
            self._made[function] = made + 1
            self.calls.append([function, event])
        steps = self.given["functions"][function]
        step = steps[min(made, len(steps) - 1)]
        if "slow" in step:
            self.ended.wait(PATIENCE_SECONDS)
        return {"return": event} if "echo" in step else step

    def wait(self, seconds):
        """Notes a Wait state down."""
        with self._lock:
            self.waits.append(seconds)

    def outcome(self, status, output, error, cause):
        """What came of it; `output` is JSON text or None."""
        return {
            "name": self.given["name"],
            "status": status,
            "output": json.loads(output) if status == "SUCCEEDED" else None,
            "error": error,
            "cause": cause,
            "calls": self.calls,
            "waits": self.waits,
        }


# The cases that run, by the name of their execution and by the names of their functions, which no two cases share.
by_name = {}
by_function = {}


def main(run):
    """Answers all cases; `run` takes a Case to its outcome."""

    def answer(line):
        case = Case(json.loads(line))
        by_name[case.given["name"]] = case
        by_function.update(dict.fromkeys(case.given["functions"], case))
        try:
            return run(case)
        finally:
            case.ended.set()

    with ThreadPoolExecutor(CASES_AT_ONCE) as pool:
        for outcome in pool.map(answer, sys.stdin):
            print(json.dumps(outcome))
