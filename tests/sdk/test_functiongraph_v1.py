"""FunctionGraph v1 through the vendor's `huaweicloudsdkcore`, the part all its SDKs are made over."""

import json
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ServerResponseException
from huaweicloudsdkfunctiongraph.v2 import FlowExecuteBody, StartWorkflowExecutionRequest

import keys
from functiongraph import NOT_AUTHENTICATED, build, refusal, v2_client
from functiongraph_v1_client import FunctionGraphV1Client
from server import CHINESE_NAME, workflow_id

CONFLICT = (
    409,
    "FGS.4106",
    "executions.execution_name belongs to an execution that a different request started",
)
NO_WORKFLOW = (404, "FGS.1011", "the workflow does not exist")


def graph_urn(name="media-transcode", project_id=keys.PROJECT, region=keys.REGION):
    return f"urn:fgs:{region}:{project_id}:graph:{name}"


def execution_urn(execution, workflow="media-transcode", key=keys.SAMPLE):
    return f"urn:fgs:{keys.REGION}:{key.project_id}:execution:{workflow}:{execution}:{key.domain_id}"


def a_name():
    return f"run-{uuid.uuid4()}"


def v1_client(server, key):
    return build(FunctionGraphV1Client.new_builder(), server, key)


@pytest.fixture
def client_and_wire(server):
    return v1_client(server, keys.SAMPLE)


@pytest.fixture
def client(client_and_wire):
    return client_and_wire[0]


@pytest.fixture
def wire(client_and_wire):
    return client_and_wire[1]


def body(name, input='{"k1":"123"}', action="start", **further):
    return {"action_type": action, "executions": {"execution_name": name, "input": input}, **further}


def start(client, name, input='{"k1":"123"}', urn=graph_urn(), percent_encoded=True):
    """Starts, checks that the answer is of the one form there is, and returns its two values."""
    answer = client.execution_action(urn, body(name, input), percent_encoded)
    assert answer.status_code == 200
    values = {"execution_urn": answer.execution_urn, "started_at": answer.started_at}
    assert answer.to_json_object() == values
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.started_at)
    return answer.execution_urn, answer.started_at


def refused(client, wire, body, urn=graph_urn(), percent_encoded=True):
    return refusal(lambda: client.execution_action(urn, body, percent_encoded), wire)


def without(document, *path):
    """A copy of the document that lacks the member at the path."""
    copy = json.loads(json.dumps(document))
    *parents, last = path
    inner = copy
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    return copy


class TestStart:
    def test_the_answer_names_the_execution_and_when_it_was_started(self, client, wire):
        name = a_name()
        before = datetime.now(timezone.utc)
        urn, started_at = start(client, name)
        after = datetime.now(timezone.utc)
        assert urn == execution_urn(name)
        started_at = datetime.strptime(started_at, "%Y-%m-%dT%H:%M:%S.%f%z")
        assert before - timedelta(milliseconds=1) <= started_at <= after
        assert re.fullmatch("[0-9a-f]{32}", wire.last.headers["X-Request-Id"])
        assert wire.last.headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("percent_encoded", [True, False])
    def test_the_urn_arrives_percent_encoded_or_as_it_is(self, client, wire, percent_encoded):
        name = a_name()
        assert start(client, name, percent_encoded=percent_encoded)[0] == execution_urn(name)
        path = wire.last.request.path_url
        assert ("urn%3Afgs%3Alocal-1%3A" in path, "urn:fgs:local-1:" in path) == (percent_encoded, not percent_encoded)

    def test_callers_bring_their_region_and_answers_carry_ours(self, client):
        name = a_name()
        assert start(client, name, urn=graph_urn(region="cn-north-1"))[0] == execution_urn(name)

    @pytest.mark.parametrize("name", ["执行-1", "\U0001f600", "a.b@c(d)=e+f!'g", "_", "-", "x" * 80, "值" * 80])
    def test_a_name_has_1_to_80_unicode_characters(self, client, name):
        # No other test starts this workflow under names that are not random.
        urn = start(client, name, urn=graph_urn("order-fanout"))[0]
        assert urn == execution_urn(name, "order-fanout")

    @pytest.mark.parametrize(
        "input", ["{}", "[1,2]", "null", "true", "1E400", '"text"', ' {"a": "\\u0000"}\n', '"值\U0001f600"']
    )
    def test_the_input_is_any_json_in_a_string(self, client, input):
        name = a_name()
        assert start(client, name, input)[0] == execution_urn(name)

    def test_the_input_has_at_most_32768_bytes(self, client, wire):
        fits = '"' + "x" * 32766 + '"'
        start(client, a_name(), fits)
        assert_code(refused(client, wire, body(a_name(), fits + " ")), 400, "FGS.2008", "input")
        # 10925 characters, 32769 bytes.
        assert_code(refused(client, wire, body(a_name(), '"' + "值" * 10922 + ' "')), 400, "FGS.2008", "input")

    def test_members_nobody_knows_are_ignored(self, client):
        name = a_name()
        extended = body(name, further=[1])
        extended["executions"]["further"] = {}
        assert client.execution_action(graph_urn(), extended).execution_urn == execution_urn(name)

    def test_each_project_has_its_own(self, server, client):
        other, wire = v1_client(server, keys.OTHER)
        name = a_name()
        urn = graph_urn(project_id=keys.OTHER_PROJECT)
        start(client, name, '{"n":1}')
        assert start(other, name, '{"n":2}', urn)[0] == execution_urn(name, key=keys.OTHER)


