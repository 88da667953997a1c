#!/usr/bin/env python3
"""Writes the event files and the answers beside them: `events/generate.py`, or `--check` to see whether they are current.

Each event of a gateway is what a gateway sends for one request of a vendor's client, signed with the sample credentials for the instant
of clock.txt. The signing here is written from the vendor's documents and shares nothing with the Rust code that verifies
it. The expected answers are written down case by case from the contract; `{{uuid}}`, `{{hex32}}` and `{{HEX32}}` stand for
ids made at random. The events of `engine/` come from AWS itself, unsigned.
"""

import base64
import datetime
import hashlib
import hmac
import json
import pathlib
import sys
import uuid
from urllib.parse import quote, unquote

HERE = pathlib.Path(__file__).resolve().parent
NOW = datetime.datetime.fromisoformat((HERE / "clock.txt").read_text().strip().replace("Z", "+00:00"))
STARTED_AT = NOW.strftime("%Y-%m-%dT%H:%M:%S.000Z")

ACCESS_KEY = "FLOWGATELOCALKEY0001"
SECRET_KEY = "flowgate-local-secret-key-for-laptops-only"
PROJECT = "c0ffee00c0ffee00c0ffee00c0ffee00"
DOMAIN = "d0d0cafed0d0cafed0d0cafed0d0cafe"
ORDER_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, f"flowgate:{PROJECT}:order-fanout"))
APPROVAL_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, f"flowgate:{PROJECT}:expense-approval"))
TRANSCODE_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, f"flowgate:{PROJECT}:media-transcode"))
GRAPH_URN = f"urn:fgs:cn-north-4:{PROJECT}:graph:media-transcode"

# The id the REST API and the function URL give their calls; the other front ends' ids have another form.
REQUEST_ID = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
HEX_ID = REQUEST_ID.replace("-", "")

STAGE = "prod"
MAX_BODY = 256 * 1024


# --- requests and their signatures -----------------------------------------------------------------------------------


class Request:
    """A request as the client sends it; `path` with the stage, percent-encoded."""

    def __init__(self, path, body=None, query="", headers=None, method="POST", host="api.example.com"):
        self.method, self.path, self.query = method, path, query
        self.body = body if isinstance(body, bytes) else (b"" if body is None else as_text(body).encode())
        self.headers = {"Content-Type": "application/json", "Host": host, **(headers or {})}

    def with_stage(self, stage):
        copy = Request(f"/{stage}{self.path}", self.body, self.query, self.headers, self.method)
        copy.headers = dict(self.headers)
        return copy


def as_text(body):
    return body if isinstance(body, str) else json.dumps(body)


def sign_functiongraph(request, at=NOW, access_key=ACCESS_KEY, secret_key=SECRET_KEY):
    """SDK-HMAC-SHA256, over every header there is, as the vendor's Python SDK does."""
    request.headers["X-Project-Id"] = PROJECT
    request.headers["X-Sdk-Date"] = at.strftime("%Y%m%dT%H%M%SZ")
    lower = {name.lower(): value.strip() for name, value in request.headers.items()}
    names = sorted(lower)
    path = "/".join(quote(unquote(part), safe="~") for part in request.path.split("/"))
    pairs = sorted(tuple(map(unquote, pair.partition("=")[::2])) for pair in request.query.split("&") if pair)
    canonical = "\n".join(
        [
            request.method,
            path if path.endswith("/") else path + "/",
            "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs),
            "".join(f"{name}:{lower[name]}\n" for name in names),
            ";".join(names),
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"SDK-HMAC-SHA256\n{request.headers['X-Sdk-Date']}\n{digest}"
    signature = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    request.headers["Authorization"] = (
        f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return request


def sign_obs(request, at=NOW, access_key=ACCESS_KEY, secret_key=SECRET_KEY, sub_resources=""):
    """The OBS header scheme."""
    request.headers["Date"] = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    extra = sorted((name.lower(), value) for name, value in request.headers.items() if name.lower().startswith("x-obs-"))
    to_sign = "\n".join([request.method, "", request.headers["Content-Type"], request.headers["Date"], ""])
    to_sign += "".join(f"{name}:{value}\n" for name, value in extra) + request.path + sub_resources
    signature = base64.b64encode(hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha1).digest()).decode()
    request.headers["Authorization"] = f"OBS {access_key}:{signature}"
    return request


def sign_obs_v4(request, at=NOW):
    """The AWS4-HMAC-SHA256 form of the vendor's OBS client, which signs every header it sends."""
    request.headers["Date"] = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    request.headers["Content-Length"] = str(len(request.body))
    lower = {name.lower(): value for name, value in request.headers.items()}
    names = ";".join(sorted(lower))
    canonical = "\n".join(
        [request.method, request.path, ""] + [f"{name}:{lower[name]}" for name in sorted(lower)] + ["", names, "UNSIGNED-PAYLOAD"]
    )
    scope = f"{at.strftime('%Y%m%d')}/cn-north-4/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{at.strftime('%Y%m%dT%H%M%SZ')}\n{scope}\n{digest}"
    key = f"AWS4{SECRET_KEY}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope},SignedHeaders={names},Signature={signature}"
    )
    return request


# --- front ends: a signed request in, an event out --------------------------------------------------------------------


def body_members(request, encoded):
    if encoded:
        return {"body": base64.b64encode(request.body).decode(), "isBase64Encoded": True}
    return {"body": request.body.decode() if request.body else None, "isBase64Encoded": False}


def query_map(query):
    pairs = [tuple(map(unquote, pair.partition("=")[::2])) for pair in query.split("&") if pair]
    multiple = {name: [value for other, value in pairs if other == name] for name, _ in pairs}
    return ({name: values[-1] for name, values in multiple.items()}, multiple) if pairs else (None, None)


def rest(request, encoded=False):
    """API Gateway REST API: the stage is in the client's path and not in `path`."""
    single, multiple = query_map(request.query)
    headers = {**request.headers, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    return {
        "resource": "/{proxy+}",
        "path": request.path.removeprefix(f"/{STAGE}"),
        "httpMethod": request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": single,
        "multiValueQueryStringParameters": multiple,
        "pathParameters": {"proxy": request.path.removeprefix(f"/{STAGE}/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "httpMethod": request.method,
            "identity": {"sourceIp": "192.0.2.1"},
            "path": request.path,
            "requestId": REQUEST_ID,
            "resourcePath": "/{proxy+}",
            "stage": STAGE,
        },
        **body_members(request, encoded),
    }


def http_api(request, stage="$default", decoded=False, encoded=False, request_id="JKJaXmPLvHcESHA="):
    """API Gateway HTTP API: `rawPath` has the stage, unless it is the unnamed one, and AWS decodes it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": unquote(request.path) if decoded else request.path,
        "rawQueryString": request.query,
        "headers": {name.lower(): value for name, value in request.headers.items()} | {"x-forwarded-proto": "https"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": request.headers["Host"],
            "http": {
                "method": request.method,
                "path": unquote(request.path),
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": stage,
            "time": NOW.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(NOW.timestamp() * 1000),
        },
        **body_members(request, encoded),
    }


def function_url(request, encoded=False):
    """A function URL: the HTTP API's shape, with the path as it came and a UUID for an id."""
    return http_api(request, encoded=encoded, request_id=REQUEST_ID)


def load_balancer(request, multiple=False, encoded=False):
    """An application load balancer's target group, with either of its two settings for headers."""
    headers = {name.lower(): value for name, value in request.headers.items()} | {"x-forwarded-proto": "https"}
    pairs = [pair.partition("=")[::2] for pair in request.query.split("&") if pair]
    event = {
        "requestContext": {
            "elb": {
                "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/flowgate/0123456789abcdef"
            }
        },
        "httpMethod": request.method,
        "path": request.path,
        **body_members(request, encoded),
    }
    if multiple:
        event["multiValueHeaders"] = {name: [value] for name, value in headers.items()}
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in pairs}
    else:
        event["headers"] = headers
        event["queryStringParameters"] = dict(pairs)
    event["body"] = event["body"] or ""
    return event


# --- answers ---------------------------------------------------------------------------------------------------------

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found"}


def answer(event, status, body, headers):
    """The function's answer in the shape the event's front end reads."""
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in headers.items()}
    multiple = {name: [value] for name, value in headers.items()}
    shape = {"statusCode": status, "body": body, "isBase64Encoded": False}
    if "elb" in context:
        description = f"{status} {REASONS[status]}"
        return shape | {"statusDescription": description, "headers": headers, "multiValueHeaders": multiple}
    if "http" in context:
        return shape | {"headers": headers, "multiValueHeaders": {}, "cookies": []}
    return shape | {"headers": {}, "multiValueHeaders": multiple}


def request_id(event):
    return HEX_ID if event["requestContext"].get("requestId") == REQUEST_ID else "{{hex32}}"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def json_answer(event, status, body, **headers):
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(event, status, compact(body), {"content-type": "application/json", "x-request-id": request_id(event), **extra})


def functiongraph_error(event, status, code, message, **headers):
    body = {"error_code": code, "error_msg": message, "request_id": request_id(event)}
    return json_answer(event, status, body, **headers)


def obs_headers(event):
    identifier = "{{HEX32}}" if request_id(event) != HEX_ID else HEX_ID.upper()
    return {"x-request-id": identifier, "x-obs-request-id": identifier}


def obs_start(event, name="{{hex32}}", workflow="media-transcode"):
    body = {
        "execution_urn": f"urn:fgs:local-1:{PROJECT}:execution:{workflow}:{name}:{DOMAIN}",
        "execution_name": name,
        "started_at": STARTED_AT,
    }
    return answer(event, 200, compact(body), {"content-type": "application/json", **obs_headers(event)})


def obs_error(event, status, code, message, path="/v2/workflows/media-transcode", **headers):
    escaped = message.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n'
        f"<Code>{code}</Code>\n<Message>{escaped}</Message>\n<Resource>{path}</Resource>\n"
        f"<RequestId>{obs_headers(event)['x-request-id']}</RequestId>\n<HostId>flowgate</HostId>\n</Error>\n"
    )
    return answer(event, status, text, {"content-type": "application/xml", **obs_headers(event), **headers})


