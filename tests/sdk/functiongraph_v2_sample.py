# coding: utf-8

# The Python sample program that the vendor prints on the page of "Executing a Function Flow Asynchronously", run by
# test_functiongraph_v2.py. Three things differ from the page, each marked: the project id beside the credentials, the
# endpoint in place of a region, and the workflow_id, which the page forgets.

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkfunctiongraph.v2.region.functiongraph_region import FunctionGraphRegion
from huaweicloudsdkcore.exceptions import exceptions
from huaweicloudsdkfunctiongraph.v2 import *

if __name__ == "__main__":
    # The AK and SK used for authentication are hard-coded or stored in plaintext, which has great security risks. It is recommended that the AK and SK be stored in ciphertext in configuration files or environment variables and decrypted during use to ensure security.
    # In this example, AK and SK are stored in environment variables for authentication. Before running this example, set environment variables CLOUD_SDK_AK and CLOUD_SDK_SK in the local environment
    ak = __import__('os').getenv("CLOUD_SDK_AK")
    sk = __import__('os').getenv("CLOUD_SDK_SK")
    project_id = __import__('os').getenv("CLOUD_SDK_PROJECT_ID")  # differs

    credentials = BasicCredentials(ak, sk, project_id) \

    client = FunctionGraphClient.new_builder() \
        .with_credentials(credentials) \
        .with_endpoint(__import__('os').getenv("FLOWGATE_ENDPOINT")) \
        .build()  # differs, in the line above

    try:
        request = StartWorkflowExecutionRequest()
        request.workflow_id = __import__('os').getenv("WORKFLOW_ID")  # differs
        request.body = FlowExecuteBody(
            input="{\"arg2\":\"argument_2\",\"arg1\":\"argument_1\"}",
            headers="{\"tenantId\":\"user1\"}"
        )
        response = client.start_workflow_execution(request)
        print(response)
    except exceptions.ClientRequestException as e:
        print(e.status_code)
        print(e.request_id)
        print(e.error_code)
        print(e.error_msg)
