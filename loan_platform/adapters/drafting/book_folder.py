"""Draft a book and publish its folder, complete or not at all."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from loan_platform.adapters.drafting.draft_book import BookRequest, draft_book
from loan_platform.adapters.storage.atomic_files import (
    discarded_on_error,
    explained_disk_full,
    fsync,
    fsync_tree,
    make_directory,
    partial_path,
    remove_abandoned,
)
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.checking.json_schemas import editor_line
from loan_platform.core.checking.yaml_file import read_yaml
from loan_platform.core.drafting.judging.draft import Draft
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.reading.names import snake_case
from loan_platform.core.drafting.writing.contract_text import contract_text
from loan_platform.core.drafting.writing.policies_text import policies_text
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.settings.platform import PlatformSettings

CONTRACT, POLICIES = "contract.yaml", "defs.yaml"


def create_book(
    request: BookRequest,
    folder: Path,
    settings: PlatformSettings,
    progress: Callable[[str], None],
    may_be_empty: bool = False,
) -> Draft:
    """Draft a book and publish its two files as `folder`.

    Args:
        request: name, source, and optionally target and key.
        folder: of the book; its name is the name of the book.
        settings: of this machine.
        progress: called with a sentence for each step.
        may_be_empty: whether an empty folder may exist already.

    Raises:
        ExplainedError: no book can be drafted; nothing was written.
    """
    check_name(request.name)
    if folder.exists() and not (may_be_empty and not any(folder.iterdir())):
        raise DraftError(
            f"{folder} exists already, and a draft never overwrites a book. Choose another NAME, or remove the folder."
        )
    make_directory(settings.cache)
    warehouse = Warehouse(DuckDbSession(settings.threads, settings.memory_limit, settings.cache))
    draft = draft_book(request, warehouse, settings.cache, settings.threads, progress)
    texts = {CONTRACT: ("contract", contract_text(draft)), POLICIES: ("defs", policies_text(draft))}
    publish(folder, {name: f"{editor_line(schema, folder)}\n{text}" for name, (schema, text) in texts.items()})
    return draft


def check_name(name: str) -> None:
    """Check the name of a book.

    Raises:
        DraftError: it is not a valid name; the message proposes one.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise DraftError(
            f"NAME {name!r} is not valid. Use lower-case letters, digits and _, starting with a letter, such as "
            f"{snake_case(name)!r}."
        )


def publish(folder: Path, files: dict[str, str]) -> None:
    """Write the folder of a book in one step, after its files were read back as the platform reads them.

    The partial folder lies above the folder of all books, because a code location may be reading that one.

    Args:
        folder: of the book.
        files: content by file name.

    Raises:
        DraftError: another process has created the folder meanwhile.
        DiskFullError: no space is left.
    """
    make_directory(folder.parent)
    remove_abandoned(folder.parent.parent)
    partial = partial_path(folder.parent.parent / folder.name)
    with explained_disk_full(folder), discarded_on_error(partial):
        partial.mkdir()
        for name, text in files.items():
            (partial / name).write_text(text, encoding="utf-8")
        book = read_book(partial, folder.name)
        FeatureSet(book.contract, use_pricing=True)
        fsync_tree(partial)
        try:
            partial.rename(folder)
        except OSError as error:
            if folder.exists():
                raise DraftError(
                    f"Another process created {folder} meanwhile. Nothing was overwritten. Choose another NAME."
                ) from error
            raise
    fsync(folder.parent)


def read_book(folder: Path, name: str) -> Portfolio:
    """Read the book of a folder, without Dagster.

    Raises:
        ContractError: its contract cannot be used.
    """
    values = cast("dict[str, Any]", read_yaml(folder / POLICIES).data)
    return Portfolio(name=name, contract=load_contract(folder / CONTRACT), **values["attributes"])