# --- the cases -------------------------------------------------------------------------------------------------------

CASES = {}


def case(name, event, expected, before=None):
    """`before` is what has to be sent first: an event, or a list of them. Each must get a 200."""
    CASES[f"{name}.json"] = event
    CASES[f"{name}.response.json"] = expected
    if before is not None:
        CASES[f"{name}.before.json"] = before


def obs_cases():
    body = {"bucket": "demo-bucket", "object": "videos/demo.mp4", "inputs": {"height": 720}}
    path = "/v2/workflows/media-transcode"

    def request(body=body, path=path, **options):
        return sign_obs(Request(f"/{STAGE}{path}", body, **options))

    def plain(body=body, path=path, **options):
        return sign_obs(Request(path, body, **options))

    for name, event in {
        "start": rest(request()),
        "start_inputs_null": rest(request({"bucket": "demo-bucket", "object": "videos/demo.mp4", "inputs": None})),
        "start_unicode_object": rest(request({"bucket": "demo-bucket", "object": "视频/é😀.mp4"})),
        "start_rest_base64": rest(request(), encoded=True),
        "start_http_api": http_api(plain()),
        "start_http_api_stage": http_api(request(), stage=STAGE),
        "start_function_url": function_url(plain()),
        "start_alb": load_balancer(plain()),
        "start_alb_multi_value": load_balancer(plain(), multiple=True),
        "start_with_idempotency_key": rest(request(headers={"Idempotency-Key": "upload-17"})),
    }.items():
        case(f"obs/{name}", event, obs_start(event))

    # A REST API passes every header on but this one.
    signed = sign_obs_v4(Request(f"/{STAGE}{path}", body))
    del signed.headers["Content-Length"]
    event = rest(signed)
    case("obs/start_signed_v4", event, obs_start(event))

    def invalid(name, wrong, message, code="InvalidArgument", status=400, **options):
        event = rest(request(wrong, **options))
        case(f"obs/{name}", event, obs_error(event, status, code, message))

    invalid("bucket_missing", {"object": "o"}, "bucket is missing")
    rule = "bucket must have 3 to 63 lower-case letters, digits, dots and hyphens"
    invalid("bucket_too_short", {**body, "bucket": "ab"}, rule)
    invalid("bucket_illegal", {**body, "bucket": "Demo_Bucket"}, rule)
    invalid("bucket_not_a_string", {**body, "bucket": 7}, "bucket must be a string")
    invalid("object_missing", {"bucket": "demo-bucket"}, "object is missing")
    invalid("object_empty", {**body, "object": ""}, "object must have 1 to 1024 bytes of UTF-8")
    invalid("object_too_long", {**body, "object": "o" * 1025}, "object must have 1 to 1024 bytes of UTF-8")
    invalid("inputs_not_an_object", {**body, "inputs": [1]}, "inputs must be a JSON object")
    invalid("inputs_unknown_key", {**body, "inputs": {"colour": "red"}}, INPUT_MESSAGES["unknown"])
    invalid("inputs_constraint", {**body, "inputs": {"height": 721}}, INPUT_MESSAGES["constraint"])
    invalid("inputs_wrong_type", {**body, "inputs": {"height": "720"}}, INPUT_MESSAGES["type"])
    forged = {"$serde_json::private::Number": "720"}
    invalid("inputs_no_number", {**body, "inputs": {"height": forged}}, INPUT_MESSAGES["type"])
    invalid("body_missing", None, "the request has no body", "InvalidRequestBody")
    invalid("body_not_json", "{", "the request body is not valid JSON", "InvalidRequestBody")
    invalid("body_too_large", "a" * (MAX_BODY + 1), "the request body is larger than 262144 bytes", "EntityTooLarge")
    invalid("idempotency_key_illegal", body, "header Idempotency-Key must have 1 to 128 printable ASCII characters", headers={"Idempotency-Key": "k" * 129})

    approval = "/v2/workflows/expense-approval"
    event = rest(request({**body, "inputs": {}}, path=approval))
    case("obs/inputs_required_missing", event, obs_error(event, 400, "InvalidArgument", INPUT_MESSAGES["required"], path=approval))

    event = rest(request(path="/v2/workflows/a%20b%3Ac~d%2Be"))
    rule = "graph_name must begin with a letter or digit and have 1 to 64 letters, digits, underscores and hyphens"
    case("obs/graph_name_illegal", event, obs_error(event, 400, "InvalidArgument", rule, path="/v2/workflows/a%20b%3Ac~d%2Be"))
    event = rest(request(path="/v2/workflows/no-such-graph"))
    case("obs/workflow_not_found", event, obs_error(event, 404, "NoSuchWorkflow", "the specified workflow does not exist", path="/v2/workflows/no-such-graph"))
    # A name that is a word of another API's paths, and parameters without a value, which are signed.
    event = rest(request(path="/v2/workflows/fgs"))
    case("obs/workflow_named_fgs_not_found", event, obs_error(event, 404, "NoSuchWorkflow", "the specified workflow does not exist", path="/v2/workflows/fgs"))
    event = rest(sign_obs(Request(f"/{STAGE}/v2/workflows/", query="x-workflow-prefix", method="GET"), sub_resources="?x-workflow-prefix"))
    case("obs/list_not_served", event, obs_error(event, 501, "ServiceNotImplemented", "this operation is not served here", path="/v2/workflows/"))
    event = rest(request(path="/v2/workflows/no-such-graph", headers={"Accept": "application/json"}))
    text = compact({"code": "NoSuchWorkflow", "message": "the specified workflow does not exist", "request_id": HEX_ID.upper()})
    case("obs/workflow_not_found_as_json", event, answer(event, 404, text, {"content-type": "application/json", **obs_headers(event)}))

    # Who may not.
    def refused(name, signed, code, message, status=403):
        event = rest(signed)
        case(f"obs/{name}", event, obs_error(event, status, code, message))

    refused("anonymous", Request(f"/{STAGE}{path}", body), "AccessDenied", "no credentials: the request has neither `Authorization` nor a signed URL")
    undated = request()
    del undated.headers["Date"]
    refused("date_missing", undated, "AccessDenied", AUTH_MESSAGES["obs_date_missing"])
    malformed = request()
    malformed.headers["Authorization"] = "Bearer abc"
    refused("authorization_malformed", malformed, "AccessDenied", AUTH_MESSAGES["obs_malformed"])
    unsigned = lambda: Request(f"/{STAGE}{path}", body)
    late = NOW - datetime.timedelta(seconds=901)
    refused("time_too_skewed", sign_obs(unsigned(), at=late), "RequestTimeTooSkewed", "the request's time is 901 seconds behind the service's")
    refused("unknown_access_key", sign_obs(unsigned(), access_key="NOBODYSKEY0000000001"), "InvalidAccessKeyId", "unknown access key")
    refused("wrong_signature", sign_obs(unsigned(), secret_key="not-the-secret"), "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")

    # Starting twice.
    key = {"Idempotency-Key": "upload-18"}
    event = rest(request(headers=key))
    case("obs/conflict", event, obs_error(event, 409, "OperationAborted", "the Idempotency-Key belongs to a different request"), before=rest(request({**body, "object": "videos/other.mp4"}, headers=key)))
    key = {"Idempotency-Key": "upload-19"}
    event = rest(request(headers=key))
    name = uuid.uuid5(uuid.UUID(TRANSCODE_ID), "upload-19").hex
    case("obs/start_again", event, obs_start(event, name), before=rest(request(json.dumps(body, indent=2), headers=key)))

    # What is not a start.
    event = rest(request(query="x-workflow-create"))
    case("obs/create_not_served", event, obs_error(event, 501, "ServiceNotImplemented", "this operation is not served here"))
    event = rest(request(None, method="PATCH"))
    case("obs/method_not_allowed", event, obs_error(event, 405, "MethodNotAllowed", "Specified method is not supported.", allow="GET, POST, PUT, DELETE"))
    event = rest(request(path=f"{path}/more"))
    case("obs/path_not_found", event, obs_error(event, 404, "SYS.0003", "the workflow API has no such path", path=f"{path}/more"))

    # What a gateway can get wrong.
    event = rest(request(), encoded=True) | {"body": "not base64"}
    case("obs/body_not_base64", event, obs_error(event, 400, "InvalidRequestBody", "the request body is announced as base64 and is not"))
    event = rest(request(host="bad host"))
    case("obs/host_illegal", event, obs_error(event, 400, "InvalidRequest", "header Host is not a host"))


