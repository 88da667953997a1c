"""Runs cases on moto's Step Functions interpreter; see scripted.py."""

import functools
import json
import logging
import time

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

import scripted


def invoke(parameters, region, state_credentials):
    """Stands in for the call of Lambda."""
    function = parameters["FunctionName"]
    step = scripted.by_function[function].call(function, json.loads(parameters["Payload"]))
    if "refuse" in step:
        # moto makes of it what the step says.
        code = step["refuse"]["error"].removeprefix("Lambda.")
        metadata = {"HTTPStatusCode": 400, "RequestId": "r"}
        raise ClientError({"Error": {"Code": code, "Message": "refused"}, "ResponseMetadata": metadata}, "Invoke")
    if "throw" in step:
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": step["throw"]}
    return {"StatusCode": 200, "Payload": step.get("return")}


def wait(self, env, wait_seconds):
    """Stands in for the passing of time in a Wait state."""
    execution = env.states.context_object.context_object_data["Execution"]
    scripted.by_name[execution["Name"]].wait(wait_seconds)


class NoTime:
    """Stands in for the passing of time before a Retry."""

    @staticmethod
    def sleep(seconds):
        pass


def run(case):
    given = case.given
    machine = client.create_state_machine(
        name=given["name"], definition=given["machine"], roleArn="arn:aws:iam::123456789012:role/r"
    )
    started = client.start_execution(
        stateMachineArn=machine["stateMachineArn"], name=given["name"], input=json.dumps(given["start"])
    )
    until = time.monotonic() + scripted.PATIENCE_SECONDS
    while time.monotonic() < until:
        execution = client.describe_execution(executionArn=started["executionArn"])
        if execution["status"] != "RUNNING":
            break
        time.sleep(0.02)
    # A text is described as it is, without the quotes that make it JSON.
    output = backend.describe_execution(started["executionArn"]).output
    return case.outcome(execution["status"], json.dumps(output), execution.get("error"), execution.get("cause"))


logging.disable(logging.CRITICAL)
lambda_eval_utils._invoke_lambda_function = invoke
WaitFunction._wait_interval = wait
retrier_decl.time = NoTime
# Nearly all of the time goes into parsing: once is enough, for the machine and its one execution.
AmazonStateLanguageParser.parse = staticmethod(functools.lru_cache(maxsize=None)(AmazonStateLanguageParser.parse))
with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
    client = boto3.client("stepfunctions", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    backend = stepfunctions_parser_backends["123456789012"]["us-east-1"]
    scripted.main(run)
