"""OBS through `esdk-obs-python`, in all three signature modes of its client."""

import json
import re
import urllib.error
import urllib.request
import uuid
import xml.etree.ElementTree as xml
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from urllib.parse import quote

import pytest
from obs import ObsClient, WorkflowClient
from obs.auth import Authentication
from obs.convertor import Adapter

import keys

MODES = ["obs", "v2", "v4"]
PATH = "v2/workflows/media-transcode"

# The vendor's documents have this sentence.
SIGNATURE_DOES_NOT_MATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your key and signing method."
)


def workflow_client(server, key, mode="obs", **settings):
    """The vendor's client; there is one per process, which every call of this sets anew."""
    given = {} if key is None else {
        "access_key_id": key.access_key,
        "secret_access_key": key.secret_key,
        "security_token": key.security_token,
    }
    return WorkflowClient(server=server.endpoint, signature=mode, **given, **settings)


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


@pytest.fixture
def client(server, mode):
    return workflow_client(server, keys.SAMPLE, mode)


@pytest.fixture
def obs(server):
    """The client in its default mode, where it does not matter which."""
    return workflow_client(server, keys.SAMPLE)


def execution_urn(name, workflow="media-transcode", key=keys.SAMPLE):
    return f"urn:fgs:{keys.REGION}:{key.project_id}:execution:{workflow}:{name}:{key.domain_id}"


def assert_started(result, workflow="media-transcode", key=keys.SAMPLE):
    """Checks every value of a success, and returns the execution's name."""
    assert (result.status, result.reason) == (200, "OK"), result
    assert (result.errorCode, result.errorMessage, result.hostId, result.resource) == (None, None, None, None)
    assert_request_id(result)
    body = result.body
    assert re.fullmatch("[0-9a-f]{32}", body.executionName)
    assert body.executionUrn == execution_urn(body.executionName, workflow, key)
    started_at = datetime.strptime(body.startedAt, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    assert re.fullmatch(r".{19}\.\d{3}Z", body.startedAt)
    assert abs(datetime.now(timezone.utc) - started_at) < timedelta(minutes=1)
    return body.executionName


def assert_request_id(result):
    assert re.fullmatch("[0-9A-F]{32}", result.requestId)
    # The client takes the prefix from the names of the headers it knows by it.
    assert dict(result.header)["request-id"] == result.requestId


def refusal(server, call, resource="/" + PATH):
    """Calls, expects a refusal, and returns its status, code and message."""
    answered = len(server.calls())
    result = call()
    assert result.status >= 400, result
    assert_request_id(result)
    assert (result.hostId, result.resource) == ("flowgate", resource)
    [line] = server.calls()[answered:]
    assert line["request_id"] == result.requestId, "one request, one answer"
    return result.status, result.errorCode, result.errorMessage


def refused(server, client, *arguments, **parameters):
    return refusal(server, lambda: client.asyncAPIStartWorkflow(*arguments, **parameters))


class TestStart:
    def test_a_workflow_is_started(self, client):
        inputs = {"format": "webm", "height": 1080, "quality": 0.5, "labels": {"值": ["\U0001f600"]}, "languages": []}
        assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "/mpc/demo.mp4", inputs))

    def test_inputs_may_be_left_out(self, client):
        # The client sends `"inputs": null` then.
        assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4"))
        assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4", {}))

    def test_every_start_is_an_execution_of_its_own(self, client):
        start = lambda: client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4")
        assert len({assert_started(start()) for _ in range(5)}) == 5

    @pytest.mark.parametrize("name", ["视频/演示 1.mp4", "\U0001f600", "a\u0000b\"\\<&>", "é" * 512, "x" * 1024, " "])
    def test_an_object_has_1_to_1024_bytes_of_utf_8(self, client, name):
        assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", name))

    @pytest.mark.parametrize("bucket", ["abc", "a.b-c", "0" * 63])
    def test_a_bucket_has_3_to_63_letters_digits_dots_and_hyphens(self, client, bucket):
        assert_started(client.asyncAPIStartWorkflow("media-transcode", bucket, "demo.mp4"))

    def test_a_temporary_key_comes_in_with_its_security_token(self, server, mode):
        client = workflow_client(server, keys.TEMPORARY, mode)
        assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4"))

    def test_each_project_has_its_own_workflows(self, server, mode):
        client = workflow_client(server, keys.OTHER, mode)
        result = client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4")
        assert_started(result, key=keys.OTHER)

    def test_a_key_for_one_workflow_starts_that(self, server, mode):
        client = workflow_client(server, keys.LIMITED, mode)
        assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4"))

    def test_a_region_of_the_callers_own_is_taken(self, server):
        client = workflow_client(server, keys.SAMPLE, "v4", region="cn-north-4")
        assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4"))

    def test_a_connection_serves_more_than_one_start(self, server, mode):
        client = workflow_client(server, keys.SAMPLE, mode, long_conn_mode=True)
        try:
            for _ in range(3):
                assert_started(client.asyncAPIStartWorkflow("media-transcode", "demo-bucket", "demo.mp4"))
        finally:
            client.close()

    def test_the_answer_has_the_three_members_of_the_documents(self, server, mode):
        client = workflow_client(server, keys.SAMPLE, mode, isJsonResult=True)
        result = client.asyncAPIStartWorkflow("order-fanout", "demo-bucket", "order.json", {"most": 1})
        body = json.loads(result.body)
        assert body.keys() == {"execution_urn", "execution_name", "started_at"}
        assert body["execution_urn"] == execution_urn(body["execution_name"], "order-fanout")

    def test_a_parameter_without_a_default_has_to_be_given(self, server, client):
        started = client.asyncAPIStartWorkflow("expense-approval", "demo-bucket", "receipt.pdf", {"amount": 12.50})
        assert_started(started, "expense-approval")
        for inputs in (None, {}, {"currency": "EUR"}):
            call = lambda: client.asyncAPIStartWorkflow("expense-approval", "demo-bucket", "receipt.pdf", inputs)
            missing = refusal(server, call, resource="/v2/workflows/expense-approval")
            assert_code(missing, 400, "InvalidArgument", "inputs.amount")