def functiongraph_v1_cases():
    body = {"action_type": "start", "executions": {"execution_name": "run-1", "input": '{"k1":"123"}'}}
    path = f"/v1.0/{PROJECT}/cloud_graphs/{quote(GRAPH_URN, safe='')}/executions/action"

    def request(body=body, path=path, **options):
        return sign_functiongraph(Request(f"/{STAGE}{path}", body, **options))

    def plain(body=body, path=path, **options):
        return sign_functiongraph(Request(path, body, **options))

    def named(name):
        return {"action_type": "start", "executions": {"execution_name": name, "input": '{"k1":"123"}'}}

    def started(event, name):
        urn = f"urn:fgs:local-1:{PROJECT}:execution:media-transcode:{name}:{DOMAIN}"
        return json_answer(event, 200, {"execution_urn": urn, "started_at": STARTED_AT})

    raw_path = f"/v1.0/{PROJECT}/cloud_graphs/{GRAPH_URN}/executions/action"
    for name, event in {
        "start": rest(request()),
        "start_raw_urn": rest(request(named("run-raw"), path=raw_path)),
        "start_rest_base64": rest(request(named("run-base64")), encoded=True),
        "start_http_api": http_api(plain(named("run-http-api")), decoded=True),
        "start_http_api_stage": http_api(request(named("run-http-api-stage")), stage=STAGE, decoded=True),
        "start_function_url": function_url(plain(named("run-url"))),
        "start_alb": load_balancer(plain(named("run-alb"))),
        "start_alb_multi_value": load_balancer(plain(named("run-alb-multi")), multiple=True),
        "start_unicode_name": rest(request(named("执行-😀"))),
    }.items():
        sent = json.loads(event["body"] if not event["isBase64Encoded"] else base64.b64decode(event["body"]))
        case(f"functiongraph_v1/{name}", event, started(event, sent["executions"]["execution_name"]))

    def refused(name, signed, status, code, message, **headers):
        event = rest(signed)
        case(f"functiongraph_v1/{name}", event, functiongraph_error(event, status, code, message, **headers))

    def invalid(name, wrong, code, message):
        refused(name, request(wrong), 400, code, message)

    executions = body["executions"]
    invalid("body_missing", None, "FGS.0008", "the request body is empty")
    invalid("body_not_json", "{", "FGS.0009", "the request body is not valid JSON")
    invalid("body_not_an_object", "[]", "FGS.0005", "the request body must be a JSON object")
    invalid("action_type_missing", {"executions": executions}, "FGS.0005", "action_type is missing")
    invalid("action_type_not_a_string", {**body, "action_type": 1}, "FGS.0005", "action_type must be a string")
    invalid("action_type_illegal", {**body, "action_type": "begin"}, "FGS.2006", "action_type must be start, test_start or stop")
    invalid("executions_missing", {"action_type": "start"}, "FGS.0005", "executions is missing")
    invalid("executions_not_an_object", {**body, "executions": "run-1"}, "FGS.0005", "executions must be a JSON object")
    invalid("execution_name_missing", {**body, "executions": {"input": "{}"}}, "FGS.0005", "executions.execution_name is missing")
    invalid("execution_name_empty", named(""), "FGS.2001", "executions.execution_name must have 1 to 80 characters")
    invalid("execution_name_too_long", named("n" * 81), "FGS.2001", "executions.execution_name must have 1 to 80 characters")
    rule = 'executions.execution_name must not contain white space, control characters or any of < > { } [ ] ? * " # % \\ ^ | ~ ` $ & , ; : /'
    invalid("execution_name_illegal", named("a/b"), "FGS.2001", rule)
    invalid("input_missing", {**body, "executions": {"execution_name": "run-2"}}, "FGS.0005", "executions.input is missing")
    invalid("input_an_object", {**body, "executions": {**executions, "input": {}}}, "FGS.2008", "executions.input must be a string holding JSON")
    invalid("input_not_json", {**body, "executions": {**executions, "input": "{k1"}}, "FGS.2008", "executions.input is not valid JSON")
    invalid("input_empty", {**body, "executions": {**executions, "input": ""}}, "FGS.2008", "executions.input must have 1 to 32768 bytes")
    invalid("input_too_long", {**body, "executions": {**executions, "input": '"' + "i" * 32767 + '"'}}, "FGS.2008", "executions.input must have 1 to 32768 bytes")
    refused("idempotency_key_illegal", request(headers={"Idempotency-Key": "k" * 129}), 400, "FGS.0005", "header Idempotency-Key must have 1 to 128 printable ASCII characters")
    rule = "graph_urn must have the form urn:fgs:<region>:<project_id>:graph:<graph_name> with the caller's project"
    base = f"/v1.0/{PROJECT}/cloud_graphs"
    refused("graph_urn_illegal", request(path=f"{base}/media-transcode/executions/action"), 400, "FGS.0010", rule)
    foreign = GRAPH_URN.replace(PROJECT, "0" * 32)
    refused("graph_urn_of_another_project", request(path=f"{base}/{quote(foreign, safe='')}/executions/action"), 400, "FGS.0010", rule)
    missing = GRAPH_URN.replace("media-transcode", "no-such-graph")
    refused("workflow_not_found", request(path=f"{base}/{quote(missing, safe='')}/executions/action"), 404, "FGS.1011", "the workflow does not exist")
    refused("project_of_others", request(path=path.replace(PROJECT, "0" * 32, 1)), 403, "FGS.0004", "project_id is not the project of the credentials")
    refused("body_too_large", request("a" * (MAX_BODY + 1)), 413, "FGS.4109", "the request body is larger than 262144 bytes")
    functiongraph_authentication(refused, f"/{STAGE}{path}", body)

    event = rest(request(named("run-conflict")))
    other = {"action_type": "start", "executions": {"execution_name": "run-conflict", "input": "[]"}}
    message = "executions.execution_name belongs to an execution that a different request started"
    case("functiongraph_v1/conflict", event, functiongraph_error(event, 409, "FGS.4106", message), before=rest(request(other)))
    event = rest(request(named("run-again")))
    again = {"executions": {"input": ' { "k1" : "123" } ', "execution_name": "run-again"}, "action_type": "start"}
    case("functiongraph_v1/start_again", event, started(event, "run-again"), before=rest(request(again)))

    refused("method_not_allowed", request(None, method="PUT"), 405, "FGS.0012", "the path takes only POST", allow="POST")
    refused("list_not_served", request(None, path=base, method="GET"), 501, "FGS.0012", "this operation is not served here")
    refused("path_not_found", request(path=f"{path}/more"), 404, "FGS.0012", "the API has no such path")
    event = rest(request(), encoded=True) | {"body": "not base64"}
    case("functiongraph_v1/body_not_base64", event, functiongraph_error(event, 400, "FGS.0009", "the request body is announced as base64 and is not"))
    event = http_api(plain(), stage="$default") | {"rawQueryString": "a b"}
    case("functiongraph_v1/query_illegal", event, functiongraph_error(event, 400, "FGS.0013", "the query string has a character that must be percent-encoded"))


