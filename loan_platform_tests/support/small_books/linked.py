"""A tiny book of three linked files: loan lines, what customers stated, and what they did each month."""

from pathlib import Path
from typing import Any

from loan_platform.adapters.warehouse.linked_tables import LinkedTables
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.policies import Source
from loan_platform.core.staging.table import Table


def column(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "description": f"The {name}."} | more


JOIN = """
WITH started AS (SELECT * FROM loans WHERE line = 0),
    late AS (SELECT loan, overdue FROM loans WHERE line = 6),
    visits AS (
        SELECT started.loan, avg(visits.count) AS mean_visits FROM started
        JOIN visits ON visits.person = started.person AND visits.month < started.start GROUP BY started.loan)
SELECT started.source_file, started.source_line, started.loan, started.start, people.income, visits.mean_visits,
    late.overdue
FROM started
ASOF LEFT JOIN people ON people.person = started.person AND started.start >= people.day
LEFT JOIN visits ON visits.loan = started.loan
LEFT JOIN late ON late.loan = started.loan
"""

BOOK: dict[str, Any] = {
    "description": "Loans to members of a club.",
    "entity_key": "loan",
    "event_date": "start",
    "tables": [
        {
            "name": "loans",
            "description": "Lines of the loan system.",
            "key": ["loan", "line"],
            "as_of": "day",
            "columns": [
                column("loan", "text", required=True),
                column("person", "text", required=True),
                column("start", "date", required=True),
                column("day", "date", required=True),
                column("line", "integer", required=True, minimum=0),
                column("overdue", "number", available_at="after_origination"),
            ],
        },
        {
            "name": "people",
            "description": "What members stated.",
            "key": ["person", "day"],
            "as_of": "day",
            "columns": [
                column("person", "text", required=True),
                column("day", "date", required=True),
                column("income", "number", sql="trim(\"income\", '_')", minimum=0, maximum=10_000, on_invalid="null"),
            ],
        },
        {
            "name": "visits",
            "description": "Visits of a month.",
            "as_of": "month",
            "columns": [
                column("person", "text", required=True),
                column("month", "date", required=True),
                column("count", "integer"),
            ],
        },
    ],
    "join": JOIN,
    "columns": [
        column("loan", "text", required=True),
        column("start", "date", required=True),
        column("income", "number", minimum=0),
        column("mean_visits", "number"),
        column("overdue", "number", available_at="after_origination"),
    ],
    "target": {
        "sql": "CASE WHEN CAST(overdue AS DOUBLE) > 0 THEN 1 WHEN overdue IS NOT NULL THEN 0 END",
        "description": "-",
    },
    "features": [
        {"name": "income", "sql": "income", "description": "Income.", "reason": "Income is low."},
        {"name": "mean_visits", "sql": "mean_visits", "description": "Visits.", "reason": "Visits."},
    ],
}

FILES = {
    "loans": """loan,person,start,day,line,overdue
A,p1,2024-01-01,2024-01-01,0,0
A,p1,2024-01-01,2024-07-01,6,50
B,p2,2024-02-01,2024-02-01,0,0
B,p2,2024-02-01,2024-08-01,6,0
C,p3,2024-03-01,2024-03-01,0,0
C,p3,2024-03-01,2024-03-01,0,0
D,p4,2024-03-01,2024-03-01,0,0
""",
    "people": """person,name,income,day
p1,Ann,100_,2023-12-31
p1,Ann,900,2024-01-02
p2,Bob,-5,2024-02-01
p3,Cem,__77777__,2024-01-01
""",
    "visits": """person,month,count
p1,2023-11-01,2
p1,2023-12-01,3
p1,2024-01-01,90
p1,2024-02-01,80
p2,2024-01-01,7
""",
}


def contract(**changes: Any) -> Contract:
    """The contract, with some of its parts replaced."""
    return Contract.model_validate(BOOK | changes)


class LinkedBook:
    """Files of the book, written, cleaned and joined below a folder."""

    def __init__(self, folder: Path, contract: Contract, files: dict[str, str] | None = None) -> None:
        self.contract, self.folder = contract, folder
        session = DuckDbSession(memory_limit="400MB", temp_directory=folder)
        self.warehouse, self.linked = Warehouse(session), LinkedTables(session, contract)
        self.clean: dict[str, Path] = {}
        self.nulled: dict[str, dict[tuple[str, str], int]] = {}
        self.quarantined: dict[str, Path] = {}
        self.joined = folder / "joined.parquet"
        for table in contract.tables:
            self._clean(table.name, (files or FILES)[table.name])

    def _clean(self, name: str, text: str) -> None:
        path = self.folder / f"{name}.csv"
        path.write_text(text)
        raw, rejects = self.folder / f"raw_{name}.parquet", self.folder / f"rejects_{name}.parquet"
        clean, bad = self.folder / f"clean_{name}.parquet", self.folder / f"bad_{name}.parquet"
        table = Table.from_source(self.contract, next(t for t in self.contract.tables if t.name == name))
        self.warehouse.read_raw([path], table, Source(path="-"), raw, rejects)
        self.nulled[name] = self.warehouse.stage(raw, table, clean, bad, rejects=rejects).nulled
        self.clean[name], self.quarantined[name] = clean, bad
