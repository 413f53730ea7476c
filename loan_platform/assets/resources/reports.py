"""Reports: JSON that assets read from each other, and pages for people."""

from pathlib import Path

from pydantic import Field

from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.resources.home import HomeResource


class ReportsResource(HomeResource):
    """Reports of every book: evaluation, model card, drift, performance and data quality."""

    root: str = Field(description="Folder of the reports. Each book has a folder in it.")

    def open(self) -> ReportFiles:
        """Read and write reports."""
        return ReportFiles(Path(self.root))
