"""Requests of the FunctionGraph v2 API, signed as the vendor's clients sign them, as text for the load client.

Only `Host` and the time are signed with path, query and body, as Go's client does it. The name of an execution is in a
header that is not, so one signature is good for any number of starts, and signing is not measured. It is good for a quarter
of an hour.
"""

import datetime
import hashlib
import hmac
import urllib.parse

ACCESS_KEY = "FLOWGATELOCALKEY0001"
SECRET_KEY = "flowgate-local-secret-key-for-laptops-only"
PROJECT = "c0ffee00c0ffee00c0ffee00c0ffee00"

START_BODY = '{"input":{"bucket":"demo-bucket","object":"videos/demo.mp4","sizes":[1,2,3]}}'


def path(workflow, rest):
    return f"/v2/{PROJECT}/fgs/workflows/{workflow}/{rest}"


def signed_headers(method, path, query, host, body, access_key=ACCESS_KEY, secret_key=SECRET_KEY):
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    encoded = urllib.parse.quote(path.rstrip("/") + "/", safe="/~")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join(f"{urllib.parse.quote(n, safe='~')}={urllib.parse.quote(v, safe='~')}" for n, v in pairs)
    names = "host;x-sdk-date"
    body_hash = hashlib.sha256(body.encode()).hexdigest()
    canonical = f"{method}\n{encoded}\n{canonical_query}\nhost:{host}\nx-sdk-date:{date}\n\n{names}\n{body_hash}"
    to_sign = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return {
        "Host": host,
        "X-Sdk-Date": date,
        "Authorization": f"SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={names}, Signature={signature}",
    }


def text(method, target, headers, body=""):
    head = "".join(f"{name}: {value}\n" for name, value in headers.items())
    return f"{method} {target} HTTP/1.1\n{head}\n{body}"


def start_headers(path, host, **keys):
    headers = signed_headers("POST", path, "", host, START_BODY, **keys)
    return {**headers, "Content-Type": "application/json", "X-WorkflowRun-ID": "{{n}}"}


def start(host, workflow):
    """A start of an execution whose name is new each time."""
    target = path(workflow, "executions")
    return text("POST", target, start_headers(target, host), START_BODY)


def get(host, workflow, rest, query=""):
    target = path(workflow, rest)
    headers = signed_headers("GET", target, query, host, "")
    return text("GET", f"{target}?{query}" if query else target, headers)


def event(workflow, access_key, secret_key):
    """The same start as API Gateway's HTTP API hands it over, for a function."""
    target, host = path(workflow, "executions"), "api.example.com"
    headers = start_headers(target, host, access_key=access_key, secret_key=secret_key)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": target,
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": host,
            "http": {
                "method": "POST",
                "path": target,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "bench",
            },
            "requestId": "bench",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1795219200000,
        },
        "body": START_BODY,
        "isBase64Encoded": False,
    }


def workflow(name, *states, functions=()):
    """A definition in the FunctionGraph v2 form."""
    members = {"constants": {}, "retries": [], "functions": list(functions), "states": list(states)}
    return {"name": name, "mode": "NORMAL", "start": states[0]["id"], **members}


END = {"id": "end", "name": "End", "type": "End", "actions": [], "end": True, "transition": ""}


def sleeping(seconds):
    """A workflow that does nothing for that long."""
    sleep = {"id": "sleep", "name": "Sleep", "type": "Sleep", "duration": seconds, "actions": []}
    return workflow("sleeping", {**sleep, "end": False, "transition": "end"}, END)


def one_step(url):
    """A workflow of one call."""
    call = {"function_ref": {"ref_name": "step", "invoke_mode": "synchronize", "arguments": {"object": "$.object"}}}
    step = {"id": "step", "name": "Step", "type": "Operation", "action_mode": "sequential", "actions": [call]}
    return workflow("one-step", {**step, "end": False, "transition": "end"}, END, functions=[{"name": "step", "operation": url}])
