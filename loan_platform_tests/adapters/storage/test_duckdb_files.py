"""The SQL of a book reaches the files of its own task, whatever `check` let pass."""

from pathlib import Path

import duckdb
import pytest

from loan_platform.adapters.storage.duckdb_files import limit_files
from loan_platform.adapters.warehouse.linked_tables import LinkedTables
from loan_platform.adapters.warehouse.sample_files import SampleError, write_sample
from loan_platform.adapters.warehouse.session import DuckDbSession, WarehouseError
from loan_platform_tests.support.small_books.linked import LinkedBook, contract


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "secret.txt"
    path.parent.mkdir()
    path.write_text("the password")
    return path


@pytest.mark.attack("book", "a join that reads any local file", before="its text was in the joined rows")
def test_a_join_reaches_no_other_file(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "book").mkdir()
    book = LinkedBook(tmp_path / "book", contract())
    stolen = f"SELECT j.*, t.content FROM ({book.contract.join}) j, LATERAL read_text('{secret}') t"
    unchecked = book.contract.model_copy(update={"join": stolen})
    linked = LinkedTables(DuckDbSession(temp_directory=tmp_path / "scratch"), unchecked)
    with pytest.raises(WarehouseError, match="PermissionException") as told:
        linked.join(book.clean, book.joined)
    assert "password" not in str(told.value)
    assert not book.joined.exists()


@pytest.mark.attack("book", "a sample script that reads or writes any local file", before="it reads and writes it")
@pytest.mark.parametrize("how", ["CREATE TABLE loans AS FROM read_text('{}')", "COPY (SELECT 1) TO '{}.csv'"])
def test_a_sample_script_reaches_no_other_file(tmp_path: Path, secret: Path, how: str) -> None:
    script = tmp_path / "sample.sql"
    script.write_text(how.format(secret))
    with pytest.raises(SampleError, match="Permission Error"):
        write_sample(script, {"loans": tmp_path / "out" / "loans.csv"}, 10)
    assert [path.name for path in secret.parent.iterdir()] == ["secret.txt"]


def test_limits_cannot_be_lifted(tmp_path: Path, secret: Path) -> None:
    with duckdb.connect() as connection:
        limit_files(connection, [tmp_path / "a.csv"], [tmp_path / "own"])
        for lifted in (
            "SET enable_external_access = true",
            "SET allowed_directories = ['/']",
            f"SET allowed_paths = ['{secret}']",
            f"ATTACH '{secret}.db'",
            "LOAD httpfs",
            f"FROM read_text('{tmp_path}/own/../elsewhere/secret.txt')",
            f"FROM read_text('{tmp_path}/a.csv/../elsewhere/secret.txt')",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(lifted).fetchall()


def test_files_of_the_task_are_reached_by_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a'b.csv").write_text("x\n1\n")
    Path("own").mkdir()
    with duckdb.connect() as connection:
        limit_files(connection, [Path("a'b.csv")], [Path("own")])
        connection.execute("COPY (FROM read_csv('a''b.csv')) TO 'own/b.parquet'")
        assert connection.execute("FROM read_parquet('own/b.parquet')").fetchall() == [(1,)]
