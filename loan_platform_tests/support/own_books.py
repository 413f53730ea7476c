"""Files of loans that no contract knows, made from nothing, and books drafted from such files."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from loan_platform.adapters.drafting.book_folder import create_book, read_book
from loan_platform.adapters.drafting.draft_book import BookRequest
from loan_platform.adapters.warehouse.session import DuckDbSession
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.book.contract import Contract
from loan_platform.core.drafting.judging.draft import Draft
from loan_platform.core.drafting.writing.screen_text import screen_text
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import DEFINITIONS, forget_package
from loan_platform_tests.support.ingest import Ingested, ingest

GERMAN_HEADER = (
    "Vertrag Nr.;Antragsdatum;Kreditbetrag €;Laufzeit (Monate);Nettoeinkommen;Zinssatz %;Beschäftigung;Geschlecht;"
    "Bonität;Inkasso-Erlös;Rückstand nach Auszahlung;Bemerkung;Kreditstatus"
)
PROJECT = '[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "anyone"\n'


def write_project(folder: Path) -> Path:
    """An empty project of somebody else; returns its folder of books."""
    forget_package("anyone")
    books = folder / "anyone" / "defs"
    books.mkdir(parents=True)
    (folder / "anyone" / "__init__.py").touch()
    (folder / "anyone" / "definitions.py").write_text(DEFINITIONS)
    (folder / "pyproject.toml").write_text(PROJECT)
    return books


def write_german(path: Path, rows: int = 3_000, seed: int = 1) -> None:
    """Semicolons, decimal commas, thousands in points, days first, the outcome as text, a leak and free text."""
    draw = np.random.default_rng(seed)
    days = np.sort(draw.integers(0, 3 * 365, rows))
    income = np.exp(draw.normal(7.8, 0.4, rows))
    amount = np.exp(draw.normal(9.0, 0.6, rows))
    score = draw.normal(600, 60, rows).round()
    job = draw.choice(["Angestellt", "Selbständig", "Rentner"], rows, p=[0.7, 0.2, 0.1])
    logit = (
        -1.9
        + 0.9 * (np.log(amount) - 9)
        - 1.2 * (np.log(income) - 7.8)
        - (score - 600) / 90
        + 0.6 * (job == "Selbständig")
    )
    bad = draw.random(rows) < 1 / (1 + np.exp(-logit))
    sex, term = draw.choice(["m", "w"], rows), draw.choice([12, 24, 48], rows)
    lines = [GERMAN_HEADER]
    for i in range(rows):
        day = date(2020, 1, 1) + timedelta(days=int(days[i]))
        collected = german(draw.uniform(10, 500)) if bad[i] else "0,00"
        late = int(bad[i] or draw.random() < 0.01)
        stated = german(income[i]) if draw.random() > 0.05 else ""
        note = f"Kundin {i} fragt nach {draw.integers(1, 9999)} und möchte eine schnelle Antwort per Post"
        status = "ausgefallen" if bad[i] else "getilgt"
        lines.append(
            f"K-{seed}-{i:06};{day:%d.%m.%Y};{german(amount[i])};{term[i]};{stated};{german(draw.uniform(3, 12))}%;"
            f"{job[i]};{sex[i]};{int(score[i])};{collected};{late};{note};{status}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def german(value: float) -> str:
    """`1.234,56`."""
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def write_wide(path: Path, rows: int = 8_000, columns: int = 60, rate: float = 0.01, seed: int = 2) -> None:
    """Commas, rare defaults, many columns of numbers, no dates, values missing."""
    draw = np.random.default_rng(seed)
    numbers = draw.normal(0, 1, (rows, columns - 2))
    weight = np.zeros(columns - 2)
    weight[:8] = 0.7
    logit = numbers @ weight
    bad = logit + draw.logistic(0, 1, rows)
    worst = bad >= np.sort(bad)[-int(rows * rate)]
    gone = draw.random(numbers.shape) < np.linspace(0, 0.4, columns - 2)
    header = ["AccountID", *(f"Var {i}" for i in range(columns - 2)), "bad_flag"]
    lines = [",".join(header)]
    for i in range(rows):
        cells = ["" if gone[i, j] else f"{numbers[i, j]:.4f}" for j in range(columns - 2)]
        lines.append(",".join([str(100_000 + i), *cells, str(int(worst[i]))]))
    path.write_text("\n".join(lines) + "\n")


@dataclass(frozen=True)
class Drafted:
    """A draft, its contract as it is loaded, the text of the contract, and the screen."""

    draft: Draft
    contract: Contract
    text: str
    screen: str

    def staged(self, source: Path) -> Ingested:
        """A file staged by the drafted contract."""
        folder = source.parent / f"{source.name}.out"
        return ingest([source], folder, self.contract, warehouse=Warehouse(DuckDbSession(threads=1)))


def drafted(source: Path, **asked: str) -> Drafted:
    """Draft a book of a file; `asked` are further options of the request."""
    books = source.parent / f"{source.name}.books" / "defs"
    request = BookRequest("b", str(source), **asked)
    draft = create_book(request, books / "b", PlatformSettings.from_environment(), lambda _: None)
    text = (books / "b" / "contract.yaml").read_text()
    return Drafted(draft, read_book(books / "b", "b").contract, text, screen_text(draft, []))
