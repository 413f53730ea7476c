"""Whatever the names and values of a file: the draft loads, its features compile, and nearly all rows are accepted."""

import csv
import os
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from loan_platform.adapters.drafting.book_folder import create_book, read_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.ingest import ingest

pytestmark = pytest.mark.thorough

FILES = int(os.environ.get("FUZZ_BOOKS", "25"))
ROWS = 420

NAMES = [
    *("Income", "net income €", "Größe (m²)", "order", "group", "date", "Date of issue", "select", "target", "score"),
    *(
        "probability",
        "partition",
        "blend",
        "vintage",
        "1st",
        "%",
        "a.b",
        'say "hi"',
        "it's",
        "x;y",
        "tab\there",
        "{{ x }}",
    ),
    *("年収", "ИМЯ", "  padded  ", "UPPER CASE", "camelCase", "a" * 90, "a" * 90 + "b", "null", "true", "case", "end"),
    *(
        "Sex",
        "age",
        "paid amount",
        "last payment",
        "zip code",
        "e-mail",
        "source_file",
        "row",
        "key",
        "value",
        "interval",
    ),
    *("year", "user", "current_date", "rate %", "interest rate", "months since", "#", "income_missing", "-"),
]
Maker = Callable[[random.Random, int], str]


def number(draw: random.Random, _: int) -> str:
    return f"{draw.gauss(1000, 400):.2f}"


def integer(draw: random.Random, _: int) -> str:
    return str(draw.randint(-5, 40))


def tiny(draw: random.Random, _: int) -> str:
    return repr(draw.random() * 10 ** draw.randint(-12, 12))


def comma(draw: random.Random, _: int) -> str:
    return f"{draw.gauss(5000, 2000):,.2f}".translate(str.maketrans(",.", ".,"))


def dollars(draw: random.Random, _: int) -> str:
    return f"${draw.randint(1, 90_000):,}"


def euros(draw: random.Random, _: int) -> str:
    return f"{draw.randint(1, 900)},{draw.randint(10, 99)} €"


def months(draw: random.Random, _: int) -> str:
    return f" {draw.choice([12, 24, 36])} months"


def percent(draw: random.Random, _: int) -> str:
    return f"{draw.uniform(1, 30):.1f}%"


def iso(draw: random.Random, _: int) -> str:
    return str(date(2015, 1, 1) + timedelta(days=draw.randint(0, 900)))


def german_date(draw: random.Random, _: int) -> str:
    return f"{date(2015, 1, 1) + timedelta(days=draw.randint(0, 900)):%d.%m.%Y}"


def american_date(draw: random.Random, _: int) -> str:
    return f"{date(2015, 1, 1) + timedelta(days=draw.randint(0, 900)):%m/%d/%y}"


def word(draw: random.Random, _: int) -> str:
    return draw.choice(
        ["Own", "own", "RENT", "Mortgage ", "it's", 'a "b"', "x, y: z", "#1", "- dash", "No", "é\u00a0è"]
    )


def flag(draw: random.Random, _: int) -> str:
    return draw.choice(["Y", "N"])


def text(draw: random.Random, row: int) -> str:
    return f"Customer {row} says {draw.randint(0, 10**6)};\nsecond line, {draw.choice('abc')}"


def code(draw: random.Random, row: int) -> str:
    return f"X{row:05}{draw.choice('abc')}"


def same(_draw: random.Random, _: int) -> str:
    return "always"


def huge(draw: random.Random, _: int) -> str:
    return str(draw.randint(10**17, 10**18))


def mixed(draw: random.Random, row: int) -> str:
    return draw.choice([number, word, iso])(draw, row)


MAKERS: list[Maker] = [
    *(number, integer, tiny, comma, dollars, euros, months, percent, iso, german_date, american_date),
    *(word, flag, text, code, same, huge, mixed),
]


def write(path: Path, draw: random.Random) -> None:
    """A file of odd columns with an outcome, in a random place."""
    names = draw.sample(NAMES, draw.randint(2, 14))
    makers = [draw.choice(MAKERS) for _ in names]
    empty = [draw.choice([0, 0, 0.02, 0.5, 0.97, 1]) for _ in names]
    marks = [draw.choice(["", "", "NA", "nan", "-"]) for _ in names]
    place = draw.randint(0, len(names))
    header = [*names[:place], "outcome", *names[place:]]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=draw.choice(",;\t|"), lineterminator=draw.choice(["\n", "\r\n"]))
        writer.writerow(["loan id", "one more", *header])
        for row in range(ROWS):
            cells = [
                mark if draw.random() < share else make(draw, row)
                for make, share, mark in zip(makers, empty, marks, strict=True)
            ]
            if draw.random() < 0.01:
                cells[draw.randrange(len(cells))] = draw.choice(["?!", "1.2.3", "99/99/9999", "\u0661"])
            bad = str(int(draw.random() < 0.3))
            number = str(row if draw.random() < 0.999 else 0)
            writer.writerow([number, f"{draw.gauss(0, 1):.3f}", *cells[:place], bad, *cells[place:]])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FILES))
def test_a_draft_accepts_its_own_file(seed: int, tmp_path: Path) -> None:
    source, books = tmp_path / "loans.csv", tmp_path / "pack" / "defs"
    write(source, random.Random(seed))
    draft = create_book(BookRequest("b", str(source)), books / "b", PlatformSettings.from_environment(), lambda _: None)
    book = read_book(books / "b", "b")
    assert book.contract == draft.contract.model_copy(update={"description": book.contract.description})
    FeatureSet(book.contract, use_pricing=True)
    check_staging(book, source, tmp_path)


def check_staging(book: Portfolio, source: Path, folder: Path) -> None:
    done = ingest([source], folder / "out", book.contract, warehouse=Warehouse(DuckDbSession(threads=1)))
    assert done.staged.quarantined <= 0.02 * done.staged.rows_in + 1, done.staged.by_reason
    for (column, reason), rows in done.staged.nulled.items():
        assert rows <= 0.06 * done.staged.rows_in, (column, reason)
    assert done.staged.resolved == done.staged.accepted
