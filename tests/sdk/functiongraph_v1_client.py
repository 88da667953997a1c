"""A client for FunctionGraph v1, which no SDK of the vendor has: what its generator makes for v2, over the same core."""

import sys

from huaweicloudsdkcore.client import Client, ClientBuilder
from huaweicloudsdkcore.sdk_response import SdkResponse


class StartExecutionResponse(SdkResponse):
    openapi_types = {"execution_urn": "str", "started_at": "str"}
    attribute_map = {"execution_urn": "execution_urn", "started_at": "started_at"}

    def __init__(self, execution_urn=None, started_at=None):
        super().__init__()
        self.execution_urn = execution_urn
        self.started_at = started_at


class FunctionGraphV1Client(Client):
    def __init__(self):
        super().__init__()
        self.model_package = sys.modules[__name__]

    @classmethod
    def new_builder(cls):
        return ClientBuilder(cls)

    def execution_action(self, graph_urn, body, percent_encoded=True):
        """Sends the body as it is if it is a text, else as JSON.

        The core percent-encodes what it puts in a path, as the SDKs do; callers of the documents write the URN as it is.
        """
        path = "/v1.0/{project_id}/cloud_graphs/{graph_urn}/executions/action"
        return self.do_http_request(
            method="POST",
            resource_path=path if percent_encoded else path.replace("{graph_urn}", graph_urn),
            path_params={"graph_urn": graph_urn},
            header_params={"Content-Type": "application/json"},
            body=body,
            response_type="StartExecutionResponse",
        )

    def get(self, path, response_type="StartExecutionResponse", **query):
        """Asks for what lies below the project; the core signs and sends it, and the answer is on the wire."""
        return self.do_http_request(
            method="GET",
            resource_path="/v1.0/{project_id}/" + path,
            query_params=list(query.items()),
            header_params={"Content-Type": "application/json"},
            response_type=response_type,
        )

    def show_graph(self, graph_urn):
        return self.do_http_request(
            method="GET",
            resource_path="/v1.0/{project_id}/cloud_graphs/{graph_urn}",
            path_params={"graph_urn": graph_urn},
            header_params={"Content-Type": "application/json"},
        )
