"""Summary of a draft, as one screen of text."""

from collections import Counter
from collections.abc import Iterable, Iterator
from textwrap import wrap

from loan_platform.core.drafting.judging.draft import Draft, describe_reasons
from loan_platform.core.drafting.judging.roles import UNREAD_DATE
from loan_platform.core.drafting.writing.policies_text import granted_share

WIDTH = 108
MARGIN = 13
FLOOR = 0.6
MAX_SHOWN = 5


def screen_text(draft: Draft, files: Iterable[str]) -> str:
    """The screen; `files` are the two files as the reader can open them."""
    return "\n".join(["", *_lines(draft, list(files)), ""])


def _lines(draft: Draft, files: list[str]) -> Iterator[str]:
    counts = draft.counts
    yield f"━━ {draft.name} " + "━" * 60
    broken = f", {counts.broken:,} broken lines" if counts.broken else ""
    yield from _row("Source", f"{', '.join(draft.files)}: {counts.rows:,} rows, {draft.raw_columns} columns{broken}")
    yield from _refused(draft)
    if draft.encoding != "utf-8":
        yield from _row("", f"The text is no UTF-8. It is read as {draft.encoding}: `encoding` in defs.yaml says so")
    yield from _row("Key", f"{draft.key.column.name}. {draft.key_why}")
    for line in draft.key.comments:
        yield from _row("", line)
    event = draft.event
    yield from _row(
        "Date", f"{event.column.name}, {event.comments[0]}" if event else "none: the split is by a hash of the key"
    )
    yield from _doubts(draft)
    yield from _target(draft)
    yield from _columns(draft)
    yield from _codes(draft)
    if draft.proposed:
        shown = ", ".join(rule.sql for rule in draft.proposed)
        yield from _row(
            "Row rules", f"{len(draft.proposed)} proposed as comments: {shown}. No row of the file breaks them"
        )
    yield from _row("Split", draft.policies.split.why)
    if told := draft.policies.split.why_mature_by:
        yield from _row("", f"{told}. So `split.mature_by: {draft.policies.split.policy.mature_by}` is proposed")
    yield from _strength(draft)
    yield from _row("Files", *files)
    yield from _row("Next", f"loan-platform check {draft.name}", f"make demo BOOK={draft.name}")
    yield from _row(
        "", f"or dagster job execute -m loan_platform.definitions -j {draft.name}_pipeline, with DAGSTER_HOME set"
    )


def _refused(draft: Draft) -> Iterator[str]:
    counts = draft.counts
    if not counts.refused:
        return
    share, granted = counts.refused / counts.total, granted_share(counts)
    told = f"{counts.refused:,} of {counts.total:,} rows ({share:.1%}) are quarantined"
    yield from _row("", f"{told}: {describe_reasons(dict(counts.why_refused))}")
    if share > granted:
        yield from _row(
            "", f"MORE THAN {granted:.0%}: the pipeline stops until the file is repaired or quarantine.max_share raised"
        )


def _doubts(draft: Draft) -> Iterator[str]:
    """What the values do not decide, and columns that are called dates and are none."""
    for item in ([draft.event] if draft.event else []) + [judged.draft for judged in draft.judged]:
        for doubt in item.source.reading.doubts if item.source else ():
            yield from _row("", f"{item.column.name}: {doubt}")
    would = "" if draft.event else "; the split would be by hash"
    for item in draft.left_out:
        if item.why == UNREAD_DATE:
            how = "State how it is written: DATE_FORMAT=%Y%m, for example"
            yield from _row("", f"{item.label!r} is {UNREAD_DATE}{would}. {how}")


def _target(draft: Draft) -> Iterator[str]:
    counts, target = draft.counts, draft.target
    known = counts.defaults + counts.repaid
    found = f"{counts.defaults:,} of {known:,} defaulted ({counts.base_rate:.2%})"
    unknown = f", {counts.unknown:,} not known yet" if counts.unknown else ""
    yield from _row("Target", f"{target.description} {found}{unknown}")
    if target.guessed:
        others = f"; {', '.join(target.others[:3])} could be it too" if target.others else ""
        yield from _row("", f"guessed: {target.why}{others}. Say TARGET=... if it is another")
    if target.by_name:
        other = "only the name says which value means default. The other way round"
        yield from _row("", f"{other} {1 - counts.base_rate:.2%} would be defaults")
    if counts.base_rate > 0.5:
        yield from _row("", "MORE THAN HALF DEFAULT: are the two values the wrong way round?")