def functiongraph_v2_cases():
    body = {"headers": {"tenantId": "user1"}, "input": {"arg1": "argument_1", "arg2": "argument_2"}}
    base = f"/v2/{PROJECT}/fgs/workflows"
    path = f"{base}/{TRANSCODE_ID}/executions"

    def request(body=body, path=path, **options):
        return sign_functiongraph(Request(f"/{STAGE}{path}", body, **options))

    def plain(body=body, path=path, **options):
        return sign_functiongraph(Request(path, body, **options))

    def started(event, name="{{uuid}}"):
        return json_answer(event, 200, {"execution_id": name})

    urn = quote(f"urn:fss:cn-north-4:{PROJECT}:workflow:default:media-transcode:latest", safe="")
    strings = {name: json.dumps(value) for name, value in body.items()}
    run_headers = {
        "X-Create-Time": "2026-11-20",
        "X-WorkflowRun-ID": "04e9e38f375e435aa827b93f02dd2112",
        "X-WorkflowRun-MergeFnParameters": "True",
    }
    for name, event in {
        "start": rest(request()),
        "start_strings": rest(request(strings)),
        "start_by_name": rest(request(path=f"{base}/media-transcode/executions")),
        "start_by_urn": rest(request(path=f"{base}/{urn}/executions")),
        "start_rest_base64": rest(request(), encoded=True),
        "start_http_api": http_api(plain()),
        "start_http_api_stage": http_api(request(path=f"{base}/{urn}/executions"), stage=STAGE, decoded=True),
        "start_function_url": function_url(plain()),
        "start_alb": load_balancer(plain()),
        "start_alb_multi_value": load_balancer(plain(query="trace=a&trace=b"), multiple=False),
        "start_no_headers": rest(request({"input": {}})),
        "start_content_type_text": rest(request(headers={"Content-Type": "text/plain"})),
    }.items():
        case(f"functiongraph_v2/{name}", event, started(event))
    event = load_balancer(plain(), multiple=True)
    case("functiongraph_v2/start_alb_multi_value", event, started(event))
    event = rest(request(headers=run_headers))
    case("functiongraph_v2/start_with_run_headers", event, started(event, run_headers["X-WorkflowRun-ID"]))
    event = rest(request(headers={"Idempotency-Key": "order 66"}))
    case("functiongraph_v2/start_with_idempotency_key", event, started(event, str(uuid.uuid5(uuid.UUID(TRANSCODE_ID), "order 66"))))

    def refused(name, signed, status, code, message, **headers):
        event = rest(signed)
        case(f"functiongraph_v2/{name}", event, functiongraph_error(event, status, code, message, **headers))

    def invalid(name, signed, message):
        refused(name, signed, 400, "FGS.3002", f"Invalid parameters. {message}")

    invalid("body_missing", request(None), "the request body is empty")
    invalid("body_not_json", request("{"), "the request body is not valid JSON")
    invalid("body_not_an_object", request("[1]"), "the request body must be a JSON object")
    invalid("input_missing", request({"headers": {}}), "input is missing")
    invalid("input_null", request({"input": None}), "input is missing")
    rule = "input must be a JSON object, or a string holding one"
    invalid("input_a_list", request({"input": [1, 2]}), rule)
    invalid("input_a_number", request({"input": 1}), rule)
    invalid("input_a_string_of_a_list", request({"input": "[1, 2]"}), rule)
    invalid("input_a_string_of_no_json", request({"input": "arg1"}), rule)
    invalid("headers_a_list", request({"input": {}, "headers": []}), "headers must be a JSON object, or a string holding one")
    invalid("create_time_illegal", request(headers={"X-Create-Time": "20.11.2026"}), "header X-Create-Time must have the form yyyy-MM-dd")
    invalid("create_time_in_the_future", request(headers={"X-Create-Time": "2026-11-22"}), "header X-Create-Time must not be in the future")
    invalid("run_id_illegal", request(headers={"X-WorkflowRun-ID": "run_1"}), "header X-WorkflowRun-ID must have 1 to 64 letters, digits and hyphens")
    invalid("run_id_too_long", request(headers={"X-WorkflowRun-ID": "r" * 65}), "header X-WorkflowRun-ID must have 1 to 64 letters, digits and hyphens")
    invalid("merge_illegal", request(headers={"X-WorkflowRun-MergeFnParameters": "yes"}), "header X-WorkflowRun-MergeFnParameters must be true or false")
    invalid("workflow_id_too_long", request(path=f"{base}/{'w' * 513}/executions"), "workflow_id must have 1 to 512 characters")
    invalid("idempotency_key_illegal", request(headers={"Idempotency-Key": "k" * 129}), "header Idempotency-Key must have 1 to 128 printable ASCII characters")
    refused("workflow_not_found", request(path=f"{base}/{uuid.UUID(int=7)}/executions"), 404, "FGS.5002", "Function flow not found.")
    refused("workflow_id_template", request(path=f"{base}/%7Bworkflow_id%7D/executions"), 404, "FGS.5002", "Function flow not found.")
    refused("project_of_others", request(path=path.replace(PROJECT, "0" * 32)), 403, "APIGW.0302", "The IAM user is not authorized to access the API. project_id is not the project of the credentials")
    refused("body_too_large", request("a" * (MAX_BODY + 1)), 413, "FSS.0413", "The request body is too large.")
    functiongraph_authentication(refused, f"/{STAGE}{path}", body)

    key = {"X-WorkflowRun-ID": "flow-conflict"}
    event = rest(request(headers=key))
    message = "The specified resource already exists. the key belongs to an execution that a different request started"
    case("functiongraph_v2/conflict", event, functiongraph_error(event, 409, "FSS.0409", message), before=rest(request({"input": {}}, headers=key)))
    key = {"X-WorkflowRun-ID": "flow-again"}
    event = rest(request(headers=key))
    case("functiongraph_v2/start_again", event, started(event, "flow-again"), before=rest(request(strings, headers=key)))

    refused("method_not_allowed", request(None, method="PUT"), 405, "FSS.0405", "Method not allowed. the path takes only GET, POST", allow="GET, POST")
    refused("list_not_served", request(None, path=base, method="GET", query="limit=10&offset=0"), 501, "FSS.0501", "Not implemented. this operation is not served here")
    refused("path_not_found", request(path=f"{path}/a/b"), 404, "FSS.0404", "The specified resource was not found.")
    event = rest(request(), encoded=True) | {"body": "not base64"}
    case("functiongraph_v2/body_not_base64", event, functiongraph_error(event, 400, "FGS.3002", "Invalid parameters. the request body is announced as base64 and is not"))
    event = rest(request())
    event["headers"]["X-Forwarded-Proto"] = "ht tp"
    event["multiValueHeaders"]["X-Forwarded-Proto"] = ["ht tp"]
    case("functiongraph_v2/forwarded_proto_illegal", event, functiongraph_error(event, 400, "FGS.3002", "Invalid parameters. header X-Forwarded-Proto must be http or https"))


