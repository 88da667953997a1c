"""Runs cases on MiniStack's Step Functions interpreter; see scripted.py."""

import json
import logging
import time

from ministack.services import stepfunctions

import scripted


def invoke(function, event):
    """Stands in for the call of Lambda."""
    step = scripted.by_function[function].call(function, event)
    if "refuse" in step:
        raise stepfunctions._ExecutionError(step["refuse"]["error"], step["refuse"]["cause"])
    if "throw" in step:
        raise stepfunctions._ExecutionError(step["throw"]["errorType"], json.dumps(step["throw"]))
    return step.get("return")


def wait(state, raw_input, ctx=None):
    """Notes a Wait state down before it is executed."""
    scripted.by_name[ctx["Execution"]["Name"]].wait(state["Seconds"])
    return execute_wait(state, raw_input, ctx)


def answer(response):
    """The body of an answer."""
    status, _, body = response
    if status != 200:
        raise RuntimeError(body)
    return json.loads(body)


def run(case):
    given = case.given
    machine = answer(stepfunctions._create_state_machine(
        {"name": given["name"], "definition": given["machine"], "roleArn": "arn:aws:iam::123456789012:role/r"}
    ))
    started = answer(stepfunctions._start_execution(
        {"stateMachineArn": machine["stateMachineArn"], "name": given["name"], "input": json.dumps(given["start"])}
    ))
    until = time.monotonic() + scripted.PATIENCE_SECONDS
    while time.monotonic() < until:
        execution = answer(stepfunctions._describe_execution(started))
        if execution["status"] != "RUNNING":
            break
        time.sleep(0.02)
    return case.outcome(
        execution["status"], execution.get("output"), execution.get("error"), execution.get("cause")
    )


logging.disable(logging.CRITICAL)
execute_wait = stepfunctions._execute_wait
stepfunctions._execute_wait = wait
stepfunctions._call_lambda = invoke
# Names are what a case calls its functions, not what MiniStack's own Lambda would know.
stepfunctions._resolve_lambda_function_ref = lambda name, optimized: name
stepfunctions._scaled_sleep = lambda seconds: None
scripted.main(run)
