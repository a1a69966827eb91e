"""Reports repeat the numbers of the result files, load nothing, and show no text as markup."""

from __future__ import annotations

import base64
import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras.evaluation import plots, report

LABELS = ["neutral", "happy", "sad", "angry"]
SIMILARITY = [
    [1.0, 0.961, 0.987, 0.912],
    [0.961, 1.0, 0.955, 0.943],
    [0.987, 0.955, 1.0, 0.931],
    [0.912, 0.943, 0.931, 1.0],
]
EVALUATION: dict[str, Any] = {
    "corpus": "iemocap",
    "split": "session",
    "seed": 7,
    "attention": True,
    "preset": "iemocap",
    "parameters": 71234,
    "n_test": 60,
    "n_skipped_short": 3,
    "weighted_accuracy": 0.7,
    "unweighted_accuracy": 0.6875,
    "intervals": {
        "over": "speakers",
        "speakers": 10,
        "level": 0.95,
        "weighted_accuracy": [0.61, 0.79],
        "unweighted_accuracy": [0.571, 0.803],
    },
    "by_speaker": {
        "Ses01F": {"utterances": 40, "weighted_accuracy": 0.725, "unweighted_accuracy": 0.711},
        "Ses01M": {"utterances": 20, "weighted_accuracy": 0.65, "unweighted_accuracy": 0.633},
    },
    "by_sex": {
        "female": {"utterances": 40, "weighted_accuracy": 0.725, "unweighted_accuracy": 0.711},
        "male": {"utterances": 20, "weighted_accuracy": 0.65, "unweighted_accuracy": 0.633},
    },
    "labels": LABELS,
    "recall": {"neutral": 0.8, "happy": 0.6, "sad": 0.75, "angry": 0.6},
    "confusion_matrix": [[16, 1, 3, 0], [2, 6, 1, 1], [4, 1, 15, 0], [1, 2, 1, 5]],
    "sampled_fraction": {
        "with_first": 0.612,
        "after_first": 0.413,
        "per_emotion": {"neutral": 0.601, "happy": 0.602, "sad": 0.603, "angry": 0.604},
        "per_emotion_after_first": {"neutral": 0.411, "happy": 0.412, "sad": 0.413, "angry": 0.414},
    },
    "attention_similarity": SIMILARITY,
    "nll_per_instant": 51.2345,
    "kl_per_instant": 6.789,
    "expected_calibration_error": 0.123,
    "reliability": [
        {"utterances": 20, "confidence": 0.4, "accuracy": 0.5},
        {"utterances": 40, "confidence": 0.9, "accuracy": 0.8},
    ],
    "temperature": 1.25,
    "versions": {"python": "3.11.2", "keras": "3.15.0"},
}
PAPER: dict[str, Any] = {
    "weighted_accuracy": {"attention": 0.655, "no_attention": 0.644},
    "others": [{"model": "MFCC (2021)", "weighted_accuracy": 0.677}],
    "sampled_fraction": 0.452,
    "table2": {"neutral": 0.471, "happy": 0.447, "sad": 0.442, "angry": 0.449},
    "parameters": 12_780_000,
    "figure2": {"emotion": "neutral", "most_similar": "sad", "least_similar": "angry"},
}


def accuracy(*runs: float) -> dict:
    return {"mean": float(np.mean(runs)), "std": float(np.std(runs)), "runs": list(runs)}


REPRODUCTION: dict[str, Any] = {
    "corpus": "iemocap",
    "protocol": {"split": "random", "test_fraction": 0.2, "seeds": [0, 1]},
    "attention": {
        "weighted_accuracy": accuracy(0.61, 0.65),
        "unweighted_accuracy": accuracy(0.58, 0.6),
        "sampled_fraction": {"with_first": 0.612, "after_first": 0.413},
        "parameters": 71234,
    },
    "no_attention": {
        "weighted_accuracy": accuracy(0.66, 0.68),
        "unweighted_accuracy": accuracy(0.62, 0.64),
        "sampled_fraction": {"with_first": 1.0, "after_first": 1.0},
        "parameters": 71234,
    },
    "difference": {
        "over": "speakers",
        "speakers": 10,
        "level": 0.95,
        "weighted_accuracy": {"value": -0.04, "low": -0.081, "high": 0.002},
        "unweighted_accuracy": {"value": -0.04, "low": -0.09, "high": 0.013},
    },
    "table2": {"neutral": 0.601, "happy": 0.602, "sad": 0.603, "angry": 0.604},
    "figure2": {"labels": LABELS, "similarity": SIMILARITY},
    "paper": PAPER,
    "seconds": 321.4,
}
HISTORY = {"loss": [3.0, 2.0], "val_loss": [3.1, 2.2], "accuracy": [0.2, 0.6]}
CONFIGURATION = {"seed": 7, "git": {"commit": "0123abc"}, "sizes": [512, 256, 512]}