def functiongraph_authentication(refused, path, body):
    """What the vendor's gateway refuses in front of both FunctionGraph APIs."""
    prefix = "Incorrect IAM authentication information: "

    def denied(name, signed, message):
        refused(name, signed, 401, "APIGW.0301", prefix + message)

    unsigned = lambda: Request(path, body)
    denied("anonymous", unsigned(), "no credentials: the request has neither `Authorization` nor `X-Auth-Token`")
    malformed = sign_functiongraph(unsigned())
    malformed.headers["Authorization"] = "Bearer abc"
    denied("authorization_malformed", malformed, AUTH_MESSAGES["functiongraph_malformed"])
    undated = sign_functiongraph(unsigned())
    del undated.headers["X-Sdk-Date"]
    denied("date_missing", undated, AUTH_MESSAGES["functiongraph_date_missing"])
    late = NOW + datetime.timedelta(seconds=901)
    denied("time_too_skewed", sign_functiongraph(unsigned(), at=late), "the request's time is 901 seconds ahead of the service's")
    denied("unknown_access_key", sign_functiongraph(unsigned(), access_key="NOBODYSKEY0000000001"), "unknown access key")
    denied("wrong_signature", sign_functiongraph(unsigned(), secret_key="not-the-secret"), "the signature does not match the request")
    tampered = sign_functiongraph(unsigned())
    tampered.body = tampered.body.replace(b"run-1", b"run-9").replace(b"argument_1", b"argument_9")
    denied("tampered_body", tampered, "the signature does not match the request")
    denied("token_unknown", Request(path, body, headers={"X-Auth-Token": "not-a-token"}), "unknown token in `X-Auth-Token`")


# --- executions: what lists, shows, stops and retries them ------------------------------------------------------------
#
# Nothing runs while the events are sent (FLOWGATE_ENGINE=none): an execution is scheduled until it is stopped.

# The front ends that every operation has a successful event for.
FRONT_ENDS = ("", "_rest_base64", "_http_api", "_function_url", "_alb")

# The one execution of the sample workflow that no other event starts.
WATCHED = "watched-1"
WATCHED_INPUT = '{"bucket":"expenses","object":"17.json"}'


def through(front_end, make):
    """The event of one front end; `make` signs the request for a path that begins so."""
    return {
        "": lambda: rest(make(f"/{STAGE}")),
        "_rest_base64": lambda: rest(make(f"/{STAGE}"), encoded=True),
        "_http_api": lambda: http_api(make("")),
        "_function_url": lambda: function_url(make("")),
        "_alb": lambda: load_balancer(make("")),
    }[front_end]()


def v1_action(action_type, executions, workflow):
    """An action, through the REST API."""
    urn = quote(f"urn:fgs:cn-north-4:{PROJECT}:graph:{workflow}", safe="")
    path = f"/{STAGE}/v1.0/{PROJECT}/cloud_graphs/{urn}/executions/action"
    return rest(sign_functiongraph(Request(path, {"action_type": action_type, "executions": executions})))


