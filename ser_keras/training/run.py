"""A training run: all that decides its numbers, and the folder that records them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser_keras import corpora
from ser_keras.corpora import joining, splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError, SerKerasError
from ser_keras.fields import require
from ser_keras.model import presets
from ser_keras.model.settings import Preset
from ser_keras.training import stored

CONFIGURATION_FILE = "config.json"
SPLIT_FILE = "split.csv"
HISTORY_FILE = "history.csv"


@dataclass(frozen=True)
class TrainingRun:
    """All that decides the numbers of a run.

    Attributes:
        corpus: name of the corpus.
        data: its folder or file; None where it needs none.
        preset: features, architecture, objective and optimisation.
        split: "random", "speaker", "session", "corpus" or "predefined".
        fold: index of the speakers, the session or the corpus left out as the test subset.
        folds: number of groups of speakers that take turns as the test subset; None for the
            corpus' own.
        test_fraction: share of the test subset in a random split.
        validation_fraction: share of the training subset held out for the learning curves and to
            fit the temperature; nothing else is chosen by it. Where speakers, sessions or corpora
            are tested on, it is whole speakers too. A predefined split that names a validation
            subset has that one, unless the share is 0.
        seed: of the split, the initial weights, the noise and the order of the utterances.
        joined: further corpora that are joined to the first, each with its folder or file.
        merge_synonyms: make one class of a manifest's "Angry", "ANGRY" and "anger".
        pretrained: trained model to begin with, as `ser_keras.model.files.load` takes; None for new
            weights. The preset has to be that model's, but for what weights do not depend on.
        frozen: parts of the pretrained model that stay as they are, of `fine_tuning.PARTS`.
        teachers: trained models whose answers the model learns beside the labels.
        features: the folder of shards that the corpus and its observations are read from, instead
            of sound; None extracts them. No teacher can listen to shards.
        unlabeled: a folder of speech that is learnt from without labels; None for none.

    Example:
        >>> run = TrainingRun("ravdess", "/data/RAVDESS", split="speaker", fold=2)
        >>> TrainingRun.from_dict(run.to_dict()) == run
        True
    """

    corpus: str
    data: str | None = None
    preset: Preset = presets.RAVDESS
    split: str = "random"
    fold: int = 0
    test_fraction: float = 0.2
    validation_fraction: float = 0.1
    seed: int = 0
    joined: tuple[tuple[str, str | None], ...] = ()
    merge_synonyms: bool = False
    pretrained: str | None = None
    frozen: tuple[str, ...] = ()
    folds: int | None = None
    teachers: tuple[str, ...] = ()
    features: str | None = None
    unlabeled: str | None = None

    def __post_init__(self) -> None:
        # JSON has lists only; tuples keep equal runs equal and hashable.
        object.__setattr__(self, "joined", tuple((name, data) for name, data in self.joined))
        object.__setattr__(self, "frozen", tuple(self.frozen))
        object.__setattr__(self, "teachers", tuple(self.teachers))
        share = self.validation_fraction
        require(0.0 <= share < 1.0, "validation_fraction", share, "at least 0 and below 1")
        alone = self.features is None or not self.teachers
        require(alone, "teachers", self.teachers, "none beside features, which hold no sound")
        read = self.features is None or self.unlabeled is None
        require(read, "unlabeled", self.unlabeled, "none beside features, which it has none of")
        by_speaker = self.split == "speaker"
        require(by_speaker or self.folds is None, "folds", self.folds, "none but by speaker")

    def to_dict(self) -> dict[str, Any]:
        """Return a nested dictionary that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingRun:
        """Invert `to_dict`."""
        return cls(**{**values, "preset": Preset.from_dict(values["preset"])})

    @property
    def corpus_name(self) -> str:
        """The name of the corpus, or of the joined one."""
        return "+".join(joining.distinct([self.corpus, *(name for name, _ in self.joined)]))

    def load_corpus(self) -> Corpus:
        """Load the corpus, or several joined; that of the shards, where they are read."""
        if self.features is not None:
            corpus = stored.load_corpus(self.features)
            require(
                corpus.name == self.corpus, f"{self.features}: corpus", corpus.name, self.corpus
            )
            return corpus
        pairs = [(self.corpus, self.data), *self.joined]
        return corpora.load_joined(pairs, self.merge_synonyms)

    @property
    def split_index(self) -> int:
        """Number of the split among those of its kind: a random one's seed, else the fold."""
        return self.seed if self.split == "random" else self.fold

    def on_split(self, split_index: int) -> TrainingRun:
        """Return the run on another split of its kind; see `split_index`."""
        if self.split == "random":
            return dataclasses.replace(self, seed=split_index)
        return dataclasses.replace(self, fold=split_index)


