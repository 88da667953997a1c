"""The running binary."""

import json
import os
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path

import keys

ROOT = Path(__file__).resolve().parents[2]

# A name that OBS and FunctionGraph v1 cannot say, and that the SDK has to percent-encode.
CHINESE_NAME = "视频转码.v2"


def workflow_id(name, project_id=keys.PROJECT):
    """The id of a workflow that was loaded from a file."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"flowgate:{project_id}:{name}"))


def workflow_urn(name, project_id=keys.PROJECT, region=keys.REGION):
    return f"urn:fss:{region}:{project_id}:workflow:default:{name}:latest"


class Server:
    """A process of the binary over an empty data directory."""

    def __init__(self, binary, directory, **settings):
        """`settings` are further variables of the process."""
        self._log = directory / "log"
        credentials = directory / "credentials.json"
        credentials.write_text(json.dumps(keys.credentials_file()))
        # Nothing of the caller's environment: a proxy or an AWS setting in it would be the server's too.
        environment = {
            "PORT": "0",
            "FLOWGATE_DATA_DIR": str(directory / "data"),
            "FLOWGATE_WORKFLOWS_DIR": str(_workflows(directory / "workflows")),
            "FLOWGATE_CREDENTIALS_FILE": str(credentials),
            "FLOWGATE_LOG_FORMAT": "json",
            "HOME": str(directory),
            **settings,
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [binary], env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )
        self.port = int(self._wait_for_address().rpartition(":")[2])
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def _wait_for_address(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for line in self.log_lines():
                if line["message"] == "listening":
                    return line["address"]
            if self._process.poll() is not None:
                break
            time.sleep(0.02)
        self._process.kill()
        self._process.wait()
        raise AssertionError(f"the binary did not start; its log:\n{self.log()}")

    def log(self):
        return self._log.read_text()

    def log_lines(self):
        """Every complete line of the log."""
        return [json.loads(line) for line in self.log().splitlines(keepends=True) if line.endswith("\n")]

    def calls(self):
        """A log line for every request that was answered so far."""
        return [line for line in self.log_lines() if line["message"] == "call answered"]

    def stop(self):
        """Ends the process as a container platform does, and checks what it leaves behind."""
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            status = "none within 20 seconds"
        log = self.log()
        assert status == 0, f"after SIGTERM the exit status was {status}; the log:\n{log}"
        shown = [secret for secret in keys.secrets() if secret in log]
        assert shown == [], "the log shows secrets"
        assert re.search("Signature=|(OBS|AWS) [A-Z0-9]+:", log) is None, "the log shows signatures"
        # The OBS SDK repeats a request after any 5xx, which would pass unnoticed.
        failed = [line for line in self.calls() if line["status"] >= 500 and line["status"] != 501]
        assert failed == [], "the server failed"
        sample = "the sample credentials are in use, which everybody knows"
        expected = {"workflow created", "listening", "call answered", sample}
        others = [line for line in self.log_lines() if line["message"] not in expected]
        assert others == [], "the log has lines nobody expects"


def _workflows(directory):
    """The samples, and one of them under a Chinese name."""
    directory.mkdir()
    for file in (ROOT / "workflows").glob("*.json"):
        (directory / file.name).write_bytes(file.read_bytes())
    definition = json.loads((directory / "media-transcode.json").read_text())
    definition["name"] = CHINESE_NAME
    (directory / "chinese-name.json").write_text(json.dumps(definition))
    return directory


def binary():
    path = os.environ.get("FLOWGATE_BIN")
    if not path:
        raise AssertionError("FLOWGATE_BIN must name the binary; `make test-sdk` builds it and sets it")
    return path
