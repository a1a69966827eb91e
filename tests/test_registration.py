"""`keras.saving.load_model` finds `VRNN` after `import ser_keras`, in fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN

OBSERVATIONS = np.random.default_rng(0).normal(size=(2, 3, 13)).astype(np.float32)


def run(program: str) -> str:
    """Run a program in a fresh process, and return the last line that it prints."""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def saved(tiny_preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A model's file, and its posteriors for `OBSERVATIONS`."""
    model = VRNN.from_preset(tiny_preset, classes=("calm", "angry"), seed=0)
    model.adapt([OBSERVATIONS])
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(path)
    return path, model.predict(OBSERVATIONS, verbose=0)["probabilities"]


@pytest.mark.parametrize(
    "imports",
    [
        "import keras, ser_keras; load = keras.saving.load_model",
        "import ser_keras, keras; load = keras.saving.load_model",
        "import ser_keras, tensorflow as tf; load = tf.keras.models.load_model",
    ],
)
def test_a_saved_model_loads_with_the_same_answers(imports: str, saved: tuple[Path, np.ndarray]):
    path, expected = saved
    program = (
        f"import sys; {imports}\n"
        "assert 'ser_keras.model.vrnn' not in sys.modules\n"
        "import json, numpy\n"
        f"model = load({str(path)!r})\n"
        f"x = numpy.array({OBSERVATIONS.tolist()}, 'float32')\n"
        "found = model.predict(x, verbose=0)['probabilities']\n"
        "import keras  # by now the stand-in has given way to the class itself\n"
        "assert keras.saving.get_registered_object('ser_keras>VRNN') is type(model)\n"
        "print(json.dumps([type(model).__module__, found.tolist()]))"
    )
    module, found = json.loads(run(program))
    assert module == "ser_keras.model.vrnn"
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_importing_the_package_imports_neither_keras_nor_tensorflow():
    assert (
        run("import sys, ser_keras; print({'keras', 'tensorflow'} & set(sys.modules))") == "set()"
    )


def test_looking_for_keras_is_not_importing_it():
    program = (
        "import importlib.util, sys, ser_keras\n"
        "assert importlib.util.find_spec('keras').origin.endswith('__init__.py')\n"
        "assert 'keras' not in sys.modules\n"
        "import keras\n"
        "print('ser_keras>VRNN' in keras.saving.get_custom_objects())"
    )
    assert run(program) == "True"
