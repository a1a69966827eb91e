"""The notebook in docs/: all of its cells run, one after the other, as a reader runs them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[1] / "docs" / "explanation.ipynb"


def code_cells() -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_nobodys_outputs_are_kept():
    for cell in code_cells():
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_the_notebook_runs(tmp_path: Path):
    """Without Jupyter, so a cell that needs IPython is left out where there is none."""
    has_ipython = importlib.util.find_spec("IPython") is not None
    cells = [
        "".join(cell["source"])
        for cell in code_cells()
        if has_ipython or "ipython" not in cell["metadata"].get("tags", [])
    ]
    program = tmp_path / "notebook.py"
    program.write_text("\n\n".join(cells), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "without the most surprising tenth" in done.stdout
    assert (tmp_path / "explained" / "explanation.html").is_file()
