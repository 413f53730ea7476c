"""Draft a book from a source: read it, survey its columns, type the rows and judge the columns."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from loan_platform.adapters.drafting.source_profile import (
    RawSource,
    count_target,
    read_source,
    stage_source,
    with_likely_encoding,
)
from loan_platform.adapters.sources.resolve import absolute, resolve
from loan_platform.adapters.warehouse.stage_summary import StageSummary
from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.policies import Source
from loan_platform.core.drafting.finish import choose_features, choose_policies, judged_columns
from loan_platform.core.drafting.judging.draft import Counts, Draft, build_contract
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.events import check_dates
from loan_platform.core.drafting.judging.judged_columns import leak_reasons
from loan_platform.core.drafting.judging.keys import check_key, key_candidates, why_hash
from loan_platform.core.drafting.judging.target import (
    TargetChoice,
    find_column,
    guess_target,
    named_column,
    target_from_column,
    target_from_sql,
)
from loan_platform.core.drafting.plan import Plan, check_counts, check_refused, hash_key, make_plan
from loan_platform.core.drafting.proposed_rules import proposed_rules
from loan_platform.core.drafting.reading.columns import NO_KEY_COLUMN, DraftColumn
from loan_platform.core.drafting.reading.names import identifiers
from loan_platform.core.drafting.reading.readings import Stated
from loan_platform.core.drafting.reading.survey import SAMPLE_ROWS, RawColumn, survey

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BookRequest:
    """The user's request for a book.

    Attributes:
        name: of the book.
        source: path, glob or gs:// URI of the loans; a relative path is below the working directory.
        target: SQL condition that is true for a default, or the column with the outcome; None: guess it.
        key: the column that identifies a loan; None: find one.
        date: the column with the date of the decision; None: find one.
        date_format: how dates are written, as in a contract; None: what the values show.
        encoding: of the CSV files, as in `defs.yaml`; None: what the bytes show.
    """

    name: str
    source: str
    target: str | None = None
    key: str | None = None
    date: str | None = None
    date_format: str | None = None
    encoding: str | None = None


def draft_book(request: BookRequest, warehouse: Warehouse, cache: Path, threads: int, progress: Progress) -> Draft:
    """Read the source and draft a book.

    Args:
        request: of the user.
        warehouse: reads and stages the source.
        cache: folder for downloads and temporary files.
        threads: for the policies' measurements.
        progress: called with a sentence for each step.

    Raises:
        SourceError: a file as a whole cannot be used.
        DraftError: no book can be drafted from the source.
        SplitError: there are too few loans to split.
    """
    policy = Source(path=absolute(request.source))
    files = resolve(policy, home=cache, cache=cache)
    policy = with_likely_encoding(files, policy, request.encoding)
    with TemporaryDirectory(dir=cache, prefix="draft-") as scratch:
        folder = Path(scratch)
        raw = read_source(warehouse, files, policy, folder)
        progress(f"{raw.read.rows:,} rows, {len(raw.labels)} columns read")
        check_refused(raw.read.rows + raw.read.rejected, raw.broken())
        columns = survey(raw.texts(), raw.labels, _stated(request, raw))
        check_dates(request.date_format, columns)
        target = _target(request.target, columns)
        _check_target(raw, target)
        key, why, others = _key(request.key, raw, columns, target)
        plan = make_plan(columns, target, key)
        progress(f"{len(plan.kept)} columns to type and judge")
        draft = _judged(request, raw, plan, (why, others), _Staging(warehouse, folder, threads), columns)
        return replace(draft, encoding=policy.encoding)


@dataclass(frozen=True)
class _Staging:
    warehouse: Warehouse
    folder: Path
    threads: int

    def typed(self, raw: RawSource, plan: Plan) -> tuple[pl.DataFrame, StageSummary]:
        return stage_source(self.warehouse, raw, plan.contract, self.folder)


def _stated(request: BookRequest, raw: RawSource) -> Stated:
    points = all(file.delimiter in (",", None) for file in raw.read.files)
    return Stated(_date(request, raw), request.date_format, points, raw.read.rows)


def _date(request: BookRequest, raw: RawSource) -> str | None:
    """The raw column that DATE names, or None."""
    known = dict(zip(raw.labels, identifiers(raw.labels.values()).values(), strict=True))
    return None if request.date is None else named_column("DATE", request.date, known)


def _target(text: str | None, columns: dict[str, RawColumn]) -> TargetChoice:
    if text is None:
        few = {raw: column.counts for raw, column in columns.items() if column.counts}
        return guess_target(few, {raw: column.label for raw, column in columns.items()})
    known = {raw: column.name for raw, column in columns.items()}
    raw = find_column(text, known)
    if raw is None:
        return target_from_sql(text, known)
    return target_from_column(raw, columns[raw].counts, columns[raw].distinct, columns[raw].label)


def _check_target(raw: RawSource, target: TargetChoice) -> None:
    counts = count_target(raw, target)
    if counts.failed:
        raise DraftError(
            f"The SQL of TARGET fails, or gives another value than true, false, 1, 0 and null, in {counts.failed:,} "
            f"of {raw.read.rows:,} rows. Raw values are text: compare with '...', or use try_cast(... AS DOUBLE)."
        )
    check_counts(raw.read.rows, counts.defaults, counts.repaid, target.sql)


def _key(
    text: str | None, raw: RawSource, columns: dict[str, RawColumn], target: TargetChoice
) -> tuple[str | None, str, tuple[str, ...]]:
    """Raw column of the key (None: a hash), how it was found, and the other candidates."""
    if text is not None:
        key = named_column("KEY", text, {raw: column.name for raw, column in columns.items()})
        check_key(columns[key].label, raw.read.rows, *raw.distinct(key))
        return key, "The key, as stated", ()
    unique = [key for key in key_candidates(columns, target.columns) if raw.distinct(key) == (0, raw.read.rows)]
    if not unique:
        return None, why_hash(columns, target.columns, raw.read.rows > SAMPLE_ROWS), ()
    others = tuple(columns[key].label for key in unique[1:])
    return unique[0], f"{columns[unique[0]].label!r} is complete and different in every row", others


def _judged(
    request: BookRequest,
    raw: RawSource,
    plan: Plan,
    key: tuple[str, tuple[str, ...]],
    staging: _Staging,
    columns: dict[str, RawColumn],
) -> Draft:
    typed, staged = staging.typed(raw, plan)
    nulled: dict[str, int] = {}
    for (column, _), rows in staged.nulled.items():
        nulled[column] = nulled.get(column, 0) + rows
    found = judged_columns(plan, typed, nulled, _date(request, raw))
    event, judged = found.event, found.columns
    leaks = frozenset(leak_reasons({item.column.name: item for item in judged}))
    if plan.key_source is None and (changed := hash_key(plan.kept, columns, leaks)) != plan.key:
        plan = replace(plan, key=changed)
        typed, staged = staging.typed(raw, plan)
    features = choose_features(judged, event, typed.height, (*plan.left_out, *found.left_out))
    contract = build_contract(
        (plan.key, *((event.column,) if event else ()), *(item.column for item in judged)),
        plan.key.name,
        event.column.name if event else None,
        plan.missing,
        plan.target,
        tuple(feature for feature, _ in features),
        request.name,
    )
    loans = typed.filter(pl.col(event.column.name).is_not_null()) if event else typed
    return Draft(
        name=request.name,
        source=absolute(request.source),
        files=tuple(file.name for file in raw.read.files),
        raw_columns=len(raw.labels),
        missing=plan.missing,
        counts=_counts(raw, loans, staged, typed.height - loans.height),
        target=plan.target,
        key=DraftColumn(plan.key, plan.key_source, () if plan.key_source else (NO_KEY_COLUMN,)),
        key_why=key[0],
        other_keys=key[1],
        event=event,
        judged=judged,
        features=features,
        left_out=(*plan.left_out, *found.left_out),
        proposed=proposed_rules(judged, event, loans),
        policies=choose_policies(contract, loans, staging.threads),
    )


def _counts(raw: RawSource, loans: pl.DataFrame, staged: StageSummary, undated: int) -> Counts:
    """The counts, after a check that most rows are accepted."""
    defaults = int(loans[TARGET].sum())
    other = {reason: rows for reason, rows in staged.by_reason.items() if reason != "structural"}
    reasons = raw.broken() | other | ({"no date of the decision": undated} if undated else {})
    check_refused(raw.read.rows + raw.read.rejected, reasons)
    return Counts(
        rows=raw.read.rows,
        broken=raw.read.rejected,
        accepted=loans.height,
        defaults=defaults,
        repaid=loans[TARGET].count() - defaults,
        why_refused=tuple(reasons.items()),
    )
