"""The command line as a shell sees it: exit status, what is on which stream, no traceback."""

from __future__ import annotations

import argparse
import contextlib
import csv
import functools
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.commands import main as cli
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.evaluation import paper
from ser_keras.training.run import TrainingRun, read_run
from tests.answers import assert_alike

pytestmark = pytest.mark.usefixtures("eagerly")

COMMANDS = (
    *("demo", "train", "evaluate", "reproduce", "predict", "stream", "features"),
    *("export", "serve", "tune", "cross-corpus"),
)
SER_KERAS = [sys.executable, "-m", "ser_keras"]


class Answer:
    """Exit status and output of a command."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def message(self) -> str:
        """The last line of standard error: the error itself."""
        return self.err.strip().splitlines()[-1]


@pytest.fixture
def ser_keras(capfd: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process."""

    def run(*words: str | Path) -> Answer:
        capfd.readouterr()
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as exit_:  # argparse
            status = exit_.code if isinstance(exit_.code, int) else 1
        out, err = capfd.readouterr()
        assert "--debug" in words or "Traceback" not in out + err
        return Answer(status, out, err)

    return run


@pytest.fixture
def tiny(tiny_settings: dict[str, Any]) -> list[str]:
    """Options for one epoch of a tiny model."""
    settings = tiny_settings | {"epochs": 1}
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture
def broken_manifest(synthetic_corpus: Corpus, tmp_path: Path) -> Path:
    """A user's own corpus; one of its recordings is not sound, another too short."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    rows = []
    for number, utterance in enumerate(synthetic_corpus):
        name = f"{number:02d}.wav"
        shutil.copy(utterance.path, folder / name)
        rows.append([f"recordings/{name}", utterance.emotion, "train" if number % 4 else "test"])
    (folder / "05.wav").write_text("not sound")
    (folder / "08.wav").write_text("not sound either")
    soundfile.write(folder / "06.wav", [0.1] * 800, 8000)
    path = tmp_path / "own.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "emotion", "split"], *rows])
    return path


def write_manifest(folder: Path, rows: list[list[str]]) -> Path:
    path = folder / "manifest.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["path", "emotion"], *rows])
    return path


def test_a_users_own_corpus_from_training_to_predictions(
    ser_keras: Any, broken_manifest: Path, tiny: list[str], tmp_path: Path
):
    run = tmp_path / "run"
    trained = ser_keras(
        "train", "--corpus", "manifest", "--data", broken_manifest, "--split", "predefined",
        "--out", run, "--seed", 3, *tiny, "--set", "objective.kl_weight=0.5",
    )  # fmt: skip
    assert trained.status == 0, trained.err
    assert trained.out == f"{run / 'model.keras'}\n"
    assert "05.wav" in trained.err
    assert "skipped 1 utterance shorter than one window" in trained.err
    assert "epoch 1 of 1" in trained.err
    assert read_run(run).seed == 3
    assert read_run(run).preset.optimization.epochs == 1
    assert read_run(run).preset.objective.kl_weight == 0.5

    evaluated = ser_keras("evaluate", run)
    assert evaluated.status == 0, evaluated.err
    numbers = json.loads((run / "evaluation.json").read_text())
    assert (numbers["n_test"], numbers["n_failed"]) == (7, 1)
    assert "08.wav" in evaluated.err
    assert f"weighted accuracy     {numbers['weighted_accuracy']:7.1%}" in evaluated.out
    assert {"predictions.csv", "report.html"} <= {path.name for path in run.iterdir()}

    recordings = broken_manifest.parent / "recordings"
    names = [recordings / f"{number:02d}.wav" for number in (1, 5, 6, 0)]
    predicted = ser_keras("predict", "--model", run, *names)
    assert predicted.status == 1
    lines = [json.loads(line) for line in predicted.out.splitlines()]
    assert [line["file"] for line in lines] == [str(name) for name in names]
    assert ["error" in line for line in lines] == [False, True, False, False]
    assert [line.get("padded") for line in lines] == [False, None, True, False]
    assert predicted.message == "1 of 4 files cannot be used"

    alone = ser_keras("predict", "--model", run / "model.keras", names[0])
    assert alone.status == 0
    assert_alike(json.loads(alone.out), lines[0])
    # What was predicted of a test recording is what its evaluation says.
    with (run / "predictions.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["file"] == "recordings/00.wav")
    assert row["predicted"] == lines[3]["emotion"]
    probability = lines[3]["probabilities"][row["predicted"]]
    assert float(row[f"probability_{row['predicted']}"]) == pytest.approx(probability, rel=1e-4)


@pytest.mark.usefixtures("without_plots")
def test_shipped_weights_are_evaluated_on_a_corpus_alone(
    ser_keras: Any, manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    answer = ser_keras("evaluate", "tiny")
    assert answer.status == 1
    assert "tiny: expected the folder of a run, or --corpus and --out" in answer.message
    answer = ser_keras("evaluate", "tiny", "--corpus", "manifest", "--data", manifest)
    assert answer.status == 1
    assert "tiny: expected the folder of a run, or --corpus and --out" in answer.message
    answer = ser_keras(
        "evaluate", "tiny", "--corpus", "manifest", "--data", manifest, "--out", "out"
    )
    assert answer.status == 0, answer.err
    numbers = json.loads(Path("out/evaluation.json").read_text())
    assert (numbers["preset"], numbers["n_test"]) == ("tiny", 32)


@pytest.mark.usefixtures("without_plots")
def test_a_run_is_evaluated_on_another_corpus(
    ser_keras: Any, trained_run: Path, manifest: Path, tmp_path: Path
):
    before = {path: path.stat().st_mtime_ns for path in trained_run.iterdir()}
    out = tmp_path / "out"
    answer = ser_keras(
        "evaluate", trained_run, "--corpus", "manifest", "--data", manifest, "--out", out
    )
    assert answer.status == 0, answer.err
    assert json.loads((out / "evaluation.json").read_text())["n_test"] == 32
    assert {path: path.stat().st_mtime_ns for path in trained_run.iterdir()} == before


def test_features_leaves_shards_and_says_what_it_left_out(
    ser_keras: Any, broken_manifest: Path, tiny: list[str], tmp_path: Path
):
    words = [
        "features", "--corpus", "manifest", "--data", broken_manifest, "--out", tmp_path / "out",
        "--shard-size", 20, "--workers", 1, *tiny,
    ]  # fmt: skip
    answer = ser_keras(*words)
    assert answer.status == 0, answer.err
    *left_out, summary = answer.out.splitlines()
    assert summary == "29 utterances in 2 shards, 3 left out"
    assert [line.split(":")[0].split("/")[-1] for line in left_out] == [
        "05.wav",
        "06.wav",
        "08.wav",
    ]
    assert len(list((tmp_path / "out").glob("*.tfrecord"))) == 2
    assert ser_keras(*words).out == answer.out


@pytest.mark.parametrize(
    ("corpus", "words", "split", "seeds"),
    [
        ("ravdess", [], "random", 3),
        ("iemocap", [], "session", 3),
        ("ravdess", ["--split", "speaker", "--seeds", "2"], "speaker", 2),
    ],
)
def test_reproduce_follows_the_papers_protocol_and_prints_table_1(
    corpus: str,
    words: list[str],
    split: str,
    seeds: int,
    ser_keras: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    asked: list[tuple[TrainingRun, Path, int]] = []
    one = {
        "weighted_accuracy": {"mean": 0.6789, "std": 0.0123, "runs": [0.6, 0.7]},
        "unweighted_accuracy": {"mean": 0.65, "std": 0.02, "runs": [0.6, 0.7]},
        "sampled_fraction": {"with_first": 0.6, "after_first": 0.41},
    }

    def reproduce(*given: Any) -> dict[str, Any]:
        asked.append(given)
        return {"attention": one, "no_attention": one, "paper": paper.published(corpus)}

    monkeypatch.setattr("ser_keras.evaluation.reproduction.reproduce", reproduce)
    answer = ser_keras("reproduce", "--corpus", corpus, "--out", tmp_path, *words)
    assert answer.status == 0, answer.err
    ((run, out, count),) = asked
    assert (run.corpus, run.split, out, count) == (corpus, split, tmp_path, seeds)
    assert "67.9% ± 1.2%" in answer.out
    assert "41.0%" in answer.out
    published = paper.published(corpus)["weighted_accuracy"]
    with_attention, without = answer.out.splitlines()[1:3]
    assert with_attention.endswith(f"{published['attention']:.1%}")
    assert without.endswith(f"{published['no_attention']:.1%}")


@pytest.mark.usefixtures("without_plots")
def test_demo_leaves_the_whole_loop(
    ser_keras: Any,
    trained_run: Path,
    tiny_run: TrainingRun,
    tiny_settings: dict[str, Any],
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    out = tmp_path / "demo"
    shutil.copytree(trained_run, out)
    exported: list[tuple[str, str, Path]] = []

    def export(options: argparse.Namespace) -> int:
        exported.append((options.model, options.to, options.out))
        return 0

    monkeypatch.setattr("ser_keras.export.command.run", export)
    settings = [
        word for key, value in tiny_settings.items() for word in ("--set", f"{key}={value}")
    ]
    answer = ser_keras(
        "demo", "--corpus", "manifest", "--data", manifest, "--seed", tiny_run.seed,
        "--out", out, *settings,
    )  # fmt: skip
    assert answer.status == 0, answer.err
    assert f"report       {out / 'report.html'}" in answer.out
    assert exported == [
        (str(out), "saved-model", out / "exported" / "saved-model"),
        (str(out), "tflite", out / "exported" / "model.tflite"),
    ]
    lines = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert len(lines) == 3
    predicted = {Path(line["file"]) for line in lines}
    corpus = dataset(manifest)
    assert predicted <= {one.path for one in splits.read(out / "split.csv", corpus)["test"]}
    assert {"evaluation.json", "predictions.csv", "model.keras"} <= {p.name for p in out.iterdir()}


def dataset(manifest: Path) -> Corpus:
    from ser_keras import corpora

    return corpora.load("manifest", manifest)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, ser_keras: Any):
    answer = ser_keras(command, "--help")
    assert answer.status == 0
    assert answer.out.startswith(f"usage: ser-keras {command}")
    assert "--debug" in answer.out


def test_help_lists_all_commands_and_version_is_the_packages(ser_keras: Any):
    answer = ser_keras("--help")
    assert answer.status == 0
    first_words = [line.split()[0] for line in answer.out.splitlines() if line.strip()]
    assert set(COMMANDS) <= set(first_words)
    assert ser_keras("--version").out == f"ser-keras {importlib.metadata.version('ser-keras')}\n"


def test_help_and_mistakes_do_not_wait_for_tensorflow():
    code = (
        "import sys; from ser_keras.commands import main as cli\n"
        "for words in (['train', '--help'], ['train'], ['predict', '--help'], ['--help']):\n"
        "    try: cli.main(words)\n"
        "    except SystemExit: pass\n"
        "status = cli.main(['train', '--corpus', 'x', '--out', 'y', '--preset', 'z'])\n"
        "sys.exit(f'{status} {\"tensorflow\" in sys.modules}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "1 False"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["unheard-of"],
        ["train"],
        ["train", "--corpus", "synthetic"],
        ["train", "--corpus", "synthetic", "--out", "x", "--seed", "one"],
        ["train", "--corpus", "synthetic", "--out", "x", "--split", "fair"],
        ["train", "--corpus", "synthetic", "--out", "x", "--unheard-of"],
        ["predict", "--model", "x"],
        ["evaluate"],
        ["features", "--corpus", "synthetic"],
    ],
)
def test_wrong_usage_is_status_2_and_shows_the_usage(words: list[str], ser_keras: Any):
    answer = ser_keras(*words)
    assert answer.status == 2
    assert not answer.out
    assert answer.err.startswith("usage: ser-keras")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--preset", "unheard-of"], ["'unheard-of'", "ravdess", "iemocap"]),
        (["--preset", "nowhere.json"], ["nowhere.json"]),
        (["--corpus", "unheard-of"], ["'unheard-of'", "emodb", "manifest"]),
        (["--set", "unheard_of=1"], ["'unheard_of'", "latent_size"]),
        (["--set", "latent_size"], ["latent_size", "KEY=VALUE"]),
        (["--set", "latent_size=many"], ["latent_size", "'many'"]),
        (["--set", "latent_size=0"], ["latent_size", "0", "at least 1"]),
        (["--set", "objective.latent_size=4"], ["objective.latent_size"]),
        (["--set", "attention=perhaps"], ["attention", "'perhaps'"]),
        (["--set", "recognition_dropout=1.0"], ["recognition_dropout", "1.0"]),
        (["--set", "optimizer=luck"], ["optimizer", "'luck'", "rmsprop"]),
        (["--set", "kind=smell"], ["kind", "'smell'", "mfcc"]),
        (["--set", "window=0.01"], ["fft_size"]),
        (["--epochs", "0"], ["epochs", "0", "at least 1"]),
        (["--seed", "-1"], ["seed", "-1"]),
        (["--test-fraction", "1.5"], ["test_fraction", "1.5"]),
        (["--validation-fraction", "-0.5"], ["validation_fraction", "-0.5"]),
        (["--split", "speaker", "--fold", "7"], ["fold", "7"]),
        (["--data", "nowhere.csv"], ["nowhere.csv"]),
        (["--corpus", "ravdess", "--data", "."], ["Actor_"]),
        (["--corpus", "ravdess", "--data", "/nowhere/at/all"], ["/nowhere/at/all"]),
        (["--corpus", "iemocap"], ["IEMOCAP"]),
    ],
)
def test_a_mistake_is_named_in_one_line(
    words: list[str],
    named: list[str],
    ser_keras: Any,
    manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.chdir(tmp_path)
    usual = ["train", "--corpus", "manifest", "--data", str(manifest), "--out", "run"]
    answer = ser_keras(*usual, *words)
    assert answer.status == 1
    assert not answer.out
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("ser-keras: ")
    assert "unexpected" not in answer.err
    for part in named:
        assert part in answer.err
    assert not Path("run").exists() or not list(Path("run").iterdir())


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "5", '"name"', '{"name": "x", "architecture": {"unheard_of": 1}}']
)
def test_a_preset_file_that_is_none_is_named(content: str, ser_keras: Any, tmp_path: Path):
    preset = tmp_path / "own.json"
    preset.write_text(content)
    answer = ser_keras(
        "train", "--corpus", "synthetic", "--out", tmp_path / "run", "--preset", preset
    )
    assert answer.status == 1
    assert str(preset) in answer.message
    assert "--debug" not in answer.err


def test_a_preset_file_of_ones_own_is_used(
    ser_keras: Any, trained_run: Path, tmp_path: Path, manifest: Path
):
    own = read_run(trained_run).preset.to_dict() | {"name": "own"}
    (tmp_path / "own.json").write_text(json.dumps(own))
    words = ["--corpus", "manifest", "--data", manifest, "--out", tmp_path / "out"]
    answer = ser_keras("features", *words, "--preset", tmp_path / "own.json", "--workers", 1)
    assert answer.status == 0, answer.err
    index = json.loads((tmp_path / "out" / "index.json").read_text())
    assert index["spec"]["sample_rate"] == 8000


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["reproduce", "--corpus", "synthetic", "--out", "x", "--seeds", "0"], "--seeds"),
        (["reproduce", "--corpus", "synthetic", "--out", "x", "--no-attention"], "--no-attention"),
        (["features", "--corpus", "synthetic", "--out", "x", "--workers", "0"], "workers"),
        (["features", "--corpus", "synthetic", "--out", "x", "--shard-size", "0"], "shard_size"),
        (["evaluate", "nowhere"], "nowhere"),
        (["evaluate", "nowhere", "--data", "somewhere"], "--corpus"),
        (["predict", "--model", "nowhere", "a.wav"], "nowhere"),
        (["predict", "--model", "ravdess", "a.wav"], "without trained weights"),
    ],
)
def test_other_commands_name_mistakes_too(
    words: list[str],
    named: str,
    ser_keras: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    synthetic_corpus: Corpus,
):
    monkeypatch.chdir(tmp_path)
    # A synthetic corpus that is there already, in place of the default one.
    monkeypatch.setattr("ser_keras.corpora.load", lambda *_, **__: synthetic_corpus)
    answer = ser_keras(*words)
    assert answer.status == 1
    assert not answer.out
    assert named in answer.message
    assert "unexpected" not in answer.err


def test_a_model_file_has_no_test_subset(ser_keras: Any, trained_run: Path):
    answer = ser_keras("evaluate", trained_run / "model.keras")
    assert answer.status == 1
    assert "model.keras: expected the folder of a run" in answer.message


def test_debug_shows_where(ser_keras: Any, trained_run: Path):
    answer = ser_keras("evaluate", trained_run / "model.keras", "--debug")
    assert answer.status == 1
    assert "Traceback" in answer.err
    assert "model.keras: expected the folder of a run" in answer.message


def test_an_error_of_our_own_making_tells_how_to_find_it(
    ser_keras: Any, monkeypatch: pytest.MonkeyPatch
):
    def fail(_: Any) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("ser_keras.commands.evaluate.run", fail)
    answer = ser_keras("evaluate", "x")
    assert answer.status == 1
    expected = "ser-keras: unexpected ZeroDivisionError: of all things (--debug shows where)"
    assert answer.message == expected


def test_warnings_of_ours_are_one_line_and_others_are_silent(
    ser_keras: Any, monkeypatch: pytest.MonkeyPatch
):
    def warn(_: Any) -> int:
        for module in ("ser_keras.features.cache", "keras.src.trainers"):
            warnings.warn_explicit(f"from {module}", RuntimeWarning, "file.py", 1, module)
        return 0

    monkeypatch.setattr("ser_keras.commands.evaluate.run", warn)
    warnings.simplefilter("default")  # as Python starts; pytest makes errors of them
    assert ser_keras("evaluate", "x").err == "warning: from ser_keras.features.cache\n"


def test_a_recording_whose_name_is_no_text_is_answered(
    ser_keras: Any, trained_run: Path, synthetic_corpus: Corpus, tmp_path: Path
):
    name = os.fsdecode(b"caf\xe9.wav")
    try:
        shutil.copy(synthetic_corpus[0].path, tmp_path / name)
    except OSError:
        pytest.skip("needs a file system that allows any bytes in names")
    answer = ser_keras("predict", "--model", trained_run, tmp_path / name)
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["file"] == str(tmp_path / name)


@contextlib.contextmanager
def started(*words: object, stdin: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, ended whatever happens."""
    process = subprocess.Popen(
        [*SER_KERAS, *(str(word) for word in words)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in the background deaf to Ctrl-C, and children inherit that.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    watchdog = threading.Timer(240, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def test_a_reader_that_has_seen_enough_causes_no_traceback(
    trained_run: Path, synthetic_corpus: Corpus
):
    """As `ser-keras predict ... | head -1` does."""
    files = [utterance.path for utterance in synthetic_corpus]
    with started("predict", "--model", trained_run, *files) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        status = process.wait()
    assert json.loads(first)["file"] == str(files[0])
    assert status == 1
    assert err == ""  # not even what TensorFlow says when it starts


def test_a_streamed_file_gives_the_instants_of_predict(
    ser_keras: Any, trained_run: Path, synthetic_corpus: Corpus
):
    path = synthetic_corpus[0].path
    words = ("--model", trained_run, "--attention", path)
    (predicted,) = ser_keras("predict", *words).out.splitlines()
    answer = ser_keras("stream", *words)
    assert answer.status == 0
    instants = [json.loads(line) for line in answer.out.splitlines()]
    expected = json.loads(predicted)["instants"]
    assert [i["attention"] for i in instants] == [i["attention"] for i in expected]
    for found, whole in zip(instants, expected, strict=True):
        assert found["probabilities"] == pytest.approx(whole["probabilities"], abs=1e-5)
    lines = ser_keras("stream", *words[:2], path).out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {name: value for name, value in instant.items() if name not in ("saliency", "attention")}
        for instant in instants
    ]


def test_a_pipe_is_read_until_it_is_closed(trained_run: Path, synthetic_corpus: Corpus):
    """Samples that are not finite are reported and taken for silence; later ones are recognised."""
    samples, rate = soundfile.read(synthetic_corpus[0].path, dtype="float32")
    broken = np.concatenate([samples, np.full(100, np.nan, np.float32), samples])
    command = [*SER_KERAS, "stream", "--model", str(trained_run), "-"]
    command += ["--rate", str(rate), "--encoding", "float32"]
    done = subprocess.run(
        command, input=broken.astype("<f4").tobytes(), capture_output=True, check=False
    )
    told = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert told, done.stderr
    assert all("expected finite samples" in line and "taken for silence" in line for line in told)
    times = [json.loads(line)["time"] for line in done.stdout.splitlines()]
    assert times[-1] == pytest.approx(len(broken) / rate, abs=1.0)


def test_ctrl_c_ends_a_stream(trained_run: Path, synthetic_corpus: Corpus):
    samples, rate = soundfile.read(synthetic_corpus[0].path, dtype="int16")
    with started(
        "stream", "--model", trained_run, "-", "--rate", rate, stdin=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.buffer.write(samples.tobytes())  # type: ignore[attr-defined]
        process.stdin.flush()
        assert "emotion" in json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == 0
    assert err == "ser-keras: stopped\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.wav"], "nowhere.wav: cannot be opened"),
        (["-", "--rate", "3"], "rate: expected 1000 to 768000, found 3"),
        (["a.wav", "--gate", "5"], "gate: expected decibels of at most 0, found 5.0"),
    ],
)
def test_a_stream_that_cannot_begin(
    ser_keras: Any, trained_run: Path, words: list[str], message: str
):
    answer = ser_keras("stream", "--model", trained_run, *words)
    assert answer.status == 1
    assert message in answer.message


def test_ctrl_c_says_how_to_go_on(manifest: Path, tiny: list[str], tmp_path: Path):
    with started(
        "train", "--corpus", "manifest", "--data", manifest, "--out", tmp_path, *tiny,
        "--epochs", 1_000_000,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if "epoch 1 of" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, "".join([*told, err])
    assert out == ""
    assert err.strip().splitlines()[-1] == (
        "ser-keras: interrupted; the same command goes on from here"
    )
    assert "Traceback" not in "".join([*told, err])
    assert (tmp_path / "history.csv").read_text().count("\n") >= 2
    assert not list(tmp_path.glob(".*"))  # no half file
