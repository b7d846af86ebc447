"""Where the repository is, for every test that reads a file of it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