def v1_started(name, workflow, input="{}"):
    return v1_action("start", {"execution_name": name, "input": input}, workflow)


def execution_urn(name, workflow):
    return f"urn:fgs:local-1:{PROJECT}:execution:{workflow}:{name}:{DOMAIN}"


def v1_stopped(name, workflow):
    return v1_action("stop", {"execution_urn": execution_urn(name, workflow)}, workflow)


def state_map(workflow, type_member):
    """The states of a workflow of which none was entered."""
    definition = json.loads((HERE.parent / "workflows" / f"{workflow}.json").read_text())
    types = {"Operation": "OPERATION", "Sleep": "DELAY", "End": "END"}
    states = {
        state["id"]: {"state_name": state["id"], "status": "NOTRUNNING", type_member: types[state["type"]]}
        for state in definition["states"]
    }
    return definition["start"], {name: dict(sorted(states[name].items())) for name in sorted(states)}


def watched_info(type_member, **more):
    start, states = state_map("expense-approval", type_member)
    return {
        "execution_info": {
            "graph_urn": f"urn:fgs:local-1:{PROJECT}:graph:expense-approval",
            "execution_urn": execution_urn(WATCHED, "expense-approval"),
            "execution_name": WATCHED,
            **more,
            "started_at": STARTED_AT,
            "execution_state": "RUNNING",
            "start_state": start,
            "isTest": False,
            "input": WATCHED_INPUT,
            "state_map": states,
        }
    }


def obs_watching_cases():
    before = v1_started(WATCHED, "expense-approval", WATCHED_INPUT)

    def query(path, method="GET", **parameters):
        pairs = "&".join(f"x-workflow-{name.replace('_', '-')}={value}" for name, value in parameters.items())
        signed = "?" + "&".join(sorted(pairs.split("&")))
        return lambda stage: sign_obs(Request(f"{stage}{path}", None, query=pairs, method=method), sub_resources=signed)

    def served(name, make, body, before):
        for front_end in FRONT_ENDS:
            event = through(front_end, make)
            headers = {"content-type": "application/json", **obs_headers(event)}
            case(f"obs/{name}{front_end}", event, answer(event, 200, compact(body), headers), before)

    executions = "/v2/workflowexecutions"
    entry = {
        "graph_urn": f"urn:fgs:local-1:{PROJECT}:graph:expense-approval",
        "execution_urn": execution_urn(WATCHED, "expense-approval"),
        "execution_name": WATCHED,
        "execution_type": "APICALL",
        "execution_state": "RUNNING",
        "started_at": STARTED_AT,
        "stopped_at": "",
    }
    listed = {"count": 1, "is_truncated": False, "executions": [entry]}
    served("list_executions", query(executions, graph_name="expense-approval", limit=5, execution_type="APICALL"), listed, before)
    after = query(executions, graph_name="expense-approval", next_marker=f"APICALL{WATCHED}")
    nothing = {"count": 0, "is_truncated": False, "executions": []}
    served("list_executions_after", after, nothing, before)
    served("list_executions_of_triggers", query(executions, graph_name="expense-approval", execution_type="TRIGGERCAL"), nothing, before)
    one = f"{executions}/{WATCHED}"
    served("show_execution", query(one, graph_name="expense-approval"), watched_info("type", execution_type="APICALL"), before)
    retried = "retried-obs"
    answered = {"execution_urn": execution_urn(retried, "order-fanout"), "execution_name": retried, "restored_at": STARTED_AT}
    stopped = [v1_started(retried, "order-fanout"), v1_stopped(retried, "order-fanout")]
    served("retry", query(f"{executions}/{retried}", "PUT", graph_name="order-fanout"), answered, stopped)

    def refused(name, path, status, code, message, **parameters):
        event = rest(query(path, **parameters)(f"/{STAGE}"))
        case(f"obs/{name}", event, obs_error(event, status, code, message, path=path))

    rule = "must begin with a letter or digit and have 1 to 64 letters, digits, underscores and hyphens"
    refused("list_graph_name_missing", executions, 400, "InvalidArgument", "x-workflow-graph-name is missing", limit=5)
    refused("list_graph_name_illegal", executions, 400, "InvalidArgument", f"x-workflow-graph-name {rule}", graph_name="-a")
    refused("list_limit_too_large", executions, 400, "InvalidArgument", "x-workflow-limit must be a whole number from 1 to 1000", graph_name="expense-approval", limit=1001)
    refused("list_type_illegal", executions, 400, "InvalidArgument", "x-workflow-execution-type must be APICALL or TRIGGERCAL", graph_name="expense-approval", execution_type="TRIGGERCALL")
    refused("list_marker_unknown", executions, 400, "InvalidArgument", "x-workflow-next-marker must be the next_marker of a list of this workflow", graph_name="expense-approval", next_marker="TRIGGERCALaa76")
    refused("execution_not_found", f"{executions}/nobody", 404, "NoSuchExecution", "the specified execution does not exist", graph_name="expense-approval")
    refused("execution_of_no_workflow", f"{executions}/nobody", 404, "NoSuchWorkflow", "the specified workflow does not exist", graph_name="no-such-graph")


