"""The lender's raw files: local paths, globs and gs:// URIs."""

from pathlib import Path

from pydantic import Field

from loan_platform.assets.resources.gcs import GcsResource
from loan_platform.assets.resources.home import HomeResource
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import SourceError
from loan_platform.settings.source_files import source_override


class SourcesResource(HomeResource):
    """The lender's raw files. `<BOOK>_<SOURCE>`, such as LENDING_CLUB_LOANS, names other files for one source."""

    home: str = Field(description="Folder where the relative paths of sources start.")
    cache: str = Field(description="Folder for downloaded objects.")
    gcs: GcsResource

    def has_files(self, book: Portfolio, name: str) -> bool:
        """Whether a source has files. A source that the environment names counts as having some."""
        try:
            self.files(book, name)
        except SourceError:
            return source_override(book.name, name) is not None
        return True

    def files(self, book: Portfolio, name: str) -> tuple[Source, list[Path]]:
        """The source of a book and its local files.

        Raises:
            SourceError: no file is there; the message names the setting to change.
        """
        from loan_platform.adapters.sources.resolve import resolve

        source = book.sources[name]
        files = resolve(
            source,
            home=Path(self.home),
            cache=Path(self.cache),
            override=source_override(book.name, name),
            variable=f"{book.name}_{name}".upper(),
            gcs=self.gcs.access(),
        )
        return source, files
