"""The books whose loans are public, as features. Read by the benchmarks of later months."""

import tempfile
from datetime import date
from pathlib import Path

import polars as pl

from loan_platform.adapters.warehouse.linked_tables import LinkedTables
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.cli.books import book_folder
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.book_check import load_book
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.staging.table import Table

# Files of each book below the folder of public data; of a book of linked files by source.
FILES: dict[str, str | dict[str, str]] = {
    "lending_club": "lendingclub/loanstats_2007_2011.csv.gz",
    "retail_loans": {
        "loans": "cs611_medallion/lms_loan_daily.csv.gz",
        "attributes": "cs611_medallion/features_attributes.csv",
        "financials": "cs611_medallion/features_financials.csv.gz",
        "clickstream": "cs611_medallion/feature_clickstream.csv.gz",
    },
    "credit_cards": "uci_credit_card/UCI_Credit_Card.csv.gz",
    "bank_customers": "default_fin/Default_Fin.csv",
}


def public_loans(name: str, data: Path) -> tuple[Portfolio, pl.DataFrame]:
    """A book, and the key, date, target and features of its public loans."""
    book, files = load_book(book_folder(name)), FILES[name]
    contract = book.contract
    with tempfile.TemporaryDirectory(prefix="public-loans-") as scratch:
        folder = Path(scratch)
        if isinstance(files, str):
            staged = _staged(data / files, Table.from_contract(contract), folder / "loans")
        else:
            tables = {
                source.name: _staged(
                    data / files[source.name], Table.from_source(contract, source), folder / source.name
                )
                for source in contract.tables
            }
            joined, staged = folder / "joined.parquet", folder / "accepted.parquet"
            LinkedTables(DuckDbSession(), contract).join(tables, joined)
            Warehouse().stage(joined, Table.from_contract(contract), staged, folder / "quarantined.parquet")
        loans = pl.read_parquet(staged)
    about = [column for column in (contract.entity_key, contract.event_date, TARGET) if column]
    computed = FeatureSet(contract, book.training.use_pricing).compute(loans)
    return book, pl.concat([loans.select(about), computed], how="horizontal")


def first_months(year: int, month: int, step: int, count: int) -> tuple[date, ...]:
    """The first days of `count` months, each `step` months after the one before."""
    at = (month - 1 + step * i for i in range(count))
    return tuple(date(year + later // 12, later % 12 + 1, 1) for later in at)


def _staged(file: Path, table: Table, folder: Path) -> Path:
    """The accepted rows of a file."""
    folder.mkdir()
    raw, rejects, accepted, quarantined = (folder / f"{i}.parquet" for i in range(4))
    warehouse = Warehouse()
    warehouse.read_raw([file], table, Source(path="-"), raw, rejects)
    warehouse.stage(raw, table, accepted, quarantined, rejects=rejects)
    return accepted
