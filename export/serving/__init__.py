"""Serving of exported models: TF Serving's REST interface, a page, and the files of TF Serving.

The server behaves as TF Serving's documentation and tests say (g3doc/api_rest.md,
json_tensor_test.cc and http_rest_api_handler_test.cc of github.com/tensorflow/serving), so that a
client moves there unchanged. `tf_serving` has its words, `server` the machinery.
"""