def _columns(draft: Draft) -> Iterator[str]:
    flags = sum(feature.name.endswith("_missing") for feature, _ in draft.features)
    categories = sum(feature.kind == "category" for feature, _ in draft.features)
    numbers = len(draft.features) - flags - categories
    kinds = ((numbers, "numeric"), (categories, "categorical"), (flags, "whether a value is missing"))
    told = ", ".join(f"{count} {kind}" for count, kind in kinds if count)
    yield from _row("Features", f"{len(draft.features)}: {told}")
    strong = [j for j in draft.judged if j.strong]
    if strong:
        told = ", ".join(f"{j.column.name} (AUC {j.stats.auc:.2f} alone)" for j in strong)
        yield from _row("Strong", f"{told}: make sure that they are known when the lender decides")
    pricing = [j.column.name for j in draft.judged if j.column.available_at == "pricing"]
    for title, told, names in (
        ("Leaks?", "in no model", [j.column.name for j in draft.judged if j.leak]),
        ("Protected", "in no model", [j.column.name for j in draft.judged if j.protected]),
        ("Pricing", "only with use_pricing", pricing),
    ):
        if names:
            yield from _row(title, f"{len(names)}, {told}: {', '.join(names)}")
        if title == "Leaks?":
            yield from _too_good(draft)
    if draft.left_out:
        yield from _row("Left out", f"{len(draft.left_out)}: {_reasons(draft)}")


def _too_good(draft: Draft) -> Iterator[str]:
    """The columns whose values show a leak, with the evidence."""
    found = sorted((item for item in draft.judged if item.leak and item.evidence), key=lambda i: i.leak != i.evidence)
    if not found:
        return
    yield from _row(
        "", "TOO GOOD TO BE TRUE, so in no model. Edit `available_at` if the lender has it when it decides:"
    )
    for item in found[:MAX_SHOWN]:
        yield from _row("", f"- {item.column.name}: {item.evidence}")
    if len(found) > MAX_SHOWN:
        yield from _row("", f"- and {len(found) - MAX_SHOWN} more, see POSSIBLE LEAK in contract.yaml")


def _codes(draft: Draft) -> Iterator[str]:
    """Numbers that stand for a kind of missing value."""
    sources = [item.draft.source for item in draft.judged if item.draft.source]
    found = [f"{c.name} {code.value} ({code.rows / c.rows:.2%})" for c in sources for code in c.reading.codes]
    if found:
        own = sum(source.code is not None for source in sources)
        told = f"special codes: {', '.join(found)}. They are read as missing"
        yield from _row("Codes", told + (f"; {own} with a column of 0 and 1" if own else ""))


def _reasons(draft: Draft) -> str:
    kinds = Counter(item.why.partition(",")[0].partition(":")[0] for item in draft.left_out)
    few = {item.why.partition(",")[0].partition(":")[0]: item.label for item in draft.left_out}
    return "; ".join(f"{count} ({why})" if count > 1 else f"{few[why]!r} ({why})" for why, count in kinds.most_common())


def _strength(draft: Draft) -> Iterator[str]:
    found = draft.policies.strength
    yield from _row(
        "Quick model",
        f"AUC {found.auc:.2f} on loans it had not seen; strongest alone {found.feature} {found.feature_auc:.2f}",
    )
    promotion = draft.policies.promotion
    if found.auc > promotion.auc_ceiling or found.feature_auc > promotion.feature_auc_ceiling:
        carriers = ", ".join(f"{name} (AUC {area:.2f} alone)" for name, area in found.carriers)
        yield from _row(
            "",
            f"TOO GOOD TO BE TRUE: a model above promotion.max_auc ({promotion.max_auc:g}), or with a feature above "
            f"max_feature_auc ({promotion.max_feature_auc:g}), is rejected. Carried by {carriers}",
            "Remove what the lender does not have when it decides, or raise the ceilings with a `reason`",
        )
    if found.auc < FLOOR:
        floor = draft.policies.promotion.min_auc
        yield from _row(
            "", f"These columns say little about the outcome. A model below promotion.min_auc ({floor}) is rejected"
        )


def _row(title: str, *texts: str) -> Iterator[str]:
    for i, text in enumerate(texts):
        lines = wrap(text, WIDTH - MARGIN, break_long_words=False, break_on_hyphens=False)
        for j, line in enumerate(lines):
            yield f"{title if i + j == 0 else '':<{MARGIN}}{line}"
