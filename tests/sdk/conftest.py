"""Starts the binary once for all tests; the vendor's clients come as PyPI has them."""

import os
import tempfile

# Before the SDK is loaded: it writes an id into its user's home folder, and would send requests through a proxy.
_home = tempfile.TemporaryDirectory(prefix="flowgate-sdk-home-")
os.environ["HOME"] = _home.name
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

import pytest

from server import Server, binary

SHOWN_LOG_LINES = 12


def pytest_configure(config):
    # What the vendor's packages do at import is not ours to mend.
    for module in ("obs", "huaweicloudsdkcore"):
        config.addinivalue_line("filterwarnings", f"ignore::DeprecationWarning:{module}.*")
        config.addinivalue_line("filterwarnings", f"ignore::SyntaxWarning:{module}.*")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(binary(), tmp_path_factory.mktemp("flowgate"))
    yield server
    server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    server = item.funcargs.get("server")
    if report.failed and server is not None:
        lines = server.log().splitlines()[-SHOWN_LOG_LINES:]
        report.sections.append(("end of flowgate's log", "\n".join(lines)))
    return report