def functiongraph_v1_watching_cases():
    before = v1_started(WATCHED, "expense-approval", WATCHED_INPUT)
    base = f"/v1.0/{PROJECT}/cloud_graphs"
    graph = quote(f"urn:fgs:cn-north-4:{PROJECT}:graph:expense-approval", safe="")
    urn = quote(execution_urn(WATCHED, "expense-approval"), safe="")

    def get(path, query=""):
        return lambda stage: sign_functiongraph(Request(f"{stage}{base}/{path}", None, query=query, method="GET"))

    def served(name, make, body, before):
        for front_end in FRONT_ENDS:
            event = through(front_end, make)
            case(f"functiongraph_v1/{name}{front_end}", event, json_answer(event, 200, body), before)

    entry = {
        "graph_urn": f"urn:fgs:local-1:{PROJECT}:graph:expense-approval",
        "execution_urn": execution_urn(WATCHED, "expense-approval"),
        "execution_name": WATCHED,
        "started_at": STARTED_AT,
        "stopped_at": "",
        "execution_status": "RUNNING",
    }
    listed = {"count": 1, "executions": [entry]}
    served("list_executions", get(f"{graph}/executions", "limit=10&name=watched&start=1"), listed, before)
    served("list_executions_by_urn", get(f"{graph}/executions", f"execution_urn={urn}"), listed, before)
    served("list_executions_behind", get(f"{graph}/executions", "start=2"), {"count": 0, "executions": []}, before)
    served("show_execution", get(f"executions/{urn}"), watched_info("TYPE"), before)
    begun = {"execution_name": WATCHED, "input": WATCHED_INPUT, "started_at": STARTED_AT, "type": "Execution Start"}
    served("show_history", get(f"executions/{urn}/history", "start=1&limit=10"), {"count": 1, "state_history": [begun]}, before)
    definition = json.loads((HERE.parent / "workflows" / "expense-approval.json").read_text())
    detail = {
        "name": "expense-approval",
        "last_modified": STARTED_AT,
        "definition": json.loads(json.dumps(definition, sort_keys=True)),
        "graph_urn": f"urn:fgs:local-1:{PROJECT}:graph:expense-approval",
    }
    served("show_graph", get(f"graph_detail/{urn}"), detail, before)

    def action(action_type, executions, workflow):
        urn = quote(f"urn:fgs:cn-north-4:{PROJECT}:graph:{workflow}", safe="")
        body = {"action_type": action_type, "executions": executions}
        return lambda stage: sign_functiongraph(Request(f"{stage}{base}/{urn}/executions/action", body))

    stopping = action("stop", {"execution_urn": execution_urn("stopped-v1", "order-fanout")}, "order-fanout")
    served("stop", stopping, {"stopped_at": STARTED_AT}, v1_started("stopped-v1", "order-fanout"))
    for front_end in FRONT_ENDS:
        name = f"test{front_end}"
        event = through(front_end, action("test_start", {"execution_name": name, "input": "[]"}, "order-fanout"))
        body = {"execution_urn": execution_urn(name, "order-fanout"), "started_at": STARTED_AT}
        case(f"functiongraph_v1/test_start{front_end}", event, json_answer(event, 200, body))

    def refused(name, make, status, code, message, before=None):
        event = rest(make(f"/{STAGE}"))
        case(f"functiongraph_v1/{name}", event, functiongraph_error(event, status, code, message), before)

    refused("test_start_conflict", action("test_start", {"execution_name": "no-test", "input": "{}"}, "order-fanout"), 409, "FGS.4106", "executions.execution_name belongs to an execution that a different request started", v1_started("no-test", "order-fanout"))
    refused("list_start_illegal", get(f"{graph}/executions", "start=0"), 400, "FGS.2004", "start must be a whole number from 1 to 1000")
    refused("list_limit_illegal", get(f"{graph}/executions", "limit=1001"), 400, "FGS.2005", "limit must be a whole number from 1 to 1000")
    refused("list_two_filters", get(f"{graph}/executions", f"name=a&execution_urn={urn}"), 400, "FGS.0005", "name and execution_urn must not be given both")
    rule = "execution_urn must have the form urn:fgs:<region>:<project_id>:execution:<graph_name>:<execution_name>:<domain_id> with the caller's project"
    refused("execution_urn_illegal", get("executions/watched-1"), 400, "FGS.0010", rule)
    foreign = quote(execution_urn(WATCHED, "expense-approval").replace(PROJECT, "0" * 32), safe="")
    refused("execution_urn_of_another_project", get(f"executions/{foreign}"), 400, "FGS.0010", rule)
    nobody = quote(execution_urn("nobody", "expense-approval"), safe="")
    refused("execution_not_found", get(f"executions/{nobody}"), 404, "FGS.2002", "the execution does not exist")
    refused("execution_of_no_workflow", get(f"executions/{quote(execution_urn('a', 'no-such-graph'), safe='')}"), 404, "FGS.1011", "the workflow does not exist")
    refused("stop_of_another_graph", action("stop", {"execution_urn": execution_urn(WATCHED, "expense-approval")}, "order-fanout"), 400, "FGS.0010", "executions.execution_urn must be the URN of an execution of graph_urn")
    refused("stop_without_urn", action("stop", {}, "order-fanout"), 400, "FGS.0005", "executions.execution_urn is missing")


def functiongraph_v2_watching_cases():
    before = v1_started(WATCHED, "expense-approval", WATCHED_INPUT)
    base = f"/v2/{PROJECT}/fgs/workflows"
    started_at = STARTED_AT.replace(".000Z", "Z")

    def request(path, query="", method="GET", body=None, **headers):
        return lambda stage: sign_functiongraph(Request(f"{stage}{base}/{path}", body, query=query, method=method, headers=headers))

    def served(name, make, body, before):
        for front_end in FRONT_ENDS:
            event = through(front_end, make)
            expected = json_answer(event, 200, body)
            case(f"functiongraph_v2/{name}{front_end}", event, expected if body is not None else expected | {"body": ""}, before)

    def brief(status):
        return {
            "workflow_id": APPROVAL_ID,
            "workflow_urn": f"urn:fss:local-1:{PROJECT}:workflow:default:expense-approval:latest",
            "execution_id": WATCHED,
            "status": status,
            "begin_time": started_at,
            "last_update_time": started_at,
            "created_by": ACCESS_KEY,
        }

    window = "end_time=2026-11-24%2000%3A00%3A00&limit=10&offset=0&start_time=2026-11-19%2000%3A00%3A00"
    served("list_executions", request(f"{APPROVAL_ID}/executions", f"{window}&status=running"), {"executions": [brief("running")]}, before)
    served("list_executions_of_another_status", request(f"{APPROVAL_ID}/executions", "status=fail"), {"executions": []}, before)
    served("list_history", request(f"{APPROVAL_ID}/executions-history", window), {"total": 1, "size": 1, "executions": [brief("scheduled")]}, before)
    details = {**brief("running"), "input": json.loads(WATCHED_INPUT), "node_execution_details": []}
    whole = {"X-Get-Workflow-Full-History-Data": "True"}
    served("show_execution", request(f"{APPROVAL_ID}/executions/{WATCHED}", **whole), details, before)

    def steer(name, verb):
        return request(f"{ORDER_ID}/executions/{name}/{verb}", method="POST")

    def sent(make):
        return rest(make(f"/{STAGE}"))

    served("stop", steer("stopped-v2", "terminate"), None, v1_started("stopped-v2", "order-fanout"))
    served("retry", steer("retried-v2", "retry"), None, [v1_started("retried-v2", "order-fanout"), sent(steer("retried-v2", "terminate"))])
    # The same start, waited for: it has ended by then, for it was stopped.
    key = {"Idempotency-Key": "order 67"}
    name = str(uuid.uuid5(uuid.UUID(ORDER_ID), "order 67"))
    body = {"input": {"bucket": "orders"}}
    earlier = [
        sent(request(f"{ORDER_ID}/executions", method="POST", body=body, **key)),
        sent(steer(name, "terminate")),
    ]
    error = {"error_message": "the execution was stopped", "begin_time": started_at, "end_time": started_at}
    ended = {"execution_id": name, "status": "fail", "output": {}, "errors": [error], "begin_time": started_at, "end_time": started_at}
    served("start_sync", request(f"{ORDER_ID}/sync-executions", method="POST", body=body, **key), ended, earlier)

    def refused(name, make, status, code, message, before=None):
        event = rest(make(f"/{STAGE}"))
        case(f"functiongraph_v2/{name}", event, functiongraph_error(event, status, code, message), before)

    def invalid(name, make, message):
        refused(name, make, 400, "FGS.3002", f"Invalid parameters. {message}")

    lists = f"{APPROVAL_ID}/executions"
    invalid("list_limit_too_large", request(lists, "limit=501"), "limit must be a whole number from 0 to 500")
    invalid("list_offset_illegal", request(lists, "offset=x"), "offset must be a whole number from -2147483648 to 2147483647")
    invalid("list_status_illegal", request(lists, "status=scheduled"), "status must be success, fail, running, timeout or cancel")
    invalid("list_time_illegal", request(lists, "start_time=2026-11-19"), "start_time must have the form YYYY-MM-DD hh:mm:ss")
    invalid("history_limit_missing", request(f"{lists}-history", "offset=0"), "limit is missing")
    invalid("history_limit_too_large", request(f"{lists}-history", "offset=0&limit=101"), "limit must be a whole number from 1 to 100")
    invalid("history_offset_negative", request(f"{lists}-history", "offset=-1&limit=1"), "offset must be a whole number from 0 to 2147483647")
    invalid("show_header_illegal", request(f"{lists}/{WATCHED}", **{"X-Get-Workflow-Full-History-Data": "all"}), "header X-Get-Workflow-Full-History-Data must be true or false")
    invalid("execution_id_too_long", request(f"{lists}/{'e' * 81}"), "execution_id must have 1 to 80 characters")
    invalid("start_sync_normal", request(f"{TRANSCODE_ID}/sync-executions", method="POST", body=body), "workflow_id must be of a flow in EXPRESS mode, no other can be waited for")
    refused("execution_not_found", request(f"{lists}/nobody"), 404, "FSS.0404", "The specified resource was not found.")
    refused("execution_of_no_workflow", request(f"{uuid.UUID(int=7)}/executions/nobody"), 404, "FGS.5002", "Function flow not found.")
    refused("retry_not_now", steer("too-early", "retry"), 409, "FSS.0409", "Conflict. the execution has the status scheduled, which does not allow this", v1_started("too-early", "order-fanout"))