class Page(HTMLParser):
    """A page as a browser reads it: tags with attributes, tables as rows of text, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], "every element is closed"
        self.text = re.sub(r"[ \n]+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str):
        assert self.open.pop() == tag

    def handle_data(self, data: str):
        if not {"style", "script"} & set(self.open):
            self.text += data
        if {"th", "td"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]

    def row(self, name: str) -> list[str]:
        return next(row[1:] for table in self.tables for row in table if row[0] == name)


def evaluate(evaluation: dict = EVALUATION, **more: Any) -> str:
    figures = plots.evaluation_figures(evaluation, HISTORY, PAPER)
    return report.evaluation_report(evaluation, figures, CONFIGURATION, **more)


def reproduce(reproduction: dict = REPRODUCTION) -> str:
    figures = plots.reproduction_figures(reproduction)
    return report.reproduction_report(reproduction, figures, CONFIGURATION)


@pytest.fixture(scope="module")
def evaluation_page() -> str:
    return evaluate(paper=PAPER)


@pytest.fixture(scope="module")
def reproduction_page() -> str:
    return reproduce()


@pytest.mark.parametrize("name", ["evaluation_page", "reproduction_page"])
def test_a_report_is_one_accessible_file_that_loads_nothing(
    name: str, request: pytest.FixtureRequest
):
    html = request.getfixturevalue(name)
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object"})
    for _, attributes in page.tags:
        assert "href" not in attributes
        assert attributes.get("src", "data:").startswith("data:")
        assert not any(attribute.startswith("on") for attribute in attributes)
    assert "url(" not in html
    assert "@import" not in html
    for image in page.all("img"):
        assert base64.b64decode(image["src"].partition(",")[2]).startswith(b"\x89PNG")
        assert image["alt"]
    tables = len(page.all("table"))
    assert tables == len(page.all("caption")) >= 3
    assert all(cell["scope"] in ("row", "col") for cell in page.all("th"))
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert page.all("html") == [{"lang": "en"}]


def test_an_evaluation_shows_its_numbers_beside_the_paper_s(evaluation_page: str):
    page = Page(evaluation_page)
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    for number in ("70.0 %", "68.8 %", "41.3 %", "61.2 %", "71,234", "25.0 %"):
        assert number in text
    tables = {tuple(table[0]): table[1:] for table in page.tables}
    recall = tables["emotion", "utterances", "recall (%)", "precision (%)"]
    assert recall[0] == ["neutral", "20", "80.0", "69.6"]  # 16 of 20, 16 of 23
    shares = tables["emotion", "ours, all instants (%)", "ours, after the first (%)", "paper (%)"]
    assert shares[3] == ["angry", "60.4", "41.4", "44.9"]
    assert page.row("git.commit") == ["0123abc"]
    assert page.row("sizes") == ["512, 256, 512"]
    assert page.row("versions.keras") == ["3.15.0"]
    assert len(page.all("img")) == 5


def test_intervals_say_what_they_are_over(evaluation_page: str):
    text = Page(evaluation_page).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "of 60 utterances; 95 % interval 61.0 to 79.0 %" in text
    assert "mean recall of 4 emotions; 95 % interval 57.1 to 80.3 %" in text
    assert "a bootstrap over the 10 speakers of the test subset" in text
    assert "say little about others" not in text
    few = EVALUATION["intervals"] | {"speakers": 4}
    assert "say little about others" in Page(evaluate(EVALUATION | {"intervals": few})).text
    single = EVALUATION["intervals"] | {"over": "utterances", "utterances": 60}
    assert (
        "bootstrap over the 60 utterances"
        in Page(evaluate(EVALUATION | {"intervals": single})).text
    )


def test_groups_of_speakers_have_rows_of_their_own(evaluation_page: str):
    page = Page(evaluation_page)
    assert page.row("Ses01M") == ["20", "65.0", "63.3"]
    assert page.row("female") == ["40", "72.5", "71.1"]
    unknown = Page(evaluate(EVALUATION | {"by_speaker": {}, "by_sex": {}}))
    assert "by speaker and sex" not in unknown.text


def test_calibration_is_drawn_and_summed_up(evaluation_page: str):
    text = Page(evaluation_page).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "lie 12.3 % apart on average" in text
    assert "temperature of 1.25" in text


def test_results_of_an_earlier_version_are_reported_without_what_they_lack():
    new = ("intervals", "by_speaker", "by_sex", "reliability", "expected_calibration_error")
    earlier = {key: value for key, value in EVALUATION.items() if key not in new}
    page = Page(evaluate(earlier))
    assert "interval" not in page.text
    without = {key: value for key, value in REPRODUCTION.items() if key != "difference"}
    assert "minus without" not in Page(reproduce(without)).text


def test_attention_is_compared_with_none(reproduction_page: str):
    page = Page(reproduction_page)
    assert page.row("weighted") == ["−4.0", "−8.1", "+0.2"]
    assert page.row("unweighted") == ["−4.0", "−9.0", "+1.3"]
    assert "bootstrap over the 10 speakers of all test subsets" in page.text


def test_without_a_paper_there_is_no_column_for_one():
    assert "paper (%)" not in evaluate()


def test_a_random_split_is_said_to_share_speakers():
    warning = "the same speakers are in the training and in the test subset"
    assert warning not in Page(evaluate()).text
    assert warning in Page(evaluate(EVALUATION | {"split": "random"})).text
    assert warning in Page(reproduce()).text


def test_a_reproduction_shows_ours_beside_theirs(reproduction_page: str):
    page = Page(reproduction_page.replace("\N{NO-BREAK SPACE}", " "))
    assert page.row("ours, with attention") == [
        "63.0 ± 2.0 %", "59.0 ± 1.0 %", "61.0, 65.0", "71,234",
    ]  # fmt: skip
    assert page.row("paper, with attention") == ["65.5 %", "–", "–", "12,780,000"]
    assert page.row("paper, without attention")[0] == "64.4 %"
    assert page.row("MFCC (2021)")[0] == "67.7 %"
    assert page.row("sad") == ["60.3", "44.2"]
    assert page.row("most similar to") == ["sad", "sad"]
    assert page.row("least similar to") == ["angry", "angry"]
    assert page.row("protocol.seeds") == ["0, 1"]
    assert "neutral (0.987)" in page.text


def test_a_reproduction_of_a_corpus_the_paper_does_not_know():
    page = Page(reproduce(REPRODUCTION | {"paper": {}, "corpus": "emodb"}))
    assert "12,780,000" not in page.text
    assert page.row("sad") == ["60.3"]


def test_a_single_run_has_no_deviation():
    single = copy.deepcopy(REPRODUCTION)
    single["attention"]["weighted_accuracy"] = {"mean": 0.61, "std": 0.0, "runs": [0.61]}
    assert Page(reproduce(single)).row("ours, with attention")[0] == "61.0\N{NO-BREAK SPACE}%"


def test_an_emotion_without_utterances_is_dashed():
    empty = copy.deepcopy(EVALUATION)
    empty["confusion_matrix"] = [[16, 0, 3, 0], [0, 0, 0, 0], [4, 0, 15, 0], [1, 0, 1, 5]]
    empty["recall"]["happy"] = None
    empty["sampled_fraction"]["per_emotion"]["happy"] = float("nan")
    assert Page(evaluate(empty)).row("happy") == ["0", "–", "–"]


def test_classes_that_are_not_in_the_test_subset_are_named():
    lacking = EVALUATION | {
        "confusion_matrix": [[16, 1, 3, 0], [0, 0, 0, 0], [4, 1, 15, 0], [1, 2, 1, 5]]
    }
    page = Page(evaluate(lacking)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Not in the test subset: happy." in page
    assert "mean recall of 3 emotions; 95 % interval 57.1 to 80.3 %; by chance 25.0 %" in page
    assert "Not in the test subset" not in evaluate()


def test_utterances_of_emotions_that_the_model_does_not_know_are_counted():
    unknown = "not a class of the model"
    assert unknown not in evaluate()
    assert unknown not in evaluate(EVALUATION | {"n_unknown_emotion": 0})
    page = Page(evaluate(EVALUATION | {"n_unknown_emotion": 81}))
    assert f"Of an emotion that is {unknown} and left out: 81 of the test subset." in page.text


def test_no_text_is_taken_for_markup(tmp_path: Path):
    attack = '<script>alert("1")</script>&amp;$title'
    hostile = EVALUATION | {"corpus": attack, "preset": attack, "versions": {attack: attack}}
    hostile["labels"] = [attack, *LABELS[1:]]
    probabilities = {attack: 0.75, "sad": 0.25}
    instant = {
        "time": 2.0,
        "emotion": attack,
        "probabilities": probabilities,
        "sampled_fraction": 1.0,
        "saliency": [1.0, 2.0],
        "attention": [1, 1],
    }
    line = {
        "file": f"{attack}\udcff.wav",
        "emotion": attack,
        "probabilities": probabilities,
        "duration": 2.5,
        "padded": False,
        "instants": [instant],
    }
    example = (line, plots.confusion_matrix([[1]], [attack]))
    html = evaluate(hostile, examples=[example])
    page = Page(html)
    assert page.all("script") == []
    assert f"Speech emotion recognition on {attack}" in page.text
    assert f"{attack}\udcff.wav: {attack}, 75.0\N{NO-BREAK SPACE}%" in page.text
    assert page.row(f"versions.{attack}") == [attack]
    report.write(tmp_path / "report.html", html)
    assert "\\udcff.wav" in (tmp_path / "report.html").read_text(encoding="utf-8")
