"""What is measured: builds of flowgate and of this package, and the peers from their registries."""

import functools
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import zipfile

from .console import Skip, say

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
# Finished programs, since the builds of flowgate overwrite each other, and the data directories of the servers.
KEPT = TARGET / "bench"
PEERS = BENCH / "peers"

# Set by run.py: take what an earlier run built.
reuse_builds = False


def profile():
    """flowgate's release profile, for cargo to build this package with as well."""
    sections = re.split(r"^(?=\[)", (ROOT / "Cargo.toml").read_text(), flags=re.MULTILINE)
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / "profile.toml"
    file.write_text("".join(section for section in sections if section.startswith("[profile.release")))
    return file


def build(directory, binaries, *options, name=None):
    """Builds programs of a package and keeps copies; the only one under another name, if one is given."""
    kept = [KEPT / (name or binary) for binary in binaries]
    if reuse_builds and all(copy.exists() for copy in kept):
        return
    say(f"set-up: building {', '.join(copy.name for copy in kept)} (minutes if nothing is compiled yet)")
    command = [os.environ.get("CARGO", "cargo"), "build", "--quiet", "--locked", "--release", "--config", profile()]
    command += [*options, *(f"--bin={binary}" for binary in binaries)]
    subprocess.run(command, cwd=directory, check=True, env={**os.environ, "CARGO_TARGET_DIR": str(TARGET)})
    for binary, copy in zip(binaries, kept):
        shutil.copy2(TARGET / "release" / binary, copy)


@functools.cache
def deployed():
    build(ROOT, ["flowgate"], "--no-default-features", name="flowgate-deployed")
    return KEPT / "flowgate-deployed"


@functools.cache
def local():
    build(ROOT, ["flowgate"])
    return KEPT / "flowgate"


@functools.cache
def sdk_defaults():
    build(BENCH, ["flowgate-sdk-defaults"], "--features=sdk-defaults")
    return KEPT / "flowgate-sdk-defaults"


@functools.cache
def build_functions():
    build(BENCH, ["function", "hello", "floor", "floor-counted", "flowgate-counted"])


@functools.cache
def build_load():
    build(BENCH, ["load"])


def own(binary):
    """A program of this package; the load client by itself, for it is all that the servers' sections need."""
    if binary == "load":
        build_load()
    else:
        build_functions()
    return KEPT / binary


def locked_versions(*crates):
    """The versions of crates that both flowgate and this package are built with."""
    lock = (BENCH / "Cargo.lock").read_text()
    return {crate: re.search(rf'^name = "{crate}"\nversion = "(.*)"', lock, re.MULTILINE)[1] for crate in crates}


def zipped_bytes(program):
    """How large the program is as Lambda takes it."""
    archive = KEPT / f"{program.name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.write(program, "bootstrap")
    return archive.stat().st_size


def attempt(what, command, **options):
    """Runs a step of a set-up without which a peer is skipped."""
    say(f"set-up: {what}")
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)
    except OSError as error:
        raise Skip(f"{what}: {error}") from error
    except subprocess.CalledProcessError as error:
        raise Skip(f"{what}: {error.stderr.strip().splitlines()[-1:]}") from error


def environment(directory, requirements):
    """A Python environment, made like those of the Makefile."""
    directory = ROOT / directory
    if not (directory / ".complete").exists():
        script = ROOT / "scripts/venv.sh"
        attempt(f"{directory.name} from PyPI", [script, directory, requirements], env={**os.environ, "PYTHON": sys.executable})
    return directory / "bin"


@functools.cache
def moto():
    return environment(".venv-moto", BENCH / "requirements-moto.txt") / "moto_server"


@functools.cache
def ministack():
    return environment(".venv-ministack", ROOT / "requirements-ministack.txt") / "ministack"


@functools.cache
def restate():
    """The server itself: npm's command is a script around it, whose memory nobody asked for."""
    npm_packages()
    servers = sorted((PEERS / "node_modules/@restatedev").glob("restate-server-*/bin/restate-server"))
    if not servers:
        raise Skip(f"npm has no Restate server for {platform.system()} on {platform.machine()}")
    return servers[0]


@functools.cache
def npm_packages():
    installed = PEERS / "node_modules/.complete"
    wanted = (PEERS / "package.json").read_text()
    if not installed.exists() or installed.read_text() != wanted:
        quiet = ["--silent", "--no-fund", "--no-audit", "--no-package-lock"]
        attempt("Restate from npm", ["npm", "install", *quiet, "--prefix", str(PEERS)])
        installed.write_text(wanted)
