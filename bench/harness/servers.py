"""Running servers: flowgate, and the peers it is measured against, each with an empty data directory of its own."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from . import programs, requests
from .console import Skip

DATA = programs.KEPT / "data"
# Writes to disk that a server waits for, by every way there is but io_uring, which none of these uses.
FLUSHES = "fsync,fdatasync,sync_file_range,msync,syncfs,sync"
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(url, body=None, headers=None, timeout=30):
    """Sends JSON and returns the answer's text."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    with NO_PROXY.open(request, timeout=timeout) as answer:
        return answer.read().decode()


class Process:
    """A program that runs until it is stopped, and what it costs."""

    def __init__(self, name, command, env=None):
        self.directory = DATA / f"{name}-{os.getpid()}"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.log = self.directory / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "HOME": str(self.directory), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_for(self, url, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                return NO_PROXY.open(url, timeout=5).read()
            except urllib.error.HTTPError:
                return b""
            except OSError:
                time.sleep(0.05)
        tail = self.last_lines()
        self.stop()
        raise Skip(f"{url} does not answer; its log ends with {tail}")

    def last_lines(self):
        return self.log.read_text(errors="replace").splitlines()[-3:]

    def _status(self, field):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.MULTILINE)[1])

    def memory_mb(self):
        return round(self._status("VmRSS") / 1024, 1)

    def threads(self):
        return self._status("Threads")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written_bytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/io").read_text()
        return int(re.search(r"^write_bytes: (\d+)", text, re.MULTILINE)[1])

    def count_flushes(self, work):
        """How often it waits for the disk while `work` runs; None where strace is missing or may not look."""
        if not shutil.which("strace"):
            return None
        command = ["strace", "--follow-forks", "--summary-only", f"--trace={FLUSHES}", f"--attach={self.process.pid}"]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        time.sleep(1)
        if tracer.poll() is None:
            work()
            tracer.send_signal(signal.SIGINT)
        summary = tracer.communicate()[1]
        if " attached" not in summary:
            return None
        calls = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(?!total)\w+$", summary, re.MULTILINE)
        return sum(map(int, calls))

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Flowgate(Process):
    """The binary with the embedded store, as `make run` starts it but for the engine, which runs nothing unless asked to."""

    name = "flowgate"
    durability = "SQLite with a WAL, synchronous = FULL: one fdatasync for all starts that wait, before they are answered"

    def __init__(self, workflows, engine="none", env=None):
        self.port = free_port()
        definitions = DATA / f"workflows-{os.getpid()}"
        shutil.rmtree(definitions, ignore_errors=True)
        definitions.mkdir(parents=True)
        for definition in workflows:
            (definitions / f"{definition['name']}.json").write_text(json.dumps(definition))
        settings = {"PORT": str(self.port), "FLOWGATE_ENGINE": engine, "FLOWGATE_WORKFLOWS_DIR": str(definitions)}
        self.address = f"127.0.0.1:{self.port}"
        self.binary = programs.local()
        super().__init__(self.name, [self.binary, "serve"], {**settings, **(env or {})})
        self.wait_for(f"http://{self.address}/readyz")
        if " ERROR " in (log := self.log.read_text(errors="replace")):
            self.stop()
            raise SystemExit(f"error: flowgate does not start as it should: {log}")

    @property
    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def get(self, workflow, rest, query=""):
        """A request of the API; its answer as text."""
        head, *lines = requests.get(self.address, workflow, rest, query).split("\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        target = head.split(" ")[1]
        with NO_PROXY.open(urllib.request.Request(f"http://{self.address}{target}", headers=headers), timeout=60) as answer:
            return answer.read().decode()


class Restate(Process):
    """The server, and the service it calls."""

    name = "Restate"
    durability = "as it comes: fdatasync of the log server's WAL (rocksdb-disable-wal-fsync = false)"

    def __init__(self, service):
        server, ingress, admin, node = programs.restate(), free_port(), free_port(), free_port()
        self.version = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        env = {
            "DO_NOT_TRACK": "1",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        }
        options = ["--no-logo", "--bind-ip", "127.0.0.1", "--bind-port", str(node), "--listen-mode", "tcp"]
        super().__init__(self.name, [server, *options, "--base-dir", "data"], env)
        self.address, self.admin = f"127.0.0.1:{ingress}", f"http://127.0.0.1:{admin}"
        self.wait_for(f"{self.admin}/health")
        self.wait_for(f"http://{self.address}/restate/health")
        ask(f"{self.admin}/deployments", {"uri": f"http://127.0.0.1:{service.restate_port}"})

    def start(self, rest):
        """A start of a workflow whose key is new each time; `rest` is `run`, `run/send` or `run/send?delay=1h`."""
        headers = {"Host": self.address, "Content-Type": "application/json"}
        return requests.text("POST", f"/bench/{{{{n}}}}/{rest}", headers, requests.START_BODY)


class Service(Process):
    """The function that both engines call."""

    def __init__(self):
        programs.npm_packages()
        self.restate_port, self.port = free_port(), free_port()
        env = {"RESTATE_LOGGING": "ERROR"}
        super().__init__("service", ["node", programs.PEERS / "service.mjs", self.restate_port, self.port], env)
        self.url = f"http://127.0.0.1:{self.port}/"
        self.wait_for(self.url)

    def calls(self, of):
        return json.loads(ask(self.url))[of]


class StepFunctions(Process):
    """A server that stands in for AWS Step Functions; its executions end at once."""

    durability = "none: in memory"
    # Nobody checks the signature, but the scope says which service is meant.
    HEADERS = {
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/states/aws4_request, "
        "SignedHeaders=host, Signature=0",
        "X-Amz-Date": "20261121T000000Z",
    }

    def __init__(self, command, port, env):
        self.address = f"127.0.0.1:{port}"
        super().__init__(self.name, command, env)
        self.wait_for(f"http://{self.address}/")
        definition = json.dumps({"StartAt": "done", "States": {"done": {"Type": "Succeed"}}})
        machine = {"name": "bench", "definition": definition, "roleArn": "arn:aws:iam::000000000000:role/bench"}
        answer = ask(f"http://{self.address}/", machine, self.target("CreateStateMachine"))
        self.machine = json.loads(answer)["stateMachineArn"]

    def target(self, operation):
        return {**self.HEADERS, "X-Amz-Target": f"AWSStepFunctions.{operation}"}

    def start(self):
        body = {"stateMachineArn": self.machine, "name": "{{n}}", "input": requests.START_BODY}
        headers = {"Host": "states.us-east-1.amazonaws.com", **self.target("StartExecution")}
        return requests.text("POST", "/", headers, json.dumps(body))


class Moto(StepFunctions):
    name = "moto"

    def __init__(self):
        command, port = programs.moto(), free_port()
        self.version = package_version(command, "moto")
        super().__init__([command, "--host", "127.0.0.1", "--port", port], port, {})


class MiniStack(StepFunctions):
    name = "MiniStack"

    def __init__(self):
        command, port = programs.ministack(), free_port()
        self.version = package_version(command, "ministack")
        env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "stepfunctions", "LOG_LEVEL": "ERROR"}
        super().__init__([command], port, env)


def package_version(command, package):
    python = pathlib.Path(command).parent / "python"
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return f"{package} " + subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
