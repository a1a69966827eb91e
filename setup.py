"""Where the packages lie: tuning/ and export/ beside ser_keras/, installed inside it.

All else is in setup.cfg.
"""

from setuptools import find_packages, setup

BESIDE = ("tuning", "export")

setup(
    packages=find_packages(include=["ser_keras", "ser_keras.*"])
    + [
        f"ser_keras.{package}"
        for folder in BESIDE
        for package in find_packages(include=[folder, f"{folder}.*"])
    ],
    package_dir={f"ser_keras.{folder}": folder for folder in BESIDE},
)