def assert_code(refused, status, code, names):
    assert refused[:2] == (status, code)
    assert re.search(rf"\b{re.escape(names)}\b", refused[2]), refused[2]


class TestInvalidArguments:
    @pytest.mark.parametrize(
        "name", ["-a", "_a", "a.b", "a b:c~d+e", "x" * 65, "工作流", "a%2Fb", "a\u0000b", "a'b", "a?b", "a#b", "a&b=c"]
    )
    def test_a_graph_name_begins_with_a_letter_or_digit_and_has_at_most_64(self, server, client, name):
        call = lambda: client.asyncAPIStartWorkflow(name, "demo-bucket", "demo.mp4")
        illegal = refusal(server, call, resource="/v2/workflows/" + quote(name, safe="~"))
        assert_code(illegal, 400, "InvalidArgument", "graph_name")

    @pytest.mark.parametrize("bucket", ["", "ab", "x" * 64, "Bucket", "a_b", "桶桶桶", "a b", None, 123, ["abc"]])
    def test_a_bucket_of_another_form_is_refused(self, server, client, bucket):
        bad = refused(server, client, "media-transcode", bucket, "demo.mp4")
        assert_code(bad, 400, "InvalidArgument", "bucket")

    @pytest.mark.parametrize("name", ["", "x" * 1025, "é" * 513, None, 1, {}])
    def test_an_object_of_another_form_is_refused(self, server, client, name):
        bad = refused(server, client, "media-transcode", "demo-bucket", name)
        assert_code(bad, 400, "InvalidArgument", "object")

    @pytest.mark.parametrize(
        "inputs, names",
        [
            ([], "inputs"),
            ("format", "inputs"),
            (3, "inputs"),
            ({"no-such": 1}, "no-such"),
            ({"format": "mp4", "Format": "mp4"}, "Format"),
            ({"format": "avi"}, "inputs.format"),
            ({"format": None}, "inputs.format"),
            ({"height": "720"}, "inputs.height"),
            ({"height": 720.0}, "inputs.height"),
            ({"height": 721}, "inputs.height"),
            ({"quality": 0}, "inputs.quality"),
            ({"watermark": "false"}, "inputs.watermark"),
            ({"prefix": "no-slash"}, "inputs.prefix"),
            ({"prefix": "uploads/"}, "inputs.prefix"),
            ({"languages": {}}, "inputs.languages"),
            ({"labels": []}, "inputs.labels"),
        ],
    )
    def test_inputs_are_those_the_workflow_has_parameters_for(self, server, client, inputs, names):
        bad = refused(server, client, "media-transcode", "demo-bucket", "demo.mp4", inputs)
        assert_code(bad, 400, "InvalidArgument", names)

    def test_a_message_may_have_what_xml_has_to_escape_or_cannot_hold(self, server, client):
        status, code, message = refused(server, client, "media-transcode", "abc", "a", {"<a>&amp;\u0001": 1})
        assert (status, code) == (400, "InvalidArgument")
        assert "<a>&amp;" in message and "\u0001" not in message

    def test_a_body_of_more_than_256_kib_is_refused(self, server, obs):
        frame = len('{"bucket": "abc", "object": "a", "inputs": {"labels": {"a": ""}}}')
        fits = "x" * (256 * 1024 - frame)
        too_large = refused(server, obs, "media-transcode", "abc", "a", {"labels": {"a": fits + "x"}})
        assert_code(too_large, 400, "EntityTooLarge", "262144")
        # With the other parameters' defaults the engine's input would be longer than the engine takes.
        filled = refused(server, obs, "media-transcode", "abc", "a", {"labels": {"a": fits}})
        assert_code(filled, 400, "EntityTooLarge", "262144")
        shorter = {"labels": {"a": fits[:-256]}}
        assert_started(obs.asyncAPIStartWorkflow("media-transcode", "abc", "a", shorter))


