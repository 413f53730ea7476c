"""Where the code is: in a checkout, or installed from the wheel."""

from pathlib import Path


def code_root() -> Path:
    """The folder that holds the packages `loan_platform` and `bento`."""
    return Path(__file__).resolve().parents[2]


def checkout_root() -> Path | None:
    """The checkout that this code is in; None if the package is installed."""
    root = code_root()
    return root if (root / "pyproject.toml").is_file() else None
