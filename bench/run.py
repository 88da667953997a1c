#!/usr/bin/env python3
"""Measures flowgate side by side with a floor and with peers: `bench/run.py [SECTION...]`, or `make bench [BENCH="..."]`.

Sections:

  cold        a Lambda function's start and first answer, against a bare lambda_http function and the SDK's defaults
  warm        a start's latency through the Runtime API, storage calls, allocations and instructions, against a floor
  throughput  starts over plain HTTP with the embedded store, against Restate, moto and MiniStack
  growth      the same with a thousand to a million records in the store, and list pages
  engine      executions of one step from start to end, against Restate, and the memory of those that sleep

All of them without a name. Each section stands in bench/results/latest.json with the machine, the versions, the load and
the date it was measured with; a later run replaces the sections it measures and leaves the others. latest.md, the plots and
the README's table are made from that file; `bench/run.py --render` makes them again and measures nothing.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import time

from harness import functions, programs, report, serving
from harness.console import say
from harness.machine import Stamp

SECTIONS = {
    "cold": functions.cold,
    "warm": functions.warm,
    "throughput": serving.throughput,
    "growth": serving.growth,
    "engine": serving.engine,
}


RESULTS = programs.BENCH / "results"

# The README's table of goals, between two comments.
IN_README = r"(<!-- bench: [^\n]*-->\n).*?(<!-- end of bench -->)"


class Options:
    """How much is measured."""

    def __init__(self, quick):
        self.quick = quick
        self.records = int(os.environ.get("BENCH_RECORDS") or (5_000 if quick else 1_000_000))

    def count(self, full, quick):
        return quick if self.quick else full

    def seconds(self, full, quick):
        return quick if self.quick else full


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=" ".join(SECTIONS))
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="where the results go")
    parser.add_argument("--quick", action="store_true", help="a few of everything, to see whether it works")
    parser.add_argument("--no-build", action="store_true", help="measure what an earlier run built")
    parser.add_argument("--render", action="store_true", help="write what is made from latest.json again, measure nothing")
    parser.add_argument("--check", action="store_true", help="fail unless what is made from latest.json is up to date")
    options = parser.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section is called {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    # Told to end, it stops the servers it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    programs.reuse_builds = options.no_build

    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / "latest.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    for name in () if options.render or options.check else options.sections or SECTIONS:
        results[name] = measure(name, Options(options.quick))
        file.write_text(json.dumps(results, indent=1) + "\n")
    files = rendered(options.results, results)
    if options.check:
        stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
        sys.exit(f"error: not what latest.json says: {', '.join(map(str, stale))}; run bench/run.py --render" if stale else 0)
    for path, text in files.items():
        path.write_text(text)
    say(f"done: {options.results / 'latest.md'}")


def rendered(directory, results):
    """Every file that is made from the results, and its text. Only the results that are kept go into the README."""
    files, table = report.render(results)
    files = {directory / name: text for name, text in files.items()}
    if directory == RESULTS:
        readme = programs.ROOT / "README.md"
        fill = lambda marks: f"{marks[1]}\n{table}{marks[2]}"
        files[readme], count = re.subn(IN_README, fill, readme.read_text(), flags=re.DOTALL)
        if count != 1:
            sys.exit(f"error: {readme} has no place for the table, or several")
    return files


def measure(name, options):
    prepare(name)
    say(f"{name}: measuring")
    shutil.rmtree(programs.KEPT / "data", ignore_errors=True)
    (programs.KEPT / "data").mkdir(parents=True)
    begin, stamp = time.monotonic(), Stamp(programs.KEPT, programs.ROOT)
    result = SECTIONS[name](options)
    result["quick"] = options.quick
    result["stamp"] = stamp.close(result.pop("versions", {}), time.monotonic() - begin)
    say(f"{name}: took {time.monotonic() - begin:.0f} s")
    return result


def prepare(name):
    """Builds before the clock and the load average are looked at."""
    if name in ("cold", "warm"):
        programs.deployed()
        programs.build_functions()
        if name == "cold":
            programs.sdk_defaults()
    else:
        programs.local()
        programs.build_load()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
