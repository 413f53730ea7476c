"""Text of the drafted `contract.yaml`. Comments say what a person should check."""

from collections.abc import Iterator

from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.contract_parts import MISSING_MARKERS
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.drafting.judging.draft import Draft
from loan_platform.core.drafting.judging.roles import UNREAD_DATE
from loan_platform.core.drafting.judging.statistics import Statistics
from loan_platform.core.drafting.reading.columns import DraftColumn
from loan_platform.core.drafting.writing.yaml_text import comment, listed, scalar

_KEYS = (
    "description",
    "type",
    "sql",
    "decimal",
    "date_format",
    "written_as",
    "unit",
    "required",
    "minimum",
    "maximum",
)
_LATER = ("max_length", "available_at", "protected", "on_invalid", "severity")


def contract_text(draft: Draft) -> str:
    """The whole file."""
    return (
        "\n".join(
            [*_head(draft), *_columns(draft), *_target(draft), *_features(draft), *_rules(draft), *_left_out(draft)]
        )
        + "\n"
    )


def _head(draft: Draft) -> Iterator[str]:
    counts = draft.counts
    yield from comment(
        f"Drafted from {', '.join(draft.files)}: {counts.rows:,} rows, {draft.raw_columns} columns. Every line may be "
        "edited; docs/contract.md lists the keys, docs/own-book.md says what to look at first."
    )
    yield f"description: {scalar(f'{draft.name}: one row per loan, as {draft.files[0]} gives it.')}"
    yield from comment(f"{draft.key_why}{_also(draft.other_keys)}")
    yield f"entity_key: {scalar(draft.key.column.name)}"
    if draft.event:
        yield f"event_date: {scalar(draft.event.column.name)}"
    else:
        yield from comment("No column is the date of the decision, so there is no `event_date`.")
        unread = [repr(item.label) for item in draft.left_out if item.why == UNREAD_DATE]
        if unread:
            yield from comment(f"{', '.join(unread)}: {UNREAD_DATE}; the split would be by hash.")
    if draft.missing != MISSING_MARKERS:
        yield f"missing: {listed(draft.missing, 2)}"
    yield ""


def _columns(draft: Draft) -> Iterator[str]:
    yield from comment("`sql` reads the raw row, where all values are text. Default: the raw column of the same name.")
    yield "columns:"
    first = [draft.key, *([draft.event] if draft.event else [])]
    for item in [*first, *(judged.draft for judged in draft.judged)]:
        yield from _column(item)
    yield ""


def _column(item: DraftColumn) -> Iterator[str]:
    column = item.column
    yield f"  - name: {scalar(column.name)}"
    for line in item.comments:
        yield from comment(line, 4)
    for key in _KEYS:
        yield from _value(column, key)
    if column.allowed is not None:
        yield f"    allowed: {listed(column.allowed, 6)}"
    for key in _LATER:
        yield from _value(column, key)


def _value(column: Column, key: str) -> Iterator[str]:
    value: object = getattr(column, key)
    if value == Column.model_fields[key].default:
        return
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    yield f"    {key}: {scalar(value)}"


def _target(draft: Draft) -> Iterator[str]:
    counts, target = draft.counts, draft.target
    known = counts.defaults + counts.repaid
    yield "target:"
    yield from comment(
        f"{'Guessed' if target.guessed else 'As stated'}: {target.why}. {counts.defaults:,} of {known:,} loans "
        f"defaulted ({counts.base_rate:.2%}), the outcome of {counts.unknown:,} is not known{_also(target.others)}",
        2,
    )
    yield f"  sql: {scalar(target.sql)}"
    yield f"  description: {scalar(target.description)}"
    yield ""


def _features(draft: Draft) -> Iterator[str]:
    yield from comment(
        "`reason` is the text for the applicant: write each in plain words. Set `monotone` (increasing, decreasing) "
        "where the direction is certain. The comments give the observed direction. A monotone feature that divides "
        "also says what it is when the divisor is 0: `when_undefined` (highest_risk, lowest_risk, missing)."
    )
    yield "features:"
    for feature, stats in draft.features:
        yield from _feature(feature, stats)


def _feature(feature: Feature, stats: Statistics) -> Iterator[str]:
    yield f"  - name: {scalar(feature.name)}"
    yield f"    sql: {scalar(feature.sql)}"
    yield f"    description: {scalar(feature.description)}"
    yield f"    reason: {scalar(feature.reason)}"
    if feature.when_undefined is not None:
        yield f"    when_undefined: {feature.when_undefined}"
    if feature.kind == "category":
        yield "    kind: category"
    elif stats.rises is not None and feature.sql == feature.name:
        yield f"    # observed: risk {'rises' if stats.rises else 'falls'} with it, AUC {stats.auc:.2f} alone"


def _rules(draft: Draft) -> Iterator[str]:
    if not draft.proposed:
        return
    yield ""
    yield from comment("Proposed row rules: no row of the file breaks them. To use them, remove `# ` from these lines.")
    yield "# row_rules:"
    for rule in draft.proposed:
        yield f"#   - name: {scalar(rule.name)}"
        yield f"#     sql: {scalar(rule.sql)}"
        yield f"#     message: {scalar(rule.message)}"
        yield f"#     severity: {rule.severity}"


def _left_out(draft: Draft) -> Iterator[str]:
    if not draft.left_out:
        return
    yield ""
    yield from comment("Columns that are not used. They are never copied from the source.")
    for why in dict.fromkeys(item.why for item in draft.left_out):
        labels = ", ".join(repr(item.label) for item in draft.left_out if item.why == why)
        yield from comment(f"- {why}: {labels}")


def _also(others: tuple[str, ...]) -> str:
    return f"; could be too: {', '.join(others[:5])}." if others else "."
