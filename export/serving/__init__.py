"""Exported models served: TF Serving's REST interface, a page, a client, files for TF Serving.

The server behaves as TF Serving's documentation and tests say (g3doc/api_rest.md,
json_tensor_test.cc and http_rest_api_handler_test.cc of github.com/tensorflow/serving), so that a
client moves there unchanged.
"""
