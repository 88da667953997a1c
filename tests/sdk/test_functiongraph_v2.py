"""FunctionGraph v2 through `huaweicloudsdkfunctiongraph`: the answers, and the refusals as the SDK's own exceptions."""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, ServerResponseException
from huaweicloudsdkfunctiongraph.v2 import (
    FlowExecuteBody,
    FunctionGraphAsyncClient,
    ListWorkflowRequest,
    StartWorkflowExecutionRequest,
)

import keys
from functiongraph import NOT_AUTHENTICATED, build, credentials, refusal, v2_client
from server import CHINESE_NAME, workflow_id, workflow_urn

INPUT = {"bucket": "demo-bucket", "object": "videos/demo.mp4"}
NOT_FOUND = (404, "FGS.5002", "Function flow not found.")
CONFLICT = (
    409,
    "FSS.0409",
    "The specified resource already exists. the key belongs to an execution that a different request started",
)


@pytest.fixture
def client_and_wire(server):
    return v2_client(server, keys.SAMPLE)


@pytest.fixture
def client(client_and_wire):
    return client_and_wire[0]


@pytest.fixture
def wire(client_and_wire):
    return client_and_wire[1]


def request(workflow="media-transcode", input=INPUT, headers=None, **parameters):
    body = FlowExecuteBody(input=input, headers=headers)
    return StartWorkflowExecutionRequest(workflow_id=workflow, body=body, **parameters)


def start(client, *arguments, **parameters):
    """Starts, checks that the answer is of the one form there is, and returns the execution id."""
    answer = client.start_workflow_execution(request(*arguments, **parameters))
    assert answer.status_code == 200
    assert answer.to_json_object() == {"execution_id": answer.execution_id}
    return answer.execution_id


def start_with_header(client, name, value, *arguments, **parameters):
    return client.start_workflow_execution_invoker(request(*arguments, **parameters)).add_header(name, value).invoke()


def is_random_uuid(text):
    return str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4


def a_run_id():
    return str(uuid.uuid4())


def refused(client, wire, *arguments, **parameters):
    return refusal(lambda: client.start_workflow_execution(request(*arguments, **parameters)), wire)


def assert_invalid(refused, names):
    status, code, message = refused
    assert (status, code) == (400, "FGS.3002")
    assert message.startswith("Invalid parameters. ")
    assert re.search(rf"(?i)\b{names}\b", message.removeprefix("Invalid parameters. ")), message