class TestUnknownWorkflows:
    NOT_FOUND = (404, "NoSuchWorkflow", "the specified workflow does not exist")

    @pytest.mark.parametrize("name", ["no-such", "Media-Transcode", "0", "x" * 64])
    def test_a_workflow_that_does_not_exist_is_not_found(self, server, client, name):
        call = lambda: client.asyncAPIStartWorkflow(name, "demo-bucket", "demo.mp4")
        assert refusal(server, call, resource=f"/v2/workflows/{name}") == self.NOT_FOUND

    def test_a_key_for_one_workflow_finds_no_other(self, server, mode):
        client = workflow_client(server, keys.LIMITED, mode)
        call = lambda: client.asyncAPIStartWorkflow("order-fanout", "demo-bucket", "order.json")
        assert refusal(server, call, resource="/v2/workflows/order-fanout") == self.NOT_FOUND


class TestAuthentication:
    def refused(self, server, key, mode):
        client = workflow_client(server, key, mode)
        # Neither the workflow nor the bucket is looked at.
        call = lambda: client.asyncAPIStartWorkflow("no-such", "", "demo.mp4")
        return refusal(server, call, resource="/v2/workflows/no-such")

    def test_a_wrong_secret_is_refused(self, server, mode):
        refused = self.refused(server, keys.SAMPLE.with_secret("wrong"), mode)
        assert refused == (403, "SignatureDoesNotMatch", SIGNATURE_DOES_NOT_MATCH)

    def test_an_unknown_key_is_refused(self, server, mode):
        refused = self.refused(server, keys.unknown(f"NOBODYSKEYOBS{mode}"), mode)
        assert refused == (403, "InvalidAccessKeyId", "unknown access key")

    def test_an_expired_key_is_refused_and_only_its_owner_learns_why(self, server, mode):
        assert self.refused(server, keys.EXPIRED, mode) == (403, "AccessDenied", "the access key has expired")
        refused = self.refused(server, keys.EXPIRED.with_secret("wrong"), mode)
        assert refused == (403, "SignatureDoesNotMatch", SIGNATURE_DOES_NOT_MATCH)

    def test_a_temporary_key_needs_its_security_token(self, server, mode):
        header = {"obs": "x-obs-security-token", "v2": "x-amz-security-token", "v4": "x-amz-security-token"}[mode]
        missing = self.refused(server, keys.TEMPORARY.with_security_token(None), mode)
        assert missing == (403, "AccessDenied", f"missing security token `{header}`")
        wrong = self.refused(server, keys.TEMPORARY.with_security_token("wrong"), mode)
        assert wrong == (403, "AccessDenied", f"wrong security token `{header}`")

    def test_an_anonymous_start_is_refused(self, server, mode):
        message = "no credentials: the request has neither `Authorization` nor a signed URL"
        assert self.refused(server, None, mode) == (403, "AccessDenied", message)

    def test_an_operation_that_the_key_is_not_for_is_refused(self, server, mode):
        refused = self.refused(server, keys.POWERLESS, mode)
        assert refused == (403, "AccessDenied", "the access key does not allow this operation")