class TestStartingTwice:
    def test_the_same_again_gets_the_first_answer_again(self, client):
        name = a_name()
        first = start(client, name, '{"a":1,"b":[2]}')
        time.sleep(0.01)
        for input in ('{"a":1,"b":[2]}', '{ "b": [2], "a": 1 }'):
            assert start(client, name, input) == first

    @pytest.mark.parametrize("input", ['{"a":2}', '{"a":1.0}', '{"a":"1"}', "[]", '"{\\"a\\":1}"'])
    def test_a_different_request_under_the_same_name_is_a_conflict(self, client, wire, input):
        name = a_name()
        first = start(client, name, '{"a":1}')
        assert refused(client, wire, body(name, input)) == CONFLICT
        assert start(client, name, '{"a":1}') == first

    def test_a_name_counts_within_its_workflow(self, client):
        name = a_name()
        start(client, name, '{"n":1}')
        urn = start(client, name, '{"n":2}', graph_urn("order-fanout"))[0]
        assert urn == execution_urn(name, "order-fanout")

    def test_a_name_counts_across_the_apis(self, server, client, wire):
        name = a_name()
        v2, _ = v2_client(server, keys.SAMPLE)
        request = StartWorkflowExecutionRequest(
            workflow_id=workflow_id("media-transcode"), x_workflow_run_id=name, body=FlowExecuteBody(input={"n": 1})
        )
        assert v2.start_workflow_execution(request).execution_id == name
        assert refused(client, wire, body(name, '{"n":2}')) == CONFLICT

    def test_64_threads_with_one_name_get_one_answer(self, client):
        name = a_name()
        barrier = threading.Barrier(64)

        def one(_):
            barrier.wait()
            return start(client, name)

        with ThreadPoolExecutor(64) as threads:
            answers = list(threads.map(one, range(64)))
        assert len(set(answers)) == 1
        assert answers[0][0] == execution_urn(name)


def assert_code(refused, status, code, names):
    assert refused[:2] == (status, code)
    assert names in refused[2]