class TestStart:
    @pytest.mark.parametrize(
        "workflow",
        [
            workflow_id("media-transcode"),
            "media-transcode",
            workflow_urn("media-transcode"),
            workflow_id(CHINESE_NAME),
            CHINESE_NAME,
            workflow_urn(CHINESE_NAME),
        ],
    )
    def test_a_workflow_goes_by_its_id_its_name_and_its_urn(self, client, workflow):
        assert is_random_uuid(start(client, workflow))

    def test_the_three_ways_to_say_a_workflow_mean_the_same_one(self, client):
        run_id = a_run_id()
        for workflow in (workflow_id("order-fanout"), "order-fanout", workflow_urn("order-fanout")):
            assert start(client, workflow, x_workflow_run_id=run_id) == run_id
        with pytest.raises(ClientRequestException) as caught:
            start(client, workflow_urn("order-fanout"), input={}, x_workflow_run_id=run_id)
        assert caught.value.status_code == 409

    @pytest.mark.parametrize("input", [INPUT, {}, {"a": [1, None, {"b": 1.5}]}, json.dumps(INPUT), " {} "])
    @pytest.mark.parametrize("headers", [None, {"tenantId": "user1"}, '{"tenantId":"user1"}', {}])
    def test_input_and_headers_are_objects_or_strings_holding_them(self, client, input, headers):
        assert is_random_uuid(start(client, input=input, headers=headers))

    def test_every_start_without_a_run_id_is_an_execution_of_its_own(self, client):
        assert len({start(client) for _ in range(5)}) == 5
        assert start(client, x_workflow_run_id="") != start(client, x_workflow_run_id="")

    def test_the_log_has_one_line_with_the_execution_and_the_request_id(self, server, client, wire):
        execution_id = start(client)
        [line] = [line for line in server.calls() if line.get("execution") == execution_id]
        del line["timestamp"], line["duration_ms"]
        assert line == {
            "level": "INFO",
            "message": "call answered",
            "api": "functiongraph_v2",
            "operation": "start",
            "status": 200,
            "request_id": wire.last.headers["X-Request-Id"],
            "execution": execution_id,
            "replayed": False,
        }

    def test_any_unicode_is_taken(self, client):
        run_id = a_run_id()
        text = "値 \U0001f600 \u0000 \u2028 é ' \" \\"
        assert start(client, input={text: text}, headers={"h": text}, x_workflow_run_id=run_id) == run_id
        # The SDK escapes what is not ASCII; the same written as it is means the same.
        raw = json.dumps({text: text}, ensure_ascii=False)
        assert start(client, input=raw, headers={"h": text}, x_workflow_run_id=run_id) == run_id

    @pytest.mark.parametrize("date", ["", "2024-02-29", "1970-01-01", datetime.now(timezone.utc).strftime("%Y-%m-%d")])
    def test_a_create_time_is_a_date_that_has_come(self, client, date):
        assert is_random_uuid(start(client, x_create_time=date))

    @pytest.mark.parametrize("merge", ["", "true", "false", "True", "FALSE"])
    def test_merging_is_on_or_off(self, client, merge):
        assert is_random_uuid(start(client, x_workflow_run_merge_fn_parameters=merge))

    def test_another_content_type_takes_the_body_out_of_the_signature(self, client, wire):
        answer = start_with_header(client, "Content-Type", "text/plain")
        assert is_random_uuid(answer.execution_id)
        assert wire.last.request.headers["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"

    def test_the_asynchronous_client_gets_the_same(self, server):
        client, wire = build(FunctionGraphAsyncClient.new_builder(), server, keys.SAMPLE)
        run_id = a_run_id()
        futures = [client.start_workflow_execution_async(request(x_workflow_run_id=run_id)) for _ in range(4)]
        assert [future.result().execution_id for future in futures] == [run_id] * 4
        failing = client.start_workflow_execution_async(request("no-such"))
        assert refusal_of_future(failing) == NOT_FOUND
        assert len(wire.responses) == 5


def refusal_of_future(future):
    with pytest.raises(ClientRequestException) as caught:
        future.result()
    assert re.fullmatch("[0-9a-f]{32}", caught.value.request_id)
    return caught.value.status_code, caught.value.error_code, caught.value.error_msg


class TestStartingTwice:
    def test_the_run_id_is_the_execution_id_and_the_same_again_is_the_first_again(self, client):
        run_id = a_run_id()
        for input in ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, '{"b":[2],\n "a":1}'):
            assert start(client, input=input, headers={"h": "1"}, x_workflow_run_id=run_id) == run_id

    @pytest.mark.parametrize("run_id", ["a", "-", "A-0", "x" * 64])
    def test_a_run_id_has_1_to_64_letters_digits_and_hyphens(self, client, run_id):
        # No other test starts this workflow under names that are not random.
        assert start(client, "expense-approval", x_workflow_run_id=run_id) == run_id

    @pytest.mark.parametrize(
        "other",
        [
            {"input": {"a": 2}},
            {"input": {"a": "1"}},
            {"input": {"a": 1, "b": None}},
            {"headers": {"h": "1"}},
            {"x_workflow_run_merge_fn_parameters": "true"},
        ],
    )
    def test_a_different_request_under_the_same_run_id_is_a_conflict(self, client, wire, other):
        first = {"input": {"a": 1}, "x_workflow_run_id": a_run_id()}
        start(client, **first)
        assert refused(client, wire, **{**first, **other}) == CONFLICT
        assert start(client, **first) == first["x_workflow_run_id"], "the first is still there"

    def test_a_run_id_counts_within_its_workflow_and_its_project(self, server, client):
        run_id = a_run_id()
        other_project, _ = v2_client(server, keys.OTHER)
        assert start(client, "media-transcode", input={"n": 1}, x_workflow_run_id=run_id) == run_id
        assert start(client, "order-fanout", input={"n": 2}, x_workflow_run_id=run_id) == run_id
        assert start(other_project, "media-transcode", input={"n": 3}, x_workflow_run_id=run_id) == run_id

    def test_an_idempotency_key_does_the_same_and_leaves_the_id_to_the_service(self, client, wire):
        key = f"key {a_run_id()}"

        def once(**parameters):
            return start_with_header(client, "Idempotency-Key", key, **parameters)

        first = once().execution_id
        assert first != key and str(uuid.UUID(first)) == first
        assert once(input=json.dumps(INPUT)).execution_id == first
        assert refusal(lambda: once(input={}), wire) == CONFLICT
        run_id = a_run_id()
        assert once(input={}, x_workflow_run_id=run_id).execution_id == run_id, "the API's own key wins"

    def test_64_threads_with_one_run_id_start_one_execution(self, client, server):
        run_id = a_run_id()
        ids = in_parallel(64, lambda _: start(client, x_workflow_run_id=run_id))
        assert ids == [run_id] * 64
        lines = [line for line in server.calls() if line.get("execution") == run_id]
        assert [line["status"] for line in lines] == [200] * 64
        assert len({line["request_id"] for line in lines}) == 64

    def test_of_two_requests_that_race_for_a_run_id_one_wins_for_all(self, client):
        run_id = a_run_id()

        def outcome(number):
            try:
                return number % 2, start(client, input={"n": number % 2}, x_workflow_run_id=run_id)
            except ClientRequestException as error:
                return number % 2, (error.status_code, error.error_code, error.error_msg)

        outcomes = in_parallel(64, outcome)
        [winner] = {side for side, result in outcomes if result == run_id}
        assert outcomes == [(n % 2, run_id if n % 2 == winner else CONFLICT) for n in range(64)]

    def test_64_threads_with_one_idempotency_key_get_one_id(self, client):
        key = a_run_id()
        ids = in_parallel(64, lambda _: start_with_header(client, "Idempotency-Key", key).execution_id)
        assert len(set(ids)) == 1


