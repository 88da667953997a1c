"""Executions from their start to their end through the vendor's clients, on the engine that a local start has.

The functions of the samples are part of that engine.
"""

import time

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkfunctiongraph.v2 import (
    FlowExecuteBody,
    RetryWorkFlowRequest,
    StartSyncWorkflowExecutionRequest,
    StopWorkFlowRequest,
)

import keys
from functiongraph import v2_client
from test_watching import execution_urn, obs_client, show, start, stop

# Far beyond what a sample takes; it only ends a wait for what will never come.
DEADLINE_SECONDS = 120

SAMPLES = ["media-transcode", "order-fanout"]


@pytest.fixture
def v2(server):
    return v2_client(server, keys.SAMPLE)[0]


def wait_for(read, wanted):
    """Polls until what is read satisfies, and returns it."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = read()
        if wanted(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def wait_for_end(v2, name, workflow):
    return wait_for(lambda: show(v2, name, workflow, x_get_workflow_full_history_data=True), lambda shown: shown.status != "running")


class TestFromStartToEnd:
    @pytest.mark.parametrize("workflow", SAMPLES)
    def test_a_sample_is_polled_to_its_end(self, v2, workflow):
        name = start(v2, workflow)
        ended = wait_for_end(v2, name, workflow)
        assert ended.status == "success", ended
        assert ended.end_time is not None and ended.output is not None
        runs = [run for node in ended.node_execution_details for run in node.executions]
        assert runs and all(run.status in ("success", "fail") and run.end_time >= run.begin_time for run in runs)

    def test_obs_polls_to_the_end_what_it_started(self, server):
        obs = obs_client(server)
        name = obs.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "videos/demo.mp4").body.executionName
        read = lambda: obs.getWorkflowExecution(name, "media-transcode").body.executionInfo
        info = wait_for(read, lambda info: info["execution_state"] != "RUNNING")
        assert (info["execution_state"], info["execution_urn"]) == ("SUCCESS", execution_urn(name, "media-transcode"))
        assert info["state_map"]["end"]["status"] == "SUCCESS"
        listed = obs.listWorkflowExecution("media-transcode", limit=100, executionState="SUCCESS").body.executions
        assert name in [entry["execution_name"] for entry in listed]

    def test_a_synchronous_start_returns_the_output(self, v2):
        request = StartSyncWorkflowExecutionRequest(
            workflow_id="order-fanout", body=FlowExecuteBody(input={"bucket": "orders", "object": "18.json"})
        )
        answer = v2.start_sync_workflow_execution(request)
        assert (answer.status, answer.errors) == ("success", [])
        assert show(v2, answer.execution_id, "order-fanout").output == answer.output


class TestStopAndRetry:
    # It waits five seconds for an approval, so that there is time to stop it.
    WORKFLOW = "expense-approval"
    INPUT = {"bucket": "expenses", "object": "17.json", "inputs": {"amount": 12.5}}

    def test_a_running_execution_is_stopped_and_tried_again(self, v2):
        name = start(v2, self.WORKFLOW, self.INPUT)
        waits = lambda shown: "wait" in [node.node_id for node in shown.node_execution_details]
        wait_for(lambda: show(v2, name, self.WORKFLOW), waits)
        stop(v2, name, self.WORKFLOW)
        stopped = wait_for_end(v2, name, self.WORKFLOW)
        assert stopped.status == "cancel", stopped
        retry = RetryWorkFlowRequest(workflow_id=self.WORKFLOW, execution_id=name)
        assert v2.retry_work_flow(retry).status_code == 200
        runs = lambda shown: [run for node in shown.node_execution_details for run in node.executions]
        before = len(runs(stopped))
        wait_for(lambda: show(v2, name, self.WORKFLOW), lambda shown: len(runs(shown)) > before)
        stop(v2, name, self.WORKFLOW)
        assert wait_for_end(v2, name, self.WORKFLOW).status == "cancel"

    def test_what_succeeded_is_neither_stopped_nor_tried_again(self, v2):
        name = start(v2, "order-fanout")
        wait_for_end(v2, name, "order-fanout")
        for call in (
            lambda: v2.stop_work_flow(StopWorkFlowRequest(workflow_id="order-fanout", execution_id=name)),
            lambda: v2.retry_work_flow(RetryWorkFlowRequest(workflow_id="order-fanout", execution_id=name)),
        ):
            with pytest.raises(ClientRequestException) as caught:
                call()
            assert (caught.value.status_code, caught.value.error_code) == (409, "FSS.0409")