class TestNotServed:
    """The client repeats a request after a 501 too, unless it is told not to."""

    NOT_SERVED = (501, "ServiceNotImplemented", "this operation is not served here")

    def test_an_operation_that_is_not_served_says_so(self, server, mode):
        client = workflow_client(server, keys.SAMPLE, mode, max_retry_count=0)
        for call, resource in [
            (lambda: client.getWorkflow("media-transcode"), "/v2/workflows/media-transcode"),
            (lambda: client.listWorkflow("media", start=1, limit=10), "/v2/workflows/media"),
            (lambda: client.deleteWorkflow("media-transcode"), "/v2/workflows/media-transcode"),
            (lambda: client.updateWorkflow("media-transcode"), "/v2/workflows/media-transcode"),
            (lambda: client.createWorkflow("template", "graph", "agency"), "/v2/workflows/graph"),
            (lambda: client.getWorkflowTemplate("template"), "/v2/workflowtemplates/template"),
        ]:
            assert refusal(server, call, resource) == self.NOT_SERVED, resource


class Answer:
    """What a plain HTTP request got."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.text = body.decode()

    def started(self):
        """The execution's name."""
        assert (self.status, self.headers["Content-Type"]) == (200, "application/json"), self.text
        body = json.loads(self.text)
        assert body.keys() == {"execution_urn", "execution_name", "started_at"}
        assert body["execution_urn"] == execution_urn(body["execution_name"])
        assert re.fullmatch("[0-9A-F]{32}", self.headers["x-obs-request-id"])
        assert self.headers["X-Request-ID"] == self.headers["x-obs-request-id"]
        return body["execution_name"]

    def refused(self):
        """Status, code and message of a refusal in XML."""
        assert self.headers["Content-Type"] == "application/xml", self.text
        error = xml.fromstring(self.text)
        assert error.tag == "Error"
        members = {member.tag: member.text for member in error}
        assert members.keys() == {"Code", "Message", "Resource", "RequestId", "HostId"}
        assert members["RequestId"] == self.headers["x-obs-request-id"] == self.headers["X-Request-ID"]
        return self.status, members["Code"], members["Message"]


def post(url, headers, body=None):
    body = json.dumps({"bucket": "demo-bucket", "object": "demo.mp4"} if body is None else body).encode()
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as answer:
        with answer:
            return Answer(answer.code, answer.headers, answer.read())


