"""The local server: HTTP, models in memory, batches of requests, the page.

The way of a `:predict` body, every module once:

1. `http_server` takes it from the socket; `application` has `allowed_hosts` check the name that the
   client calls, and `request_body` read it whole, within the `memory_budget` of all requests.
2. `rest` parses the path, then leads it through `tf_serving`: `json_parsing` makes it JSON values,
   `repository` and `loaded_model` name the signature, `json_tensors` makes the values its inputs.
3. `sound_limits` refuses recordings that are too long.
4. `batching` stacks it with others, `signature` runs them in a thread.
5. `json_answers` writes the outputs as JSON, `answer` sends them.

Long bodies go through 2, 3 and 5 in a thread of their own, which lets others run in between.

A request that cannot be answered raises `ServingError` on its way, which `application` answers.
"""
