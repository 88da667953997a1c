#!/usr/bin/env bash
# Makes a Python environment from a requirements file: venv.sh DIRECTORY REQUIREMENTS [PIP-OPTION...]
#
# DIRECTORY/.complete is written last, so an interrupted installation does not count as one and is made anew.
set -euo pipefail

directory=$1 requirements=$2
shift 2

printf '==> set-up: %s from %s\n' "$directory" "$requirements"
rm -rf "$directory"
mkdir -p "$(dirname "$directory")"
if ! "${PYTHON:-python3}" -m venv "$directory"; then
    rm -rf "$directory"
    echo "error: ${PYTHON:-python3} cannot make a virtual environment; on Debian and Ubuntu install python3-venv" >&2
    exit 1
fi

# On a terminal pip draws its progress bars; in a log only its errors are of use.
quiet=--quiet
[ ! -t 1 ] || quiet=
"$directory/bin/python" -m pip install $quiet --disable-pip-version-check --no-input "$@" --requirement "$requirements"

touch "$directory/.complete"
printf '==> set-up: %s is complete\n' "$directory"