class TestSignedUrls:
    """`createSignedUrl` of the vendor's client, for the path of a start."""

    JSON = {"Content-Type": "application/json"}

    @pytest.fixture(params=["obs", "v2"])
    def mode(self, request):
        return request.param

    def url(self, server, key, mode, **parameters):
        # For an address in place of a name the client would fall back to the older signature.
        client = ObsClient(
            access_key_id=key.access_key,
            secret_access_key=key.secret_key,
            security_token=key.security_token,
            server=f"http://localhost:{server.port}",
            signature=mode,
            is_signature_negotiation=False,
        )
        signed = client.createSignedUrl("POST", objectKey=PATH, headers=self.JSON, **parameters)
        url = signed.signedUrl.replace("//localhost:", "//127.0.0.1:")
        assert f"?{'AccessKeyId' if mode == 'obs' else 'AWSAccessKeyId'}=" in url.replace("&", "?")
        return url

    def test_a_signed_url_starts_a_workflow_as_often_as_it_is_used(self, server, mode):
        url = self.url(server, keys.SAMPLE, mode)
        assert post(url, self.JSON).started() != post(url, self.JSON).started()

    def test_a_temporary_keys_signed_url_has_its_security_token(self, server, mode):
        url = self.url(server, keys.TEMPORARY, mode)
        assert f"{'x-obs' if mode == 'obs' else 'x-amz'}-security-token=" in url
        post(url, self.JSON).started()
        wrong = self.url(server, keys.TEMPORARY.with_security_token("wrong"), mode)
        header = "x-obs-security-token" if mode == "obs" else "x-amz-security-token"
        assert post(wrong, self.JSON).refused() == (403, "AccessDenied", f"wrong security token `{header}`")

    def test_an_expired_signed_url_is_refused(self, server, mode):
        status, code, message = post(self.url(server, keys.SAMPLE, mode, expires=-10), self.JSON).refused()
        assert (status, code) == (403, "AccessDenied")
        assert re.fullmatch(r"the signed URL expired 1[0-5] seconds ago", message)

    def test_a_signed_url_is_good_for_what_was_signed_only(self, server, mode):
        url = self.url(server, keys.LIMITED, mode)
        mismatch = (403, "SignatureDoesNotMatch", SIGNATURE_DOES_NOT_MATCH)
        expires = int(re.search(r"Expires=(\d+)", url)[1])
        for changed, headers in [
            (url.replace("media-transcode", "order-fanout"), self.JSON),
            (url.replace(f"Expires={expires}", f"Expires={expires + 1}"), self.JSON),
            (url, {"Content-Type": "text/plain"}),
        ]:
            assert post(changed, headers).refused() == mismatch

    def test_a_wrong_secret_and_an_unknown_key_are_refused(self, server, mode):
        wrong = self.url(server, keys.OTHER.with_secret("wrong"), mode)
        assert post(wrong, self.JSON).refused() == (403, "SignatureDoesNotMatch", SIGNATURE_DOES_NOT_MATCH)
        unknown = self.url(server, keys.unknown(f"NOBODYSKEYURL{mode}"), mode)
        assert post(unknown, self.JSON).refused() == (403, "InvalidAccessKeyId", "unknown access key")

    def test_an_idempotency_key_gets_the_first_answer_again(self, server, mode):
        url = self.url(server, keys.SAMPLE, mode)
        headers = self.JSON | {"Idempotency-Key": str(uuid.uuid4())}
        first = post(url, headers)
        first.started()
        again = post(url, headers, {"object": "demo.mp4", "inputs": None, "bucket": "demo-bucket"})
        assert (again.status, again.text) == (first.status, first.text)
        different = post(url, headers, {"bucket": "demo-bucket", "object": "other.mp4"})
        message = "the Idempotency-Key belongs to a different request"
        assert different.refused() == (409, "OperationAborted", message)

    def test_a_refusal_is_json_for_who_asks_for_json(self, server, mode):
        url = self.url(server, keys.SAMPLE, mode)
        answer = post(url, self.JSON | {"Accept": "application/json"}, {"bucket": "demo-bucket"})
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/json")
        request_id = answer.headers["x-obs-request-id"]
        assert re.fullmatch("[0-9A-F]{32}", request_id)
        message = "object is missing"
        assert json.loads(answer.text) == {"code": "InvalidArgument", "message": message, "request_id": request_id}


class TestTheSignaturesTime:
    """The client signs for now; its own signer can be given another time."""

    @pytest.fixture(params=["obs", "v2"])
    def mode(self, request):
        return request.param

    def post(self, server, mode, date, name="Date"):
        adapter = Adapter(mode)
        headers = {"Content-Type": "application/json"}
        if date is not None:
            headers[adapter.date_header() if name == "own" else name] = date
        signer = Authentication(keys.SAMPLE.access_key, keys.SAMPLE.secret_key, True, adapter, server.endpoint, False)
        headers["Authorization"] = signer.doAuth("POST", None, PATH, None, headers)["Authorization"]
        return post(f"{server.endpoint}/{PATH}", headers)

    def date(self, minutes):
        return format_datetime(datetime.now(timezone.utc) + timedelta(minutes=minutes), usegmt=True)

    @pytest.mark.parametrize("header", ["Date", "own"])
    @pytest.mark.parametrize("minutes", [-14, 14])
    def test_a_signature_is_good_for_15_minutes_either_way(self, server, mode, minutes, header):
        self.post(server, mode, self.date(minutes), header).started()

    @pytest.mark.parametrize("header", ["Date", "own"])
    @pytest.mark.parametrize("minutes, direction", [(-16, "behind"), (16, "ahead of")])
    def test_a_signature_of_another_time_is_refused(self, server, mode, minutes, direction, header):
        status, code, message = self.post(server, mode, self.date(minutes), header).refused()
        assert (status, code) == (403, "RequestTimeTooSkewed")
        off = re.fullmatch(rf"the request's time is (\d+) seconds {direction} the service's", message)
        assert off and abs(int(off[1]) - 16 * 60) <= 5, message

    def test_a_signature_without_a_time_is_refused(self, server, mode):
        for date in (None, "now"):
            status, code, message = self.post(server, mode, date).refused()
            assert (status, code) == (403, "AccessDenied")
            assert "`Date`" in message
