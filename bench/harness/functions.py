"""Sections `cold` and `warm`: programs as Lambda functions of a stand-in for the Runtime API and for AWS."""

import json
import os
import re
import shutil
import subprocess

from . import programs, requests
from .console import say
from .machine import run, summary
from .servers import DATA

ACCESS_KEY, SECRET_KEY = "BENCHKEY", "a-secret-key-that-only-this-benchmark-knows"
CREDENTIALS = json.dumps(
    {
        "credentials": [
            {
                "access_key": ACCESS_KEY,
                "secret_key": SECRET_KEY,
                "project_id": requests.PROJECT,
                "domain_id": "bench",
            }
        ]
    }
)
FROM_ENVIRONMENT = {"FLOWGATE_CREDENTIALS": CREDENTIALS}
FROM_SECRETS_MANAGER = {"FLOWGATE_CREDENTIALS_SECRET": "flowgate"}
# What the bare programs heed: no threads beside the main one, as flowgate where it is deployed.
ONE_THREAD = {"ONE_THREAD": "1"}
WORKFLOW = "order-fanout"
# Where distributions keep the certificates they trust in one file.
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

CRATES = ("flowgate", "lambda_http", "aws-config", "aws-sdk-dynamodb", "tokio")


def one_bundle():
    """Has a program read one file of certificates, as on Lambda, whatever folders of them this machine has."""
    return next(({"SSL_CERT_FILE": path} for path in BUNDLES if os.path.exists(path)), {})


def program(name, command, env=None):
    return {
        "name": name,
        "command": [str(part) for part in command],
        "env": {**one_bundle(), **(env or {})},
        "log": str(DATA / f"{name.replace(' ', '-').replace(',', '')}.log"),
        "event": json.dumps(requests.event(WORKFLOW, ACCESS_KEY, SECRET_KEY)),
    }


def measure(members, what):
    """Has the programs measured by `function`, which loads the workflow into the stand-in first."""
    DATA.mkdir(parents=True, exist_ok=True)
    definition = programs.ROOT / "workflows" / f"{WORKFLOW}.json"
    load = [programs.deployed(), "load", "--project", requests.PROJECT, definition]
    # Not local, so that it expects the table to be there, which a stand-in cannot make.
    env = {"FLOWGATE_BIND": "0.0.0.0", "FLOWGATE_ENGINE": "none", **FROM_ENVIRONMENT}
    task = {
        "setup": program("load", load, env),
        "secret": CREDENTIALS,
        "programs": members,
        "what": what,
    }
    done = subprocess.run([programs.own("function")], input=json.dumps(task), capture_output=True, text=True)
    if done.returncode:
        logs = "".join(run("tail", "-n", "3", member["log"]) for member in members)
        raise SystemExit(f"error: {done.stderr.strip()}\n{logs}")
    return json.loads(done.stdout)


def cold(options):
    deployed, defaults = programs.deployed(), programs.sdk_defaults()
    members = {
        "hello": ([programs.own("hello")], {}),
        "hello, one thread": ([programs.own("hello")], ONE_THREAD),
        "flowgate": ([deployed], FROM_ENVIRONMENT),
        "flowgate, Secrets Manager": ([deployed], FROM_SECRETS_MANAGER),
        "flowgate, SDK defaults": ([defaults], FROM_ENVIRONMENT),
    }
    rounds = options.count(60, 5)
    say(f"cold: {len(members)} programs in turn, {rounds} rounds")
    measured = measure([program(name, *how) for name, how in members.items()], {"cold": {"rounds": rounds}})
    result = {}
    for name, ([binary], _) in members.items():
        numbers = measured[name]
        result[name] = {
            "init_us": summary(numbers["init"]),
            "init_cpu_us": summary(numbers["init_cpu"]),
            "first_answer_us": summary(numbers["answer"]),
            "calls": numbers["calls"],
            "binary_bytes": binary.stat().st_size,
            "zip_bytes": programs.zipped_bytes(binary),
        }
        say(f"cold: {name}: init p50 {result[name]['init_us']['p50'] / 1e3:.2f} ms")
    return {"rounds": rounds, "programs": result, "versions": programs.locked_versions(*CRATES)}


def warm(options):
    programs_under_test = {
        "floor": (programs.own("floor"), programs.own("floor-counted"), {}),
        "floor, one thread": (programs.own("floor"), programs.own("floor-counted"), ONE_THREAD),
        "flowgate": (programs.deployed(), programs.own("flowgate-counted"), FROM_ENVIRONMENT),
    }
    events = options.count(5000, 100)
    say(f"warm: {len(programs_under_test)} programs in turn, {events} starts each")
    members = [program(name, [binary], env) for name, (binary, _, env) in programs_under_test.items()]
    measured = measure(members, {"warm": {"warmup": max(events // 10, 10), "events": events}})
    result = {}
    for name, (binary, counted, env) in programs_under_test.items():
        numbers = measured[name]
        calls = {operation: count / events for operation, count in numbers["calls"].items()}
        result[name] = {"answer_us": summary(numbers["answer"]), "calls_per_start": calls}
        result[name].update(heap_per_start(name, counted, env, events))
        result[name].update(instructions_per_start(name, binary, env, options))
        say(f"warm: {name}: p50 {result[name]['answer_us']['p50']:.0f} us, calls {calls}")
    versions = {**programs.locked_versions(*CRATES), "valgrind": run("valgrind", "--version") or "none"}
    return {"events": events, "programs": result, "versions": versions}


def marginal(member, few, many, read):
    """What one more start adds to numbers that a program gives for its whole life."""
    totals = []
    for events in (few, many):
        measure([member], {"warm": {"warmup": 0, "events": events}})
        totals.append(read(open(member["log"], encoding="utf-8", errors="replace").read()))
    return [round((most - least) / (many - few), 1) for least, most in zip(*totals)]


def heap_per_start(name, binary, env, events):
    def read(log):
        return list(map(int, re.search(r"^allocations (\d+) bytes (\d+)$", log, re.MULTILINE).groups()))

    allocations, heap_bytes = marginal(program(f"{name} counted", [binary], env), 100, 100 + events, read)
    return {"allocations_per_start": allocations, "heap_bytes_per_start": heap_bytes}


def instructions_per_start(name, binary, env, options):
    if not shutil.which("valgrind"):
        say(f"warm: {name}: SKIPPED instructions: valgrind is not installed (Debian: apt-get install valgrind)")
        return {"instructions_per_start": None}

    def read(log):
        return [int(re.search(r"Collected : (\d+)", log)[1])]

    say(f"warm: {name} under callgrind (slow)")
    callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", binary]
    few, many = 50, 50 + options.count(500, 50)
    [instructions] = marginal(program(f"{name} callgrind", callgrind, {**env, "PATH": os.environ["PATH"]}), few, many, read)
    return {"instructions_per_start": round(instructions)}