def split_corpus(run: TrainingRun) -> dict[str, Corpus]:
    """Load the corpus and split it into "train", "test" and, unless its share is 0, "validation".

    Example:
        >>> from ser_keras.files import write_csv
        >>> write_csv(Path("own.csv"), [vars(utterance) for utterance in corpus])
        >>> subsets = split_corpus(TrainingRun("manifest", "own.csv"))
        >>> {name: len(subset) for name, subset in subsets.items()}
        {'train': 16, 'validation': 8, 'test': 8}
    """
    corpus = run.load_corpus()
    training, test = splits.split(
        corpus, run.split, run.fold, run.test_fraction, run.seed, run.folds
    )
    if run.validation_fraction == 0.0:
        return {"train": training, "test": test}
    training, validation = splits.validation(training, run.split, run.validation_fraction, run.seed)
    return {"train": training, "validation": validation, "test": test}


def classes_of(run: TrainingRun, training: Corpus) -> tuple[str, ...]:
    """Return the classes of a run's model, given its training subset.

    They are the corpus' emotions; where a joined corpus is left out, only those that the others
    have: the rest cannot be learned, and is left out of the evaluation, and counted.

    Example:
        >>> classes_of(TrainingRun("synthetic"), corpus[:2])[:3]
        ('neutral', 'calm', 'happy')
        >>> classes_of(TrainingRun("synthetic", split="corpus"), corpus[:2])
        ('angry',)
    """
    if run.split != "corpus":
        return training.emotions
    return tuple(emotion for emotion, count in training.counts().items() if count)


def read_run(folder: Path) -> TrainingRun:
    """Read the configuration of the run in a folder.

    Example:
        >>> read_run(Path("nowhere"))
        Traceback (most recent call last):
        ser_keras.errors.ConfigurationError: nowhere: expected the folder of a run, ...
    """
    path = folder / CONFIGURATION_FILE
    try:
        return TrainingRun.from_dict(json.loads(path.read_text(encoding="utf-8"))["run"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"{folder}: expected the folder of a run, found no {path.name}"
        ) from error
    except (ValueError, KeyError, TypeError, SerKerasError) as error:
        raise ConfigurationError(
            f"{path}: expected the configuration of a run, found another file ({error})"
        ) from error


def refuse_another(
    folder: Path, run: TrainingRun, subsets: Mapping[str, Corpus] | None = None
) -> None:
    """Refuse a folder of another run; only the path of its data may differ.

    Raises:
        ConfigurationError: it holds another run; the message names every difference.
        CorpusError: it holds another split than `subsets`, those of the run's corpus now.

    Example:
        >>> refuse_another(Path("new"), TrainingRun("synthetic"))  # nothing there yet
    """
    if (folder / CONFIGURATION_FILE).exists():
        kept, wanted = (without_data(each.to_dict()) for each in (read_run(folder), run))
        if differences := [*_differences(kept, wanted)]:
            raise ConfigurationError(
                f"output folder {folder}: expected the same run or an empty folder, found another "
                f"({'; '.join(differences)})"
            )
    path = folder / SPLIT_FILE
    if subsets is not None and path.exists():
        utterances = tuple(utterance for subset in subsets.values() for utterance in subset)
        corpus = dataclasses.replace(subsets["train"], utterances=utterances)
        if splits.read(path, corpus) != subsets:
            raise CorpusError(
                f"{path}: expected the split that the corpus {run.corpus_name} gives now, found "
                "another; the corpus has changed since the run began"
            )


def without_data(described: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's description, from `to_dict` or JSON, without where its data lies.

    Example:
        >>> without_data(TrainingRun("tess", "/a", joined=[("savee", "/b")]).to_dict())["joined"]
        [['savee', None]]
    """
    joined = [[name, None] for name, _ in described.get("joined", ())]
    features = described.get("features") and "shards"
    speech = described.get("unlabeled") and "speech"
    return {**described, "data": None, "joined": joined, "features": features, "unlabeled": speech}


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    for key, value in wanted.items():
        if isinstance(value, Mapping):
            yield from (f"{key}.{inner}" for inner in _differences(found[key], value))
        elif found[key] != value:
            yield f"{key} {found[key]!r} instead of {value!r}"
