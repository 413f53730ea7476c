"""How the assets of a book are named, grouped, tagged and owned."""

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import dagster as dg

from loan_platform.assets.specs.explained import explained
from loan_platform.assets.specs.stages import STAGE, Stage
from loan_platform.core.book.portfolio import Portfolio

OWNER: Final = "team:credit-risk"
JOINED: Final = "joined_loans"

Deps = Iterable[str | dg.AssetDep]


def asset_key(book: Portfolio, name: str) -> dg.AssetKey:
    """`lending_club/raw_loans`: the book's name is the prefix."""
    return dg.AssetKey([book.name, name])


def clean_asset(source: str) -> str:
    """Name of the asset with the typed rows of a linked source."""
    return f"clean_{source}"


def clean_assets(book: Portfolio) -> list[str]:
    """Names of the assets with the typed rows of every linked source; none for a book of one file."""
    return [clean_asset(table.name) for table in book.contract.tables]


def book_asset(
    book: Portfolio, name: str, stage: Stage, *kinds: str, deps: Deps = (), **options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for an asset of the book. The function's docstring is its page in the UI."""
    asset = dg.asset(**_attributes(book, name, stage, kinds, deps), **options)

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        return cast("dg.AssetsDefinition", asset(explained(function)))

    return decorate


def book_spec(book: Portfolio, name: str, stage: Stage, description: str, *kinds: str, deps: Deps = ()) -> dg.AssetSpec:
    """`dg.AssetSpec` for one of several assets that the book makes in one step."""
    return dg.AssetSpec(description=description, **_attributes(book, name, stage, kinds, deps))


def _attributes(book: Portfolio, name: str, stage: Stage, kinds: tuple[str, ...], deps: Deps) -> dict[str, Any]:
    return {
        "key": asset_key(book, name),
        "group_name": book.name,
        "owners": [OWNER],
        "kinds": set(kinds),
        "tags": {STAGE: stage},
        "deps": [asset_key(book, dep) if isinstance(dep, str) else dep for dep in deps],
    }
