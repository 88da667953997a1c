"""What the tests of both FunctionGraph APIs share: clients that keep what was on the wire, and how a refusal is read."""

import re
from dataclasses import dataclass

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.http.http_handler import HttpHandler
from huaweicloudsdkfunctiongraph.v2 import FunctionGraphClient

# The vendor's gateway puts this before the reason of every 401.
NOT_AUTHENTICATED = "Incorrect IAM authentication information: "


def credentials(key):
    """The SDK's own form of a key."""
    credentials = BasicCredentials(key.access_key, key.secret_key, key.project_id)
    if key.security_token is not None:
        credentials.with_security_token(key.security_token)
    return credentials


@dataclass
class Wire:
    """The responses a client got, each with the request it answers, oldest first."""

    responses: list

    @property
    def last(self):
        return self.responses[-1]


def build(builder, server, key_or_credentials, **config):
    """A client of the vendor for the server, and its wire."""
    wire = Wire([])
    given = key_or_credentials
    client = (
        builder.with_credentials(given if isinstance(given, BasicCredentials) else credentials(given))
        .with_endpoint(server.endpoint)
        .with_http_config(HttpConfig(**config))
        .with_http_handler(HttpHandler().add_response_handler(lambda response, **_: wire.responses.append(response)))
        .build()
    )
    return client, wire


def v2_client(server, key, **config):
    return build(FunctionGraphClient.new_builder(), server, key, **config)


def refusal(call, wire, kind=ClientRequestException):
    """Calls, expects the SDK's own exception, and returns its status, code and message.

    The request id is checked here, for it has to be on every refusal: the SDK reads it from the header.
    """
    answered = len(wire.responses)
    with pytest.raises(kind) as caught:
        call()
    assert len(wire.responses) == answered + 1, "one request, one answer"
    error = caught.value
    assert type(error) is kind
    assert re.fullmatch("[0-9a-f]{32}", error.request_id)
    assert wire.last.headers["X-Request-Id"] == error.request_id
    assert wire.last.headers["Content-Type"] == "application/json"
    body = wire.last.json()
    assert body == {"error_code": error.error_code, "error_msg": error.error_msg, "request_id": error.request_id}
    return error.status_code, error.error_code, error.error_msg
