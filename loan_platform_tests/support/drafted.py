"""A small file drafted into a book, with all that a person sees of it."""

from dataclasses import dataclass
from pathlib import Path

from loan_platform.adapters.drafting.book_folder import create_book, read_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.book.contract import Contract
from loan_platform.core.drafting.judging.draft import Draft
from loan_platform.core.drafting.writing.screen_text import screen_text
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.ingest import Ingested, ingest


@dataclass(frozen=True)
class Drafted:
    """A draft, its contract as it is loaded, the text of the contract, and the screen."""

    draft: Draft
    contract: Contract
    text: str
    screen: str

    def staged(self, source: Path) -> Ingested:
        """A file staged by the drafted contract."""
        folder = source.parent / f"{source.name}.out"
        return ingest([source], folder, self.contract, warehouse=Warehouse(DuckDbSession(threads=1)))


def drafted(source: Path, **asked: str) -> Drafted:
    """Draft a book of a file; `asked` are further options of the request."""
    books = source.parent / f"{source.name}.books" / "defs"
    request = BookRequest("b", str(source), **asked)
    draft = create_book(request, books / "b", PlatformSettings.from_environment(), lambda _: None)
    text = (books / "b" / "contract.yaml").read_text()
    return Drafted(draft, read_book(books / "b", "b").contract, text, screen_text(draft, []))
