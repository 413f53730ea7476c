"""Write, check, publish: rows that fail a blocking check are kept aside, and the published rows stay as they are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from loan_platform.adapters.storage.candidates import Candidates
from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.report import Report

REFUSED = "refused"


@dataclass(frozen=True)
class Checked:
    """What the checks of an asset found on its candidate rows.

    Attributes:
        results: of every check.
        blocking: names of the checks that block.
        reports: content of each report, by file name.
    """

    results: tuple[dg.AssetCheckResult, ...]
    blocking: frozenset[str]
    reports: Mapping[str, Report | str] = field(default_factory=dict[str, "Report | str"])

    def also(self, other: "Checked") -> "Checked":
        """Both together."""
        return Checked(self.results + other.results, self.blocking | other.blocking, {**self.reports, **other.reports})

    @property
    def failed(self) -> tuple[dg.AssetCheckResult, ...]:
        """The blocking checks that failed."""
        return tuple(r for r in self.results if not r.passed and r.check_name in self.blocking)


@dataclass(frozen=True)
class Decision:
    """Whether candidate rows were published, and what Dagster is told.

    Attributes:
        results: of every check.
        refusal: why the rows were not published; None if they were.
    """

    results: tuple[dg.AssetCheckResult, ...]
    refusal: dg.Failure | None

    def events(
        self, materialized: Iterable[dg.MaterializeResult]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """What the asset's function yields. Refused rows are no materialization: only their checks are recorded.

        Raises:
            dagster.Failure: the rows were refused.
        """
        if self.refusal is None:
            yield from materialized
        yield from self.results
        if self.refusal is not None:
            raise self.refusal


@dataclass(frozen=True)
class Publisher:
    """Publishes the rows of an asset with the reports about them, or keeps both aside.

    Attributes:
        book: whose asset it is.
        asset: its name.
        lake: where its rows are.
        reports: where the reports about them are.
        folder: of the reports about published rows, below the book's reports; it is empty or ends with `/`.
    """

    book: Portfolio
    asset: str
    lake: Lake
    reports: ReportFiles
    folder: str = ""

    def decide(self, candidates: Candidates, checked: Checked) -> Decision:
        """Publish the candidates if no blocking check failed; otherwise refuse them.

        Reports about refused rows never replace those about the published rows.
        """
        if checked.failed:
            return Decision(checked.results, self._refuse(candidates, checked))
        candidates.publish()
        self._write(self.folder, checked.reports)
        self.reports.remove(self.book.name, f"{REFUSED}/{self.asset}")
        return Decision(checked.results, None)

    def _refuse(self, candidates: Candidates, checked: Checked) -> dg.Failure:
        rows = candidates.refuse()
        written = self._write(f"{REFUSED}/{self.asset}/", checked.reports)
        found = "\n".join(f"- {result.check_name}: {result.description}" for result in checked.failed)
        current = "The published rows are unchanged."
        if not self.lake.exists(self.book.name, self.asset):
            current = "No rows were published before."
        message = (
            f"{self.asset} is refused: {_count(checked.failed)} failed.\n{found}\n{current}\n{_where(rows, written)}\n"
        )
        message += "Correct the source files, or the contract or policy if that is wrong. Then run the job again."
        places = {f"refused_{name}": dg.MetadataValue.path(str(path)) for name, path in rows.items()}
        return dg.Failure(message, metadata=places, allow_retries=False)

    def _write(self, folder: str, reports: Mapping[str, Report | str]) -> list[Path]:
        return [self.reports.write(self.book.name, f"{folder}{name}", content) for name, content in reports.items()]


def _count(failed: tuple[dg.AssetCheckResult, ...]) -> str:
    return "1 blocking check" if len(failed) == 1 else f"{len(failed)} blocking checks"


def _where(rows: Mapping[str, Path], reports: list[Path]) -> str:
    """Where the refused rows and the reports about them are."""
    lines = [f"Refused rows of {name}: {path}" for name, path in rows.items()]
    return "\n".join([*lines, *(f"Report: {path}" for path in reports)])