def gateway_cases():
    """Paths of no API, through each kind of front end."""
    message = "The API does not exist or has not been published in the environment."
    for name, event in {
        "unknown_api": rest(Request(f"/{STAGE}/v3/projects", method="GET", query="name=cn-north-4")),
        "unknown_api_http_api": http_api(Request("/", method="GET")),
        "unknown_api_function_url": function_url(Request("/v2/project/functions", method="POST", body={})),
        "unknown_api_alb": load_balancer(Request("/v1.0/project/functions", method="GET")),
    }.items():
        case(f"gateway/{name}", event, functiongraph_error(event, 404, "APIGW.0101", message))


def stream_record(number, new_image, event_name="MODIFY"):
    change = {"SequenceNumber": str(number), "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    change["Keys"] = {name: new_image[name] for name in ("pk", "sk")}
    if event_name != "REMOVE":
        change["NewImage"] = new_image
    return {
        "eventID": f"{number:032x}",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/flowgate/stream/2026-11-21T00:00:00.000",
    }


def from_event_bridge(source, detail_type, detail, resources):
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": resources,
        "detail": detail,
    }


def engine_cases():
    """What comes to the function from the table's stream, from Step Functions and from the schedule."""

    def image(status, record="0123456789abcdef" * 4):
        # A record as large as one is would show nothing more.
        return {
            "pk": {"S": f"execution#{record}"},
            "sk": {"S": "execution"},
            "v": {"N": "1"},
            "status": {"S": status},
            "tries": {"N": "0"},
            "is_test": {"BOOL": False},
        }

    workflow = {"pk": {"S": f"workflow#{PROJECT}#name#media-transcode"}, "sk": {"S": "workflow"}, "v": {"N": "1"}}
    done = {"batchItemFailures": []}
    waiting = [stream_record(1, image("scheduled"), "INSERT"), stream_record(2, image("stopping")), stream_record(3, image("retrying"))]
    case("engine/stream", {"Records": waiting}, done)
    others = [stream_record(1, image("running")), stream_record(2, workflow, "INSERT"), stream_record(3, image("failed"), "REMOVE")]
    case("engine/stream_with_nothing_to_do", {"Records": others}, done)
    # A record that can never be dealt with must not come again: it would keep all others of its shard waiting.
    poison = [stream_record(1, image("asleep")), stream_record(2, image("scheduled", "not-hex")), waiting[0]]
    case("engine/stream_with_poison", {"Records": poison}, done)

    name = "0123456789abcdef" * 4 + "-0a1b2c3d4e5-1"
    machine = f"fg-51af3dc0-media-transcode-{TRANSCODE_ID.replace('-', '')}"
    execution = f"arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}"
    started, stopped = int(NOW.timestamp() * 1000) + 847, int(NOW.timestamp() * 1000) + 2881
    for status, output, error in [
        ("RUNNING", None, None),
        ("SUCCEEDED", "{\"thumbnail\":\"demo.jpg\"}", None),
        ("FAILED", None, ("Flowgate.NodeFailed", "{\"errorCode\":500}")),
        ("TIMED_OUT", None, None),
        ("ABORTED", None, None),
    ]:
        detail = {
            "executionArn": execution,
            "stateMachineArn": f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine}",
            "name": name,
            "status": status,
            "startDate": started,
            "stopDate": None if status == "RUNNING" else stopped,
            "input": "{\"input\":{},\"headers\":{},\"merge\":false}",
            "output": output,
            "inputDetails": {"included": True},
            "outputDetails": {"included": True} if output else None,
            "error": error and error[0],
            "cause": error and error[1],
        }
        event = from_event_bridge("aws.states", "Step Functions Execution Status Change", detail, [execution])
        case(f"engine/execution_{status.lower()}", event, None)

    rule = "arn:aws:events:us-east-1:123456789012:rule/flowgate-FunctionSweeper"
    case("engine/schedule", from_event_bridge("aws.events", "Scheduled Event", {}, [rule]), None)


# The sentences of rooms below the APIs.
INPUT_MESSAGES = {
    "unknown": "`inputs` must only have parameters of the workflow, `colour` is none",
    "required": "`inputs.amount` must be given, because the parameter has no default",
    "constraint": "`inputs.height` must be one of `360`, `480`, `720`, `1080`, `2160`",
    "type": "`inputs.height` must be a number without fraction and exponent",
}
AUTH_MESSAGES = {
    "obs_date_missing": "missing header `Date`",
    "obs_malformed": "malformed `Authorization`: the scheme is none of OBS, AWS, AWS4-HMAC-SHA256",
    "functiongraph_malformed": "malformed `Authorization`: the scheme is none of SDK-HMAC-SHA256, V11-HMAC-SHA256",
    "functiongraph_date_missing": "missing header `X-Sdk-Date`",
}


def main():
    obs_cases()
    obs_watching_cases()
    functiongraph_v1_cases()
    functiongraph_v1_watching_cases()
    functiongraph_v2_cases()
    functiongraph_v2_watching_cases()
    gateway_cases()
    engine_cases()
    written = {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in CASES.items()}
    present = {str(path.relative_to(HERE)): path.read_text() for path in HERE.glob("*/*.json")}
    if "--check" in sys.argv[1:]:
        stale = sorted(name for name in written.keys() | present.keys() if written.get(name) != present.get(name))
        sys.exit(f"not current, run events/generate.py: {', '.join(stale)}" if stale else 0)
    for name in present.keys() - written.keys():
        (HERE / name).unlink()
    for name, text in written.items():
        (HERE / name).parent.mkdir(exist_ok=True)
        (HERE / name).write_text(text)
    print(f"{len(written)} files written")


if __name__ == "__main__":
    main()
