"""A version of a model in memory: its signatures, ready to run, and what it says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow.core.protobuf import saved_model_pb2

from ser_keras.export.serving.server.batching import Batcher
from ser_keras.export.serving.server.signature import Signature
from ser_keras.export.serving.tf_serving import warm_up
from ser_keras.export.serving.tf_serving.status import invalid


class LoadedModel:
    """A SavedModel, loaded from NAME/VERSION and warmed up.

    Attributes:
        number: its version.
        batchers: run each signature, by its name.
        metadata: the signatures as TF Serving prints them.
        description: a model of this package has one (`ser_keras.export.graph.inference`); {} of
            any other.

    Raises:
        OSError, ValueError, tf.errors.OpError: it cannot be loaded.

    Example:
        >>> LoadedModel(Path("nowhere/1"), batcher=None)
        Traceback (most recent call last):
        FileNotFoundError: [Errno 2] No such file or directory: 'nowhere/1/saved_model.pb'
    """

    def __init__(self, folder: Path, batcher: Callable[[Signature], Batcher]) -> None:
        self.number = int(folder.name)
        definitions = _signature_definitions(folder)
        self._loaded = tf.saved_model.load(str(folder))
        self._signatures = {
            name: Signature(name, function, definitions[name].method_name)
            for name, function in self._loaded.signatures.items()
            if name in definitions
        }
        self.batchers = {name: batcher(one) for name, one in self._signatures.items()}
        self.metadata = {name: _to_dict(definitions[name]) for name in sorted(definitions)}
        self.description = _description(folder)
        for name, tensors in warm_up.read(folder / warm_up.PATH):
            self.signature(name).run(tensors)  # the first call of each shape takes seconds
        self._warm_up_page()

    def signature(self, name: str) -> Signature:
        """Return the signature of a name; "" is the default one."""
        name = name or "serving_default"
        if name not in self._signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return self._signatures[name]

    @property
    def explains(self) -> bool:
        """Whether the page can show it: models by others, and of older versions, say too little."""
        explain = getattr(self._loaded, "explain", None)
        if not self.description or explain is None:
            return False
        (graph,) = explain.concrete_functions
        return "expected" in graph.structured_outputs

    def _warm_up_page(self) -> None:
        """Call what the page calls, as the requests beside a model do with its signatures."""
        explain, live = self.function("explain"), self.function("live")
        if not self.explains or explain is None or live is None:
            return
        rate, window = self.description["sample_rate"], self.description["window_length"]
        silence = np.zeros(window + self.description["hop_length"], np.float32)
        explain(tf.constant([warm_up.wav(silence, rate)]))
        state = tf.zeros([1, self.description["state_size"]])
        live(tf.constant([warm_up.wav(silence[:window], rate)]), state)

    def function(self, name: str) -> Callable[..., dict[str, tf.Tensor]] | None:
        """Return a function that models of this package have beside their signatures, or None."""
        return getattr(self._loaded, name, None)


def _signature_definitions(folder: Path) -> dict[str, Any]:
    content = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    for graph in content.meta_graphs:
        if "serve" in graph.meta_info_def.tags:
            return dict(graph.signature_def)
    raise ValueError(f"{folder}: expected a graph with the tag 'serve', found none")


def _to_dict(message: Message) -> dict[str, Any]:
    """Convert as TF Serving prints: in the protocol's names, and with fields that are not set."""
    names = {"preserving_proto_field_name": True}
    try:
        return json_format.MessageToDict(
            message, always_print_fields_with_no_presence=True, **names
        )
    except TypeError:  # protobuf 4, of the [io] stack
        return json_format.MessageToDict(message, including_default_value_fields=True, **names)


def _description(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / "assets" / "description.json").read_text("utf-8")))
    except (OSError, ValueError):
        return {}
