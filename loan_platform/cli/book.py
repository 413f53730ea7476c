"""A loan book drafted from a file: its folder in `defs/`, and one screen about it."""

import os
import sys
from pathlib import Path

from loan_platform.adapters.drafting.book_folder import CONTRACT, POLICIES, create_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.core.drafting.writing.screen_text import screen_text
from loan_platform.settings.platform import PlatformSettings


def run_book(settings: PlatformSettings, request: BookRequest, books: Path) -> int:
    """Draft the book and print what was found.

    Raises:
        ExplainedError: no book can be drafted; nothing was written.
    """
    folder = books / request.name
    draft = create_book(request, folder, settings, _print_progress)
    sys.stdout.write(screen_text(draft, [_relative(folder / name) for name in (CONTRACT, POLICIES)]))
    return 0


def _print_progress(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _relative(path: Path) -> str:
    """Relative to the working directory where it lies below."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
