"""Speech without labels: a model that generates can learn from it all the same.

Its class term is nothing, as with λ2 = 0 in Eq. 5; the generation and KL terms are those of any
other speech. With a teacher, it learns the teacher's answers.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable

from ser_keras.corpora.recordings import required_folder, sound_files
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import CorpusError

# As the name of a joined corpus, so that epochs can be balanced by it.
NAME = "unlabeled"


def add(
    training: Corpus, folder: str | os.PathLike[str], held_out: Iterable[Corpus] = ()
) -> Corpus:
    """Add the sound files in or below a folder to a training subset, without an emotion.

    Args:
        training: the subset; its own recordings are not added again.
        folder: of the speech.
        held_out: the other subsets, whose recordings are not to be learnt from either.

    Returns:
        The subset, followed by utterances whose emotion is "", of the corpus "unlabeled".

    Raises:
        CorpusError: there is no such folder, or no other recording in it.

    Example:
        >>> added = add(corpus[:1], corpus[0].path.parent)
        >>> added[1].emotion, added[1].corpus, added.labels()[1:3].tolist()
        ('', 'unlabeled', [-1, -1])
    """
    root = required_folder(folder, "speech", "sound files of any name")
    known = {utterance.path.resolve() for subset in (training, *held_out) for utterance in subset}
    paths = sound_files(root)
    others = [path for path in paths if path.resolve() not in known]
    if not others:
        raise CorpusError(
            f"{root}: expected speech that the corpus does not have, found {len(paths)} sound "
            "files that it has"
        )
    speech = tuple(Utterance(path, emotion="", corpus=NAME) for path in others)
    return dataclasses.replace(training, utterances=(*training.utterances, *speech))