def in_parallel(count, call):
    """Calls in as many threads, all at once, and returns the results in order."""
    barrier = threading.Barrier(count)

    def one(number):
        barrier.wait()
        return call(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


class TestInvalidParameters:
    @pytest.mark.parametrize("input", [[1, 2], [], 3, 1.5, True, "", "text", "[]", "null", "{", '{"a":1} x', '"{}"'])
    def test_an_input_that_is_no_object_is_refused(self, client, wire, input):
        assert_invalid(refused(client, wire, input=input), "input")

    def test_a_missing_input_is_refused(self, client, wire):
        for body in (FlowExecuteBody(), FlowExecuteBody(headers={}), {"input": None}, {}):
            call = lambda: client.start_workflow_execution(
                StartWorkflowExecutionRequest(workflow_id="media-transcode", body=body)
            )
            assert_invalid(refusal(call, wire), "input")

    @pytest.mark.parametrize("headers", [[1], 3, False, "text", "[]"])
    def test_headers_that_are_no_object_are_refused(self, client, wire, headers):
        assert_invalid(refused(client, wire, headers=headers), "headers")

    @pytest.mark.parametrize("body", [None, "{", "[]", "3", "null"])
    def test_a_body_that_is_no_object_is_refused(self, client, wire, body):
        call = lambda: client.start_workflow_execution(
            StartWorkflowExecutionRequest(workflow_id="media-transcode", body=body)
        )
        assert_invalid(refusal(call, wire), "body")

    @pytest.mark.parametrize("date", ["today", "2026-02-30", "20240229", "2024-2-9", "2024-02-29T00:00:00Z", "二〇二四"])
    def test_a_create_time_of_another_form_is_refused(self, client, wire, date):
        assert_invalid(refused(client, wire, x_create_time=date), "X-Create-Time")

    def test_a_create_time_in_the_future_is_refused(self, client, wire):
        date = (datetime.now(timezone.utc) + timedelta(days=2)).strftime("%Y-%m-%d")
        assert_invalid(refused(client, wire, x_create_time=date), "X-Create-Time")

    @pytest.mark.parametrize("run_id", ["x" * 65, "a_b", "a.b", "a b", "a/b", "值"])
    def test_a_run_id_of_another_form_is_refused(self, client, wire, run_id):
        assert_invalid(refused(client, wire, x_workflow_run_id=run_id), "X-WorkflowRun-ID")

    @pytest.mark.parametrize("merge", ["yes", "1", "truefalse"])
    def test_merging_that_is_neither_on_nor_off_is_refused(self, client, wire, merge):
        invalid = refused(client, wire, x_workflow_run_merge_fn_parameters=merge)
        assert_invalid(invalid, "X-WorkflowRun-MergeFnParameters")

    @pytest.mark.parametrize("key", ["", "k" * 129, "clé"])
    def test_an_idempotency_key_of_another_form_is_refused(self, client, wire, key):
        call = lambda: start_with_header(client, "Idempotency-Key", key)
        assert_invalid(refusal(call, wire), "Idempotency-Key")

    def test_a_workflow_id_of_more_than_512_characters_is_refused(self, client, wire):
        assert refused(client, wire, "值" * 512) == NOT_FOUND
        assert_invalid(refused(client, wire, "值" * 513), "workflow_id")

    def test_a_body_of_256_kib_is_taken_and_one_byte_more_is_not(self, client, wire):
        frame = len('{"input": {"a": ""}}')
        fits = {"a": "x" * (256 * 1024 - frame)}
        assert is_random_uuid(start(client, input=fits))
        assert int(wire.last.request.headers["Content-Length"]) == 256 * 1024
        too_large = {"a": fits["a"] + "x"}
        assert refused(client, wire, input=too_large) == (413, "FSS.0413", "The request body is too large.")


class TestUnknownWorkflows:
    @pytest.mark.parametrize(
        "workflow",
        [
            "no-such",
            "Media-Transcode",
            str(uuid.uuid4()),
            "{workflow_id}",
            "a/b c:d~e",
            workflow_urn("no-such"),
            workflow_id("media-transcode", keys.OTHER_PROJECT),
            workflow_urn("media-transcode", keys.OTHER_PROJECT),
        ],
    )
    def test_what_is_no_workflow_of_the_project_is_not_found(self, client, wire, workflow):
        assert refused(client, wire, workflow) == NOT_FOUND

    def test_the_vendors_sample_without_a_workflow_id_is_not_found(self, client, wire):
        call = lambda: client.start_workflow_execution(StartWorkflowExecutionRequest(body=FlowExecuteBody(input={})))
        assert refusal(call, wire) == NOT_FOUND
        assert wire.last.request.path_url.endswith("/workflows/%7Bworkflow_id%7D/executions")

    def test_a_key_for_one_workflow_finds_no_other(self, server):
        client, wire = v2_client(server, keys.LIMITED)
        assert is_random_uuid(start(client, "media-transcode"))
        assert is_random_uuid(start(client, workflow_id("media-transcode")))
        for workflow in ("order-fanout", workflow_id("order-fanout"), workflow_urn("order-fanout"), CHINESE_NAME):
            assert refused(client, wire, workflow) == NOT_FOUND

    def test_the_other_project_has_its_own_workflows(self, server):
        client, wire = v2_client(server, keys.OTHER)
        assert is_random_uuid(start(client, workflow_id("media-transcode", keys.OTHER_PROJECT)))
        assert refused(client, wire, workflow_id("media-transcode")) == NOT_FOUND


class TestAuthentication:
    def refused(self, server, key, **parameters):
        client, wire = v2_client(server, key)
        return refused(client, wire, **parameters)

    def assert_not_authenticated(self, refused, reason):
        assert refused == (401, "APIGW.0301", NOT_AUTHENTICATED + reason)

    def test_a_wrong_secret_is_refused(self, server):
        refused = self.refused(server, keys.SAMPLE.with_secret("wrong"))
        self.assert_not_authenticated(refused, "the signature does not match the request")

    def test_an_unknown_key_is_refused(self, server):
        self.assert_not_authenticated(self.refused(server, keys.unknown("NOBODYSKEYV2")), "unknown access key")

    def test_an_expired_key_is_refused_and_only_its_owner_learns_why(self, server):
        self.assert_not_authenticated(self.refused(server, keys.EXPIRED), "the access key has expired")
        wrong = self.refused(server, keys.EXPIRED.with_secret("wrong"))
        self.assert_not_authenticated(wrong, "the signature does not match the request")

    def test_a_temporary_key_needs_its_security_token(self, server):
        client, wire = v2_client(server, keys.TEMPORARY)
        assert is_random_uuid(start(client))
        assert wire.last.request.headers["X-Security-Token"] == keys.TEMPORARY.security_token
        missing = self.refused(server, keys.TEMPORARY.with_security_token(None))
        self.assert_not_authenticated(missing, "missing security token `X-Security-Token`")
        for token in ("wrong", keys.TEMPORARY.security_token + "x"):
            wrong = self.refused(server, keys.TEMPORARY.with_security_token(token))
            self.assert_not_authenticated(wrong, "wrong security token `X-Security-Token`")

    def test_the_refusal_of_credentials_comes_before_that_of_parameters(self, server):
        refused = self.refused(server, keys.unknown("NOBODYSKEYORDER"), workflow="no-such", input=[])
        self.assert_not_authenticated(refused, "unknown access key")

    @pytest.mark.parametrize("minutes", [-14, 14])
    def test_a_signature_is_good_for_15_minutes_either_way(self, client, minutes):
        assert is_random_uuid(start_with_header(client, "X-Sdk-Date", x_sdk_date(minutes)).execution_id)

    @pytest.mark.parametrize("minutes, direction", [(-16, "behind"), (16, "ahead of")])
    def test_a_signature_of_another_time_is_refused(self, client, wire, minutes, direction):
        status, code, message = refusal(lambda: start_with_header(client, "X-Sdk-Date", x_sdk_date(minutes)), wire)
        assert (status, code) == (401, "APIGW.0301")
        reason = rf"the request's time is (\d+) seconds {direction} the service's"
        off = re.fullmatch(NOT_AUTHENTICATED + reason, message)
        assert off and abs(int(off[1]) - 16 * 60) <= 5, message

    def test_another_project_is_forbidden(self, server):
        key = keys.Key(keys.SAMPLE.access_key, keys.SAMPLE.secret_key, keys.OTHER_PROJECT, keys.OTHER_DOMAIN)
        status, code, message = self.refused(server, key)
        assert (status, code) == (403, "APIGW.0302")
        assert message.startswith("The IAM user is not authorized to access the API.") and "project_id" in message

    def test_a_project_id_that_was_not_set_is_forbidden(self, server):
        key = keys.Key(keys.SAMPLE.access_key, keys.SAMPLE.secret_key, None, None)
        assert self.refused(server, key)[:2] == (403, "APIGW.0302")

    def test_an_operation_that_the_key_is_not_for_is_forbidden(self, server):
        for workflow in ("media-transcode", "no-such"):
            status, code, message = self.refused(server, keys.POWERLESS, workflow=workflow)
            assert (status, code) == (403, "APIGW.0302")
            assert message.startswith("The IAM user is not authorized to access the API.")

    def test_a_derived_key_signs_as_well(self, server):
        client, wire = v2_client(server, derived(keys.SAMPLE))
        assert is_random_uuid(start(client))
        assert is_random_uuid(start(client, CHINESE_NAME, headers={"h": "值"}, x_workflow_run_id=""))
        day = wire.last.request.headers["X-Sdk-Date"][:8]
        scope = f"V11-HMAC-SHA256 Credential={keys.SAMPLE.access_key}/{day}/local-1/functiongraph, "
        assert wire.last.request.headers["Authorization"].startswith(scope)

    def test_a_derived_key_of_a_wrong_secret_is_refused(self, server):
        refused = self.refused(server, derived(keys.SAMPLE.with_secret("wrong")))
        self.assert_not_authenticated(refused, "the signature does not match the request")

    def test_a_derived_key_with_unsigned_payload_signs_as_well(self, server):
        client, wire = v2_client(server, derived(keys.SAMPLE))
        assert is_random_uuid(start_with_header(client, "Content-Type", "text/plain").execution_id)
        assert wire.last.request.headers["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"

    def test_a_token_beside_a_wrong_signature_does_not_help(self, server):
        client, wire = v2_client(server, keys.unknown("NOBODYSKEYTOKEN"))
        refused = refusal(lambda: start_with_header(client, "X-Auth-Token", keys.TOKEN), wire)
        self.assert_not_authenticated(refused, "unknown access key")


def x_sdk_date(minutes):
    return (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y%m%dT%H%M%SZ")


def derived(key):
    """Credentials that sign with V11-HMAC-SHA256. The SDK leaves it to its caller to name the service and the region."""
    derived = credentials(key).with_derived_predicate(lambda request: True)
    derived._process_derived_auth_params("functiongraph", "local-1")
    return derived


class TestToken:
    """`X-Auth-Token` alone: the documents have it, the SDK does not."""

    def post(self, server, headers, project_id=keys.PROJECT):
        """Returns status, body, and the request id of the header."""
        url = f"{server.endpoint}/v2/{project_id}/fgs/workflows/media-transcode/executions"
        body = json.dumps({"input": INPUT}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer), answer.headers["X-Request-Id"]
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, json.load(answer), answer.headers["X-Request-Id"]

    def assert_refused(self, refused, status, code, message):
        request_id = refused[2]
        assert re.fullmatch("[0-9a-f]{32}", request_id)
        assert refused[:2] == (status, {"error_code": code, "error_msg": message, "request_id": request_id})

    def test_a_token_lets_its_owner_in(self, server):
        status, body, request_id = self.post(server, {"X-Auth-Token": keys.TOKEN})
        assert (status, body) == (200, {"execution_id": body["execution_id"]})
        assert is_random_uuid(body["execution_id"])
        assert re.fullmatch("[0-9a-f]{32}", request_id)
        assert self.post(server, {"X-Auth-Token": keys.OTHER_TOKEN}, keys.OTHER_PROJECT)[0] == 200

    @pytest.mark.parametrize(
        "headers, reason",
        [
            ({}, "no credentials: the request has neither `Authorization` nor `X-Auth-Token`"),
            ({"X-Auth-Token": "nobodys"}, "unknown token in `X-Auth-Token`"),
            ({"X-Auth-Token": keys.TOKEN.lower()}, "unknown token in `X-Auth-Token`"),
            ({"X-Auth-Token": keys.EXPIRED_TOKEN}, "the token in `X-Auth-Token` has expired"),
            ({"X-Auth-Token": ""}, "malformed `X-Auth-Token`: it is empty or too long"),
        ],
    )
    def test_without_a_token_of_today_nobody_comes_in(self, server, headers, reason):
        self.assert_refused(self.post(server, headers), 401, "APIGW.0301", NOT_AUTHENTICATED + reason)

    def test_a_token_is_for_its_own_project(self, server):
        message = (
            "The IAM user is not authorized to access the API. project_id is not the project of the credentials"
        )
        refused = self.post(server, {"X-Auth-Token": keys.OTHER_TOKEN})
        self.assert_refused(refused, 403, "APIGW.0302", message)


class TestNotServed:
    def test_an_operation_that_is_not_served_says_so(self, client, wire):
        not_served = refusal(lambda: client.list_workflow(ListWorkflowRequest()), wire, ServerResponseException)
        assert not_served == (501, "FSS.0501", "Not implemented. this operation is not served here")

    def test_strangers_do_not_learn_what_is_served(self, server):
        client, wire = v2_client(server, keys.unknown("NOBODYSKEYLIST"))
        refused = refusal(lambda: client.list_workflow(ListWorkflowRequest()), wire)
        assert refused == (401, "APIGW.0301", NOT_AUTHENTICATED + "unknown access key")


class TestTheVendorsSampleProgram:
    """The seed's Python sample, run as its reader runs it."""

    def run(self, server, key, workflow):
        environment = {
            **os.environ,
            "CLOUD_SDK_AK": key.access_key,
            "CLOUD_SDK_SK": key.secret_key,
            "CLOUD_SDK_PROJECT_ID": key.project_id,
            "FLOWGATE_ENDPOINT": server.endpoint,
            "WORKFLOW_ID": workflow,
        }
        program = Path(__file__).with_name("functiongraph_v2_sample.py")
        ran = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, timeout=60)
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    def test_it_starts_an_execution(self, server):
        printed = json.loads(self.run(server, keys.SAMPLE, workflow_id("media-transcode")))
        assert printed == {"execution_id": printed["execution_id"]}
        assert is_random_uuid(printed["execution_id"])
        assert [line["status"] for line in server.calls() if line.get("execution") == printed["execution_id"]] == [200]

    @pytest.mark.parametrize(
        "key, workflow, expected",
        [
            (keys.SAMPLE, "48aff955-ea10-4ffd-b426-190bc192dc14", NOT_FOUND),
            (
                keys.unknown("NOBODYSKEYSAMPLE"),
                "media-transcode",
                (401, "APIGW.0301", NOT_AUTHENTICATED + "unknown access key"),
            ),
        ],
    )
    def test_it_prints_why_it_was_refused(self, server, key, workflow, expected):
        status, request_id, code, message = self.run(server, key, workflow).splitlines()
        assert (int(status), code, message) == expected
        [line] = [line for line in server.calls() if line["request_id"] == request_id]
        assert (line["status"], line["code"]) == (expected[0], expected[1])
