"""The numbers that the paper published, apart from ours; shares are 0..1.

In `paper.json`, `weighted_accuracy` and `others` are from Table 1, `sampled_fraction` and `table2`
from Table 2, `parameters` and `figure2` from section 3.3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# The paper's for its two corpora, and the usual one for the others.
_BY_SPEAKER = (
    "emodb", "crema-d", "savee", "nemo", "emovo", "emotale", "ased", "urdu", "jl-corpus", "esd",
)  # fmt: skip
_PROTOCOLS = {"iemocap": "session", "meld": "predefined", **dict.fromkeys(_BY_SPEAKER, "speaker")}


def published(corpus: str) -> dict[str, Any]:
    """Return the paper's numbers for a corpus; empty where it has none.

    Example:
        >>> published("ravdess")["weighted_accuracy"]["attention"], published("tess")
        (0.785, {})
    """
    numbers = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return numbers.get(corpus, {})


def protocol(corpus: str) -> str:
    """Return the kind of split: the paper's for its two corpora, the usual one for the others.

    Example:
        >>> protocol("iemocap")
        'session'
    """
    return _PROTOCOLS.get(corpus, "random")
