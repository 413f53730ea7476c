"""`retail_loans` counts default in instalments: the same arrears are the same class at every end of a month."""

import polars as pl
import pytest

from loan_platform.cli.books import book_folder
from loan_platform.core.book.constants import TARGET
from loan_platform.core.checking.book_check import load_book
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.small_books.linked import LinkedBook

# Day of the start and day of the sixth instalment. One month before 1 March is 28 or 29 days, before 1 April 31.
DUE = {
    "2023-07-31": "2024-01-31", "2022-08-28": "2023-02-28", "2023-08-29": "2024-02-29", "2023-10-30": "2024-04-30",
    "2022-09-01": "2023-03-01", "2023-09-01": "2024-03-01", "2023-10-01": "2024-04-01", "2023-01-01": "2023-07-01",
}  # fmt: skip
MISSED = {"0": 0, "100.1": 1, "200.2": 2, "300.3": 3, "0.01": 1, "100.11": 2, "": None}  # of 100.1 each


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """A loan for each due day and overdue amount, through staging, the contract's join and staging again."""
    folder, contract = tmp_path_factory.mktemp("retail"), load_book(book_folder("retail_loans")).contract
    lines = ["loan_id,Customer_ID,loan_start_date,tenure,installment_num,loan_amt,due_amt,overdue_amt,snapshot_date"]
    for start, due in DUE.items():
        for overdue in MISSED:
            loan = f"{due}/{overdue},customer {start} {overdue},{start},10"
            lines += [f"{loan},0,1001,0,0,{start}", f"{loan},6,1001,100.1,{overdue},{due}"]
    files = {"loans": "\n".join(lines) + "\n"}
    for table in contract.tables[1:]:  # a row of a customer without a loan
        names = sorted(set[str]().union(*(column.raw_columns for column in table.columns)))
        known = {"Customer_ID": "nobody", "snapshot_date": "2023-01-01"}
        files[table.name] = f"{','.join(names)}\n{','.join(known.get(name, '') for name in names)}\n"
    book, accepted = LinkedBook(folder, contract, files), folder / "accepted.parquet"
    assert book.linked.join(book.clean, book.joined).lost == 0
    counts = book.warehouse.stage(book.joined, Table.from_contract(contract), accepted, folder / "quarantined.parquet")
    assert (counts.accepted, counts.quarantined) == (len(DUE) * len(MISSED), 0)
    return pl.read_parquet(accepted)


@pytest.mark.parametrize("overdue", MISSED)
@pytest.mark.parametrize("due", DUE.values())
def test_arrears_are_the_same_class_whatever_the_month(staged: pl.DataFrame, due: str, overdue: str) -> None:
    missed = MISSED[overdue]
    row = staged.filter(pl.col("loan_id") == f"{due}/{overdue}").row(0, named=True)
    assert row["instalments_missed"] == missed
    assert row[TARGET] == (None if missed is None else int(missed >= 1))
