"""`dg scaffold defs ...LoanPortfolio my_book --source loans.csv`: a book drafted from a file."""

import sys

import dagster as dg
from pydantic import BaseModel, Field


class BookParameters(BaseModel):
    """What the scaffold command takes."""

    source: str = Field(description="Path, glob or gs:// URI of the loans.")
    target: str | None = Field(
        default=None, description="SQL condition that is true for a default, or the column with the outcome."
    )
    key: str | None = Field(default=None, description="The column that identifies a loan.")
    date: str | None = Field(default=None, description="The column with the date of the decision.")
    date_format: str | None = Field(
        default=None,
        description="How dates are written: strptime codes, excel_days, excel_days_1904, year_quarter or iso_week.",
    )


class LoanPortfolioScaffolder(dg.Scaffolder[BookParameters]):
    """Profiles the source and drafts `defs.yaml` and `contract.yaml`, as `loan-platform book` does."""

    @classmethod
    def get_scaffold_params(cls) -> type[BookParameters]:
        """The options of the command."""
        return BookParameters

    def scaffold(self, request: dg.ScaffoldRequest[BookParameters]) -> None:
        """Fill the folder that Dagster has just made; without a draft it is removed again."""
        import click

        from loan_platform.adapters.drafting.book_folder import CONTRACT, POLICIES, create_book
        from loan_platform.adapters.drafting.draft_book import BookRequest
        from loan_platform.core.drafting.writing.screen_text import screen_text
        from loan_platform.core.errors import ExplainedError
        from loan_platform.settings.platform import PlatformSettings

        folder, asked = request.target_path, request.params
        try:
            draft = create_book(
                BookRequest(folder.name, asked.source, asked.target, asked.key, asked.date, asked.date_format),
                folder,
                PlatformSettings.from_environment(),
                _tell,
                may_be_empty=True,
            )
        except BaseException as error:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
            if isinstance(error, ExplainedError):
                raise click.UsageError(str(error)) from error  # its exit code is 2
            raise
        sys.stdout.write(screen_text(draft, [str(folder / name) for name in (CONTRACT, POLICIES)]))


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
