#!/usr/bin/env python3
"""Sends every event file through `cargo lambda watch` with `cargo lambda invoke`, and the three starts by plain HTTP.

The statuses are compared with the `.response.json` beside each event; the Rust tests compare the whole answers. The
function runs at the instant of events/clock.txt, the one the event files are signed for. Needs cargo-lambda on PATH and
no package besides Python's own; `make test-watch` runs it.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
APIS = ("obs", "functiongraph_v1", "functiongraph_v2")
# Far beyond what a start takes; it only ends a wait for what will never come.
START_DEADLINE_SECONDS = 300
CALL_DEADLINE_SECONDS = 60

# The variables of the machine that would lead the function to another store, another clock or another runtime.
FOREIGN = ("FLOWGATE_", "AWS_", "CARGO_LAMBDA_")


def main():
    # `case.before.json` and `case.response.json` stand beside `case.json`.
    events = [path for path in sorted(ROOT.glob("events/*/*.json")) if path.name.count(".") == 1]
    if not events:
        sys.exit("error: there are no event files in events/*/")

    scratch = pathlib.Path(tempfile.mkdtemp(prefix="flowgate-watch-"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment.update(
        FLOWGATE_FIXED_TIME=(ROOT / "events/clock.txt").read_text().strip(),
        FLOWGATE_STORE="embedded",
        # What an event is answered must not depend on how far an execution has come.
        FLOWGATE_ENGINE="none",
        FLOWGATE_DATA_DIR=str(scratch / "data"),
        FLOWGATE_LOG_FORMAT="text",
    )
    watch = Watch(environment, scratch / "watch.log")
    try:
        watch.start()
        failures = [failure for event in events for failure in check_event(watch, event)]
        failures += [failure for api in APIS for failure in check_start(watch, api)]
    finally:
        watch.stop()

    for failure in failures:
        print(f"FAILED {failure}")
    if failures:
        print(f"--- the last lines of cargo lambda watch ---\n{watch.last_lines()}")
    checked = len(events) + len(APIS)
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"watch: {checked - len(failures)} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


class Watch:
    """A `cargo lambda watch` of this package on a free port of 127.0.0.1."""

    def __init__(self, environment, log):
        self.environment = environment
        self.log = log
        self.port = free_port()
        self.process = None

    def start(self):
        command = ["cargo", "lambda", "watch", "--locked", "--ignore-changes"]
        command += ["--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
        print(f"==> {' '.join(command)}", flush=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while True:
            # A path of no API: the function itself says so, and nobody else in its words.
            status, answer = request("GET", f"{self.url}/ready")
            if status == 404 and "APIGW.0101" in answer:
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: cargo lambda watch does not answer ({status} {answer}):\n{self.last_lines()}")
            time.sleep(0.5)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def last_lines(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])


def check_event(watch, event):
    """Invokes the function with one event file; yields what is wrong with the answer."""
    name = event.relative_to(ROOT)
    before = event.with_suffix(".before.json")
    events_before = json.loads(before.read_text()) if before.exists() else []
    for one in events_before if isinstance(events_before, list) else [events_before]:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(one, file)
            file.flush()
            answer, problem = invoke(watch, pathlib.Path(file.name))
        if problem or answer.get("statusCode") != 200:
            yield f"{name}: the event before it got {problem or answer}"
            return
    answer, problem = invoke(watch, event)
    if problem:
        yield f"{name}: {problem}"
        return
    expected = json.loads(event.with_suffix(".response.json").read_text())
    if "statusCode" not in (expected or {}):
        # No call: what the sender reads is short.
        if answer != expected:
            yield f"{name}: {answer} instead of {expected}"
            return
        print(f"ok {name}", flush=True)
        return
    status = answer.get("statusCode")
    if status != expected["statusCode"]:
        yield f"{name}: status {status} instead of {expected['statusCode']}: {answer.get('body')}"
        return
    print(f"ok {name} {status}", flush=True)


def invoke(watch, event):
    """Sends one event file; gives the answer, or None and what went wrong."""
    command = ["cargo", "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(watch.port)]
    command += ["--data-file", str(event)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=watch.environment, capture_output=True, text=True, timeout=CALL_DEADLINE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer within {CALL_DEADLINE_SECONDS} s"
    if done.returncode != 0:
        return None, f"the function failed: {done.stdout.strip()} {done.stderr.strip()}"
    return json.loads(done.stdout), None


def check_start(watch, api):
    """Sends the request of one API's start event to the watch address, as a client would; yields what is wrong."""
    event = json.loads((ROOT / "events" / api / "start.json").read_text())
    path = event.get("path") or event["rawPath"]
    signer = ["cargo", "run", "--quiet", "--locked", "--", "sign", "curl", "POST", watch.url + path]
    signer += ["--data", event["body"]]
    signed = subprocess.run(signer, cwd=ROOT, env=watch.environment, capture_output=True, text=True)
    if signed.returncode != 0:
        yield f"{api} by HTTP: flowgate sign curl fails: {signed.stderr.strip()}"
        return

    # What is printed is meant for a shell, so a shell reads it; curl tells the status on a line of its own.
    options = f"--silent --show-error --noproxy '*' --max-time {CALL_DEADLINE_SECONDS} --write-out '\\n%{{http_code}}'"
    sent = subprocess.run(["sh", "-c", f"{signed.stdout.strip()} {options}"], capture_output=True, text=True)
    body, _, status = sent.stdout.rpartition("\n")
    if status != "200":
        yield f"{api} by HTTP: status {status} instead of 200: {body} {sent.stderr.strip()}"
        return
    print(f"ok {api} by HTTP {status}", flush=True)


def request(method, url):
    """Asks without a proxy; gives the status, or 0 and the reason when nothing answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, method=method), timeout=CALL_DEADLINE_SECONDS) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
