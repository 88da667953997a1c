"""Lists, details, history and stops through the vendor's clients, of executions that nothing runs.

FLOWGATE_ENGINE=none: a started execution stays as it is until it is stopped. What an engine makes of executions is in
test_running.py.
"""

import json
import uuid

import pytest
from huaweicloudsdkfunctiongraph.v2 import (
    FlowExecuteBody,
    ListWorkflowExecutionsRequest,
    RetryWorkFlowRequest,
    ShowWorkflowExecutionForPageRequest,
    ShowWorkflowExecutionRequest,
    StartSyncWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    StopWorkFlowRequest,
)
from obs import WorkflowClient

import keys
from functiongraph import build, refusal, v2_client
from functiongraph_v1_client import FunctionGraphV1Client
from server import Server, binary, workflow_id, workflow_urn

WORKFLOW = "expense-approval"
INPUT = {"bucket": "expenses", "object": "17.json"}
MODES = ["obs", "v2", "v4"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(binary(), tmp_path_factory.mktemp("flowgate-none"), FLOWGATE_ENGINE="none")
    yield server
    server.stop()


@pytest.fixture
def v2_and_wire(server):
    return v2_client(server, keys.SAMPLE)


@pytest.fixture
def v2(v2_and_wire):
    return v2_and_wire[0]


@pytest.fixture
def v1_and_wire(server):
    return build(FunctionGraphV1Client.new_builder(), server, keys.SAMPLE)


def obs_client(server, mode="obs"):
    return WorkflowClient(
        access_key_id=keys.SAMPLE.access_key,
        secret_access_key=keys.SAMPLE.secret_key,
        server=server.endpoint,
        signature=mode,
        max_retry_count=0,
    )


def graph_urn(workflow=WORKFLOW):
    return f"urn:fgs:{keys.REGION}:{keys.PROJECT}:graph:{workflow}"


def execution_urn(name, workflow=WORKFLOW):
    return f"urn:fgs:{keys.REGION}:{keys.PROJECT}:execution:{workflow}:{name}:{keys.DOMAIN}"


def start(v2, workflow=WORKFLOW, input=INPUT):
    body = FlowExecuteBody(input=input, headers={"tenantId": "user1"})
    request = StartWorkflowExecutionRequest(workflow_id=workflow, x_workflow_run_id=str(uuid.uuid4()), body=body)
    return v2.start_workflow_execution(request).execution_id


def show(v2, name, workflow=WORKFLOW, **parameters):
    request = ShowWorkflowExecutionRequest(workflow_id=workflow, execution_id=name, **parameters)
    return v2.show_workflow_execution(request)


def stop(v2, name, workflow=WORKFLOW):
    answer = v2.stop_work_flow(StopWorkFlowRequest(workflow_id=workflow, execution_id=name))
    assert answer.status_code == 200


class TestFunctionGraphV2:
    def test_an_execution_is_listed(self, v2):
        name = start(v2)
        request = ListWorkflowExecutionsRequest(workflow_id=workflow_id(WORKFLOW), limit=10, offset=0, status="running")
        newest = v2.list_workflow_executions(request).executions[0]
        assert (newest.execution_id, newest.status, newest.end_time) == (name, "running", None)
        assert newest.workflow_id == workflow_id(WORKFLOW)
        assert newest.workflow_urn == workflow_urn(WORKFLOW)
        assert newest.created_by == keys.SAMPLE.access_key
        assert newest.begin_time == newest.last_update_time

    def test_an_execution_is_listed_with_the_number_of_all(self, v2):
        names = [start(v2, "order-fanout") for _ in range(3)]
        pages = []
        for offset in range(3):
            request = ShowWorkflowExecutionForPageRequest(workflow_id="order-fanout", offset=offset, limit=1)
            page = v2.show_workflow_execution_for_page(request)
            assert page.size == 1 and page.total >= 3
            pages += [(entry.execution_id, entry.status) for entry in page.executions]
        assert pages == [(name, "scheduled") for name in reversed(names)]

    @pytest.mark.parametrize("whole", [None, True, False])
    def test_an_execution_is_shown(self, v2, whole):
        name = start(v2)
        given = {} if whole is None else {"x_get_workflow_full_history_data": whole}
        shown = show(v2, name, **given)
        assert (shown.execution_id, shown.status) == (name, "running")
        assert (shown.input, shown.headers, shown.output) == (INPUT, {"tenantId": "user1"}, None)
        assert shown.node_execution_details == []

    def test_an_execution_is_stopped_and_tried_again(self, v2_and_wire):
        v2, wire = v2_and_wire
        name = start(v2)
        stop(v2, name)
        assert wire.last.content == b""
        stopped = show(v2, name)
        assert stopped.status == "cancel" and stopped.end_time is not None
        stop(v2, name)
        assert v2.retry_work_flow(RetryWorkFlowRequest(workflow_id=WORKFLOW, execution_id=name)).status_code == 200
        assert show(v2, name).status == "running"

    def test_what_is_not_there_is_said(self, v2_and_wire):
        v2, wire = v2_and_wire
        for call in (
            lambda: show(v2, "nobody"),
            lambda: stop(v2, "nobody"),
            lambda: v2.retry_work_flow(RetryWorkFlowRequest(workflow_id=WORKFLOW, execution_id="nobody")),
        ):
            assert refusal(call, wire) == (404, "FSS.0404", "The specified resource was not found.")
        request = ListWorkflowExecutionsRequest(workflow_id="nobody")
        refused = refusal(lambda: v2.list_workflow_executions(request), wire)
        assert refused == (404, "FGS.5002", "Function flow not found.")

    def test_what_breaks_a_rule_is_named(self, v2_and_wire):
        v2, wire = v2_and_wire
        for name, value in [("limit", 501), ("offset", "x"), ("status", "done"), ("start_time", "today")]:
            request = ListWorkflowExecutionsRequest(workflow_id=WORKFLOW, **{name: value})
            status, code, message = refusal(lambda: v2.list_workflow_executions(request), wire)
            assert (status, code) == (400, "FGS.3002")
            assert message.startswith(f"Invalid parameters. {name} "), message

    def test_only_an_express_flow_can_be_waited_for(self, v2_and_wire):
        v2, wire = v2_and_wire
        request = StartSyncWorkflowExecutionRequest(workflow_id=WORKFLOW, body=FlowExecuteBody(input=INPUT))
        status, code, message = refusal(lambda: v2.start_sync_workflow_execution(request), wire)
        assert (status, code) == (400, "FGS.3002") and "EXPRESS" in message


class TestFunctionGraphV1:
    def get(self, v1_and_wire, path, **query):
        client, wire = v1_and_wire
        client.get(f"cloud_graphs/{path}", **query)
        return wire.last.json()

    def test_an_execution_is_listed_shown_and_stopped(self, v1_and_wire, v2):
        name = start(v2)
        graph, urn = graph_urn(), execution_urn(name)
        listed = self.get(v1_and_wire, f"{graph}/executions", name=name, start=1, limit=10)
        assert listed["count"] == 1
        assert listed["executions"][0]["execution_urn"] == execution_urn(name)
        assert (listed["executions"][0]["execution_status"], listed["executions"][0]["stopped_at"]) == ("RUNNING", "")
        info = self.get(v1_and_wire, f"executions/{urn}")["execution_info"]
        assert (info["execution_state"], info["start_state"], info["isTest"]) == ("RUNNING", "ask", False)
        assert json.loads(info["input"]) == INPUT
        assert info["state_map"]["wait"] == {"TYPE": "DELAY", "state_name": "wait", "status": "NOTRUNNING"}
        history = self.get(v1_and_wire, f"executions/{urn}/history", start=1, limit=10)
        assert history["state_history"][0]["execution_name"] == name
        assert self.get(v1_and_wire, f"graph_detail/{urn}")["definition"]["name"] == WORKFLOW

        client, wire = v1_and_wire
        body = {"action_type": "stop", "executions": {"execution_urn": execution_urn(name)}}
        client.execution_action(graph_urn(), body)
        stopped_at = wire.last.json()["stopped_at"]
        assert self.get(v1_and_wire, f"executions/{urn}")["execution_info"]["stopped_at"] == stopped_at

    def test_a_test_says_so(self, v1_and_wire):
        client, _ = v1_and_wire
        name = f"trial-{uuid.uuid4()}"
        body = {"action_type": "test_start", "executions": {"execution_name": name, "input": "[]"}}
        assert client.execution_action(graph_urn(), body).execution_urn == execution_urn(name)
        info = self.get(v1_and_wire, f"executions/{execution_urn(name)}")["execution_info"]
        assert info["isTest"] is True


class TestObs:
    @pytest.mark.parametrize("mode", MODES)
    def test_an_execution_is_listed_shown_and_tried_again(self, server, v2, mode):
        name = start(v2)
        obs = obs_client(server, mode)
        listed = obs.listWorkflowExecution(WORKFLOW, limit=1)
        assert listed.status == 200, listed
        assert listed.body.count == 1
        assert listed.body.executions[0]["execution_name"] == name
        shown = obs.getWorkflowExecution(name, WORKFLOW)
        assert shown.body.executionInfo["execution_urn"] == execution_urn(name)
        stop(v2, name)
        assert obs.getWorkflowExecution(name, WORKFLOW).body.executionInfo["execution_state"] == "ABORTED"
        restored = obs.restoreFailedWorkflowExecution(name, WORKFLOW)
        assert (restored.status, restored.body.executionName) == (200, name)
        assert restored.body.restoredAt.endswith("Z")

    @pytest.mark.parametrize("mode", MODES)
    def test_a_list_is_paged_by_its_marker_while_executions_start(self, server, v2, mode):
        workflow = "media-transcode"
        names = [start(v2, workflow) for _ in range(5)]
        obs = obs_client(server, mode)
        seen, marker = [], None
        while len(seen) < len(names):
            page = obs.listWorkflowExecution(workflow, nextMarker=marker, limit=2).body
            seen += [entry["execution_name"] for entry in page.executions]
            marker = page.nextMarker
            start(v2, workflow)
        assert seen[: len(names)] == list(reversed(names))

    def test_what_is_not_there_is_said(self, server):
        obs = obs_client(server)
        refused = obs.getWorkflowExecution("nobody", WORKFLOW)
        assert (refused.status, refused.errorCode) == (404, "NoSuchExecution")
        refused = obs.listWorkflowExecution("nobody")
        assert (refused.status, refused.errorCode) == (404, "NoSuchWorkflow")