class TestErrorCodes:
    """Every code that decisions.md has for a start, at the status it has there."""

    @pytest.mark.parametrize("empty", [None, ""])
    def test_fgs_0008_the_body_is_empty(self, client, wire, empty):
        assert_code(refused(client, wire, empty), 400, "FGS.0008", "body")

    @pytest.mark.parametrize("text", ["{", "start", '{"action_type":"start",}', "[" * 200 + "]" * 200])
    def test_fgs_0009_the_body_is_not_json(self, client, wire, text):
        assert_code(refused(client, wire, text), 400, "FGS.0009", "JSON")

    @pytest.mark.parametrize(
        "document, names",
        [
            ("[]", "body"),
            ("3", "body"),
            (without(body("a"), "action_type"), "action_type"),
            (without(body("a"), "executions"), "executions"),
            (without(body("a"), "executions", "execution_name"), "executions.execution_name"),
            (without(body("a"), "executions", "input"), "executions.input"),
            (body("a", action=1), "action_type"),
            (body("a", action=None), "action_type"),
            (body("a") | {"executions": []}, "executions"),
            (body("a") | {"executions": None}, "executions"),
            (body(1), "executions.execution_name"),
            (body(["a"]), "executions.execution_name"),
        ],
    )
    def test_fgs_0005_a_member_is_missing_or_of_another_type(self, client, wire, document, names):
        assert_code(refused(client, wire, document), 400, "FGS.0005", names)

    @pytest.mark.parametrize("action", ["", "restart", "START", "start "])
    def test_fgs_2006_the_action_is_none(self, client, wire, action):
        assert_code(refused(client, wire, body(a_name(), action=action)), 400, "FGS.2006", "action_type")

    @pytest.mark.parametrize(
        "name",
        ["", "x" * 81, "值" * 81]
        + [f"a{c}b" for c in "<>{}[]?*\"#%\\^|~`$&,;:/ \t\n\u00a0\u3000\u0000\u001f\u007f\u009f"],
    )
    def test_fgs_2001_the_name_is_illegal(self, client, wire, name):
        assert_code(refused(client, wire, body(name)), 400, "FGS.2001", "executions.execution_name")

    @pytest.mark.parametrize("input", ["", " ", "text", "{", "{} {}", "{'a':1}", {}, {"a": 1}, [], 3, True])
    def test_fgs_2008_the_input_is_no_string_holding_json(self, client, wire, input):
        assert_code(refused(client, wire, body(a_name(), input)), 400, "FGS.2008", "executions.input")

    @pytest.mark.parametrize("percent_encoded", [True, False])
    @pytest.mark.parametrize(
        "urn",
        [
            "media-transcode",
            "urn:fgs:local-1",
            graph_urn(region=""),
            graph_urn(name=""),
            graph_urn(name="-a"),
            graph_urn(name="x" * 65),
            graph_urn(name="a:b"),
            graph_urn(name="media.transcode"),
            graph_urn().replace("fgs", "fss"),
            graph_urn().replace("graph", "function"),
            graph_urn().upper(),
            graph_urn(project_id=keys.OTHER_PROJECT),
        ],
    )
    def test_fgs_0010_the_urn_is_illegal_or_of_another_project(self, client, wire, urn, percent_encoded):
        assert_code(refused(client, wire, body(a_name()), urn, percent_encoded), 400, "FGS.0010", "graph_urn")

    def test_fgs_0010_the_urn_has_characters_that_a_name_cannot_have(self, client, wire):
        for name in (CHINESE_NAME, "a b", "a/b", "a~b", "a\u0000"):
            assert_code(refused(client, wire, body(a_name()), graph_urn(name)), 400, "FGS.0010", "graph_urn")

    def test_fgs_1011_there_is_no_such_workflow(self, client, wire):
        for name in ("no-such", "Media-Transcode"):
            assert refused(client, wire, body(a_name()), graph_urn(name)) == NO_WORKFLOW

    def test_fgs_1011_the_key_is_for_another_workflow(self, server):
        client, wire = v1_client(server, keys.LIMITED)
        name = a_name()
        assert start(client, name)[0] == execution_urn(name)
        assert refused(client, wire, body(a_name()), graph_urn("order-fanout")) == NO_WORKFLOW

    def test_fgs_0004_the_path_has_another_project(self, server):
        key = keys.Key(keys.SAMPLE.access_key, keys.SAMPLE.secret_key, keys.OTHER_PROJECT, keys.OTHER_DOMAIN)
        client, wire = v1_client(server, key)
        for urn in (graph_urn(), graph_urn(project_id=keys.OTHER_PROJECT)):
            assert_code(refused(client, wire, body(a_name()), urn), 403, "FGS.0004", "project_id")

    def test_fgs_0004_the_key_is_not_for_starting(self, server):
        client, wire = v1_client(server, keys.POWERLESS)
        assert_code(refused(client, wire, body(a_name())), 403, "FGS.0004", "operation")

    def test_fgs_4109_the_body_is_too_large(self, client, wire):
        padding = 256 * 1024 - len(json.dumps(body("", "{}", padding="")))
        name = a_name()
        fits = body(name, "{}", padding="x" * (padding - len(name)))
        assert client.execution_action(graph_urn(), fits).execution_urn == execution_urn(name)
        assert int(wire.last.request.headers["Content-Length"]) == 256 * 1024
        too_large = fits | {"padding": fits["padding"] + "x"}
        assert_code(refused(client, wire, too_large), 413, "FGS.4109", "262144")

    def test_an_operation_that_is_not_served_says_so(self, client, wire):
        not_served = refusal(lambda: client.show_graph(graph_urn()), wire, ServerResponseException)
        assert not_served == (501, "FGS.0012", "this operation is not served here")


class TestAuthentication:
    """The vendor's API gateway stands in front of v1 too, and speaks for itself."""

    @pytest.mark.parametrize(
        "key, reason",
        [
            (keys.SAMPLE.with_secret("wrong"), "the signature does not match the request"),
            (keys.unknown("NOBODYSKEYV1"), "unknown access key"),
            (keys.EXPIRED, "the access key has expired"),
            (keys.TEMPORARY.with_security_token(None), "missing security token `X-Security-Token`"),
            (keys.TEMPORARY.with_security_token("wrong"), "wrong security token `X-Security-Token`"),
        ],
    )
    def test_who_does_not_prove_who_they_are_is_refused(self, server, key, reason):
        client, wire = v1_client(server, key)
        assert refused(client, wire, body("", "{"), "no-urn") == (401, "APIGW.0301", NOT_AUTHENTICATED + reason)

    def test_a_temporary_key_comes_in_with_its_security_token(self, server):
        client, _ = v1_client(server, keys.TEMPORARY)
        name = a_name()
        assert start(client, name)[0] == execution_urn(name)
