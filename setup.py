"""Where the packages lie: tuning/ and export/ beside ser_keras/, installed inside it.

All else is in setup.cfg, but for the README as a page of its own.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

BESIDE = ("tuning", "export")


def long_description() -> str:
    """Return the README without the files beside it: no pictures, and of links their texts."""
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    elsewhere = r"\((?!https://|#)[^)]*\)"
    readme = re.sub(rf"(!\[[^]]*\]{elsewhere}|<img [^>]*>)\s*", "", readme)
    return re.sub(rf"\[([^]]*)\]{elsewhere}", r"\1", readme)


setup(
    packages=find_packages(include=["ser_keras", "ser_keras.*"])
    + [
        f"ser_keras.{package}"
        for folder in BESIDE
        for package in find_packages(include=[folder, f"{folder}.*"])
    ],
    package_dir={f"ser_keras.{folder}": folder for folder in BESIDE},
    long_description=long_description(),
)
