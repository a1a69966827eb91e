"""The exported model as Beam's RunInference calls it."""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from apache_beam.io.filesystems import FileSystems
from apache_beam.ml.inference.base import ModelHandler

from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.export.batch.inputs import Item
from ser_keras.export.batch.reading import Sound, blocks_of, opened
from ser_keras.features.spec import FeatureSpec

if TYPE_CHECKING:  # TensorFlow is for the workers
    from ser_keras.recognition.bulk import BatchAnswer
    from ser_keras.recognition.decoded import Recording
    from ser_keras.recognition.description import Describer


class Exported(NamedTuple):
    """The description of an exported model, from its assets.

    Example:
        >>> exported(export.saved_model(model, "described")).labels == model.classes
        True
    """

    spec: FeatureSpec
    labels: tuple[str, ...]
    familiarity: tuple[float, ...] | None


def exported(folder: str | Path) -> Exported:
    """Read the description of an exported model, on any file system of Beam.

    Raises:
        ConfigurationError: there is none.

    Example:
        >>> exported("nowhere")
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: nowhere: expected a SavedModel of ...
    """
    file = FileSystems.join(str(folder), "assets", "description.json")
    try:
        with FileSystems.open(file) as stream:
            described = json.load(stream)
        familiarity = described["familiarity"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"{folder}: expected a SavedModel of `ser-keras export`, of this version or a later "
            f"one, found none ({error})"
        ) from error
    spec = FeatureSpec.from_dict(described["preset"]["features"])
    return Exported(spec, tuple(described["labels"]), familiarity and tuple(familiarity))


class ExportedModelHandler(ModelHandler):
    """Answers lists of `Sound` by an exported model: a list of lines each, as `predict` has them.

    Args:
        folder: of the SavedModel, on a file system of Beam that all workers read.

    Example:
        >>> from ser_keras.export.batch.inputs import Item
        >>> from ser_keras.recognition.decoded import Recording
        >>> handler = ExportedModelHandler(export.saved_model(model, "handled"))
        >>> sound = Sound(Item("a.wav"), Recording(np.zeros(8000, np.float32), silent=True))
        >>> ((line,),) = handler.run_inference([[sound]], handler.load_model())
        >>> line["file"], line["duration"], line["silent"]
        ('a.wav', 1.0, True)
    """

    def __init__(self, folder: str | Path) -> None:
        # `ByLength` has made the batches.
        super().__init__(min_batch_size=1, max_batch_size=1)
        self.folder = str(folder)

    def load_model(self) -> Any:
        """Load the SavedModel, from a copy if it is not on this machine."""
        # TensorFlow makes a million objects that stay. Python would look for garbage among them
        # again and again, and for a second when the process ends, which Beam waits for.
        gc.disable()
        try:
            loaded = self._load()
            gc.freeze()
        finally:
            gc.enable()
        if not hasattr(loaded, "window"):
            raise ConfigurationError(
                f"{self.folder}: expected a SavedModel of this version of ser_keras, found an "
                "older one; export the model again"
            )
        return loaded

    def _load(self) -> Any:
        import tensorflow as tf

        # A worker process is a core's; TensorFlow's threads would be in each other's way.
        with contextlib.suppress(RuntimeError):  # it runs already
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        with tempfile.TemporaryDirectory() as scratch:
            return tf.saved_model.load(_copy(self.folder, scratch))

    def run_inference(
        self, batch: Sequence[list[Sound]], model: Any, inference_args: Any = None
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the lines of each list of sounds."""
        from ser_keras.model.familiarity import Familiarity
        from ser_keras.recognition.description import Describer

        spec, labels, quantiles = self._description()
        describer = Describer(spec, labels, Familiarity(quantiles) if quantiles else None)
        for sounds in batch:
            short = [sound.recording for sound in sounds if sound.recording is not None]
            answers = iter(_together(model, spec, short))
            yield [
                {**item.named(), **describer.recording(recording, next(answers))}
                if recording is not None
                else _in_chunks(model, describer, item)
                for item, recording in sounds
            ]

    def _description(self) -> Exported:
        if not hasattr(self, "_described"):
            self._described = exported(self.folder)
        return self._described

    def get_metrics_namespace(self) -> str:
        """Name Beam's own counters of the inference."""
        return "ser_keras_inference"


def _together(model: Any, spec: FeatureSpec, recordings: Sequence[Recording]) -> list[BatchAnswer]:
    from ser_keras.recognition.bulk import answer_together

    samples = [recording.samples for recording in recordings]
    return answer_together(model.batch, spec, samples) if samples else []


def _in_chunks(model: Any, describer: Describer, item: Item) -> dict[str, Any]:
    """Answer a long recording block by block; a line of its error if it is damaged."""
    import tensorflow as tf

    from ser_keras.recognition.instants import Step
    from ser_keras.recognition.recognizer import answer_in_chunks

    _, states = model.window.concrete_functions[0].structured_input_signature[0]
    step = Step(model.window, describer.spec, [tf.zeros(state.shape) for state in states])
    try:
        with opened(item.file) as source:
            return {**item.named(), **answer_in_chunks(step, describer, blocks_of(item, source))}
    except AudioError as error:
        return {**item.named(), "error": error.reason}


def _copy(folder: str, scratch: str) -> str:
    """Copy a folder from where TensorFlow may not read; return where it is."""
    if "://" not in folder:
        return folder
    matched = FileSystems.match([FileSystems.join(folder, "**")])[0].metadata_list
    for found in matched:
        target = Path(scratch) / found.path[len(folder) :].lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileSystems.open(found.path) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    return scratch
