"""Whether this package runs from a checkout."""

from pathlib import Path


def checkout_root() -> Path | None:
    """The folder that holds this package and its pyproject.toml; None if the package is installed."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None
