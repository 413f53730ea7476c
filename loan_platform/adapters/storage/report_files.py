"""Reports of all portfolios below one folder: JSON for programs, pages for people."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from loan_platform.adapters.storage.atomic_files import atomic_write, remove
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.report import Report

R = TypeVar("R", bound=Report)


class ReportFiles:
    """`<root>/<portfolio>/<name>`, each file written whole or not at all."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, portfolio: str, name: str) -> Path:
        """Path of a report, such as `drift/2018-07.json`; its folder exists."""
        path = self.root.joinpath(portfolio, *name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, portfolio: str, name: str, content: Report | str | bytes) -> Path:
        """Publish a report and return its path.

        Raises:
            DiskFullError: no space is left; the previous report is untouched.
        """
        path = self.path(portfolio, name)
        atomic_write(path, content.to_json() if isinstance(content, Report) else content)
        return path

    def remove(self, portfolio: str, name: str) -> None:
        """Delete a report, or a folder of reports, if there is one."""
        remove(self.root.joinpath(portfolio, *name.split("/")))

    def read(self, portfolio: str, name: str, kind: type[R]) -> R:
        """Read a JSON report.

        Raises:
            NotMaterializedError: the file is missing, or another version of the platform wrote it.
        """
        path = self.root.joinpath(portfolio, *name.split("/"))
        if not path.is_file():
            raise NotMaterializedError(f"{path} does not exist: materialize the asset that writes it first")
        try:
            return kind.from_json(path.read_text())
        except ValidationError as error:
            what = f"{path} is not a {kind.__name__} ({error.error_count()} errors)"
            raise NotMaterializedError(f"{what}: materialize the asset that writes it again") from error
