"""`python -m benchmarks.pictures --out docs`: the README's pictures, of made-up speech.

`attention.png` is the attention over an utterance; `page.png` the page of `ser-keras serve`, as
Chromium (on the path) shows it. Both are of the shipped weights: draw them again with new ones.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import ser_keras as ser
from ser_keras import export
from ser_keras.corpora.utterance import Utterance
from ser_keras.errors import ConfigurationError


def clearest(recognizer: ser.Recognizer, corpus: ser.corpora.Corpus) -> Utterance:
    """Return the utterance whose own emotion the model gives the highest probability."""

    def probability(utterance: Utterance) -> float:
        return recognizer.recognize(utterance.path)["probabilities"][utterance.emotion]

    return max(corpus, key=probability)


def draw_attention(recognizer: ser.Recognizer, utterance: Utterance, file: Path) -> None:
    """Draw the attention over an utterance."""
    explanation = ser.explain(recognizer.model, utterance.path)
    ser.plots.save(explanation.plot(true_emotion=utterance.emotion), file)


def photograph_page(model: ser.VRNN, utterance: Utterance, file: Path) -> None:
    """Serve a model, give its page a recording, and keep what Chromium shows."""
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium")
    if browser is None:
        raise ConfigurationError("chromium: expected on the path, found none")
    with tempfile.TemporaryDirectory() as folder:
        export.saved_model(model, Path(folder) / "vrnn" / "1")
        words = [sys.executable, "-m", "ser_keras", "serve", folder, "--port", "0"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                address = server.stdout.readline().strip()
                with sync_playwright() as playwright:
                    started = playwright.chromium.launch(
                        executable_path=browser, args=["--no-sandbox", "--disable-gpu"]
                    )
                    page = started.new_page(viewport={"width": 820, "height": 900})
                    page.goto(address)
                    page.set_input_files("#file", str(utterance.path))
                    page.wait_for_function(
                        "() => document.getElementById('status').textContent.includes(': ')",
                        timeout=120_000,
                    )
                    page.evaluate("document.activeElement.blur()")
                    page.screenshot(path=str(file), full_page=True)
                    started.close()
            finally:
                server.terminate()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pictures", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        recognizer = ser.Recognizer("convolutional")
        utterance = clearest(recognizer, ser.corpora.load("synthetic", folder))
        draw_attention(recognizer, utterance, options.out / "attention.png")
        photograph_page(recognizer.model, utterance, options.out / "page.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
