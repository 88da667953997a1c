#!/usr/bin/env bash
# Checks compiled workflows with two independent validators: validate-asl.sh PYTHON-ENVIRONMENT NODE-DIRECTORY FILE...
#
# cfn-lint looks at each as the definition of a state machine in a CloudFormation template; npm's asl-validator, which is
# installed into NODE-DIRECTORY unless it is there, looks at paths and fields. Any finding fails.
set -euo pipefail

environment=$1 node=$2
shift 2
asl_validator=asl-validator@4.0.0

if [ ! -x "$node/node_modules/.bin/asl-validator" ]; then
    echo "==> set-up: $asl_validator from npm"
    npm install --silent --no-fund --no-audit --no-save --prefix "$node" "$asl_validator"
fi

templates=$(mktemp -d)
trap 'rm -rf "$templates"' EXIT
"$environment/bin/python" - "$templates" "$@" <<'PYTHON'
import json
import pathlib
import sys

directory, *files = sys.argv[1:]
for file in files:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": "arn:aws:iam::123456789012:role/states",
            "Definition": json.loads(pathlib.Path(file).read_text()),
        },
    }
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Machine": machine}}
    pathlib.Path(directory, pathlib.Path(file).name).write_text(json.dumps(template))
PYTHON

echo "==> cfn-lint: $# compiled workflows"
"$environment/bin/cfn-lint" --include-checks I --non-zero-exit-code informational "$templates"/*.json
echo "==> asl-validator: $# compiled workflows"
for file in "$@"; do
    "$node/node_modules/.bin/asl-validator" --silent --json-path "$file" || {
        "$node/node_modules/.bin/asl-validator" --json-path "$file" || true
        exit 1
    }
done
