"""The differential test: every case on every interpreter, against what the definition means.

    python tests/differential            all cases; fails where they differ and differences.json does not say why
    python tests/differential NAME...    these cases only, with what came of each

The interpreters get the text that `flowgate compile` prints: the embedded engine (through `interpret.rs`), moto's and
MiniStack's. Their outcomes are compared with what `meaning.py` reads out of the definition itself: the status, the
output, the error and its cause, every call and its event, and every wait. Waits are only noted down, so the whole takes
about a minute and a half, nearly all of which moto spends parsing.

`make test-differential` says in the environment where the two programs are: FLOWGATE_BIN and INTERPRET_BIN.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import generate
import meaning

HERE = Path(__file__).resolve().parent

INTERPRETERS = {
    "embedded": [os.environ["INTERPRET_BIN"]],
    "moto": [sys.executable, HERE / "run_moto.py"],
    "ministack": [sys.executable, HERE / "run_ministack.py"],
}

# moto keeps one processor busy for most of the time, and here another.
SHARES = {"moto": 2}

# What differences.json can name: how to tell, from a case and what is expected of it, that it is one.
SITUATIONS = {
    "nothing found": lambda case, expected: expected["error"] == "States.Runtime",
    "nothing to set a member in": lambda case, expected: expected["error"] == "States.IntrinsicFailure",
    "slice or filter": lambda case, expected: re.search(r"\[-?\d*:|\[\?", case["text"]),
    "filter": lambda case, expected: re.search(r"\[\?", case["text"]),
    "path through an index": lambda case, expected: re.search(r"\$[^\" ]*\[\d+\]\.", case["text"]),
    "null event": lambda case, expected: [event for _, event in expected["calls"] if event is None],
    "asynchronous call": lambda case, expected: '"ASYNC"' in case["text"],
    "fallback": lambda case, expected: re.search(r'"\$[^"]* \| ', case["text"]),
    "flow out of time": lambda case, expected: expected["status"] == "TIMED_OUT",
}


def compiled(case):
    """The case as interpreters get it. Its functions have its name in theirs, so that cases can run side by side."""
    prefix = case["name"] + "."
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(case["definition"]))
        file.flush()
        command = [os.environ["FLOWGATE_BIN"], "compile", file.name, "--functions", prefix + "{name}"]
        printed = subprocess.run(command, capture_output=True, text=True)
    if printed.returncode != 0:
        sys.exit(f"error: {case['name']} does not compile: {printed.stderr}")
    functions = {prefix + name: steps for name, steps in case["functions"].items()}
    expected = meaning.Execution(case["definition"], case["start"], functions, prefix).run()
    given = {"name": case["name"], "machine": printed.stdout, "start": case["start"], "functions": functions}
    return {"given": given, "expected": expected, "name": case["name"], "text": json.dumps(case["definition"])}


def outcomes(interpreter, cases):
    """What comes of the cases, by name."""
    lines = "".join(json.dumps(case["given"]) + "\n" for case in cases)
    answered = subprocess.run(INTERPRETERS[interpreter], input=lines, stdout=subprocess.PIPE, text=True)
    if answered.returncode != 0:
        sys.exit(f"error: {interpreter} ended with {answered.returncode}")
    return {outcome["name"]: outcome for outcome in map(json.loads, answered.stdout.splitlines())}


def compared(outcome):
    """What must agree: independent of the order of members and of calls that are made at once."""
    from_interpreter = (outcome["error"] or "").startswith("States.")
    stopped_early = from_interpreter or outcome["status"] == "TIMED_OUT"
    cause = outcome["cause"]
    if from_interpreter:
        cause = None  # each has its own words for it
    elif cause and cause.startswith("{"):
        cause = canonical(json.loads(cause))
    return {
        "status": outcome["status"],
        "output": canonical(outcome["output"]),
        "error": outcome["error"] if outcome["status"] == "FAILED" else None,
        "cause": cause if outcome["status"] == "FAILED" else None,
        # What else was begun when the execution failed is chance.
        "calls": None if stopped_early else sorted(map(canonical, outcome["calls"])),
        "waits": None if stopped_early else sorted(outcome["waits"]),
    }


def canonical(value):
    return json.dumps(value, sort_keys=True)


def show(case, interpreter, outcome):
    """Prints in what an outcome differs."""
    print(f"\n{case['name']} on {interpreter}")
    expected, seen = compared(case["expected"]), compared(outcome)
    for member in expected:
        if expected[member] != seen[member]:
            print(f"  {member}:\n    expected {expected[member]}\n    seen     {seen[member]}")


def main(names):
    cases = [case for case in generate.cases() if not names or case["name"] in names]
    if not cases:
        sys.exit(f"error: there is no case {' or '.join(names)}")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        cases = list(pool.map(compiled, cases))
        shares = [
            (name, cases[number :: SHARES.get(name, 1)])
            for name in INTERPRETERS for number in range(SHARES.get(name, 1))
        ]
        answers = list(pool.map(lambda share: outcomes(*share), shares))
    seen = {name: {} for name in INTERPRETERS}
    for (name, _), answer in zip(shares, answers):
        seen[name].update(answer)

    if names:
        for case in cases:
            print(canonical({"meaning": case["expected"], **{name: seen[name][case["name"]] for name in INTERPRETERS}}))
    known = json.loads((HERE / "differences.json").read_text())
    occurred, unexplained = Counter(), 0
    for interpreter, results in seen.items():
        agreed = 0
        for case in cases:
            if compared(results[case["name"]]) == compared(case["expected"]):
                agreed += 1
                continue
            reasons = [
                entry["situation"] for entry in known
                if interpreter in entry["interpreters"] and SITUATIONS[entry["situation"]](case, case["expected"])
            ]
            # An entry counts where there can be no other reason.
            occurred.update((interpreter, situation) for situation in reasons if len(reasons) == 1)
            if not reasons:
                unexplained += 1
                show(case, interpreter, results[case["name"]])
        print(f"{interpreter}: {agreed} of {len(cases)} agree")
    print("expected:", dict(Counter(case["expected"]["status"] for case in cases)))
    gone = [
        (interpreter, entry["situation"])
        for entry in known for interpreter in entry["interpreters"] if not occurred[interpreter, entry["situation"]]
    ]
    if not names:
        for interpreter, situation in gone:
            print(f"differences.json has `{situation}` for {interpreter}, which no longer occurs")
    if unexplained or gone and not names:
        sys.exit(1)


main(sys.argv[1:])
