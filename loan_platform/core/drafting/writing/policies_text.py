"""Text of the drafted `defs.yaml`. Comments give the figures behind each policy."""

from collections.abc import Iterator

from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.book.policies import QuarantinePolicy
from loan_platform.core.drafting.judging.draft import Counts, Draft
from loan_platform.core.drafting.writing.yaml_text import comment, listed, scalar

MAX_SHARE = 0.1  # of rows that a drafted policy lets go
COMPONENT = "loan_platform.assets.loan_portfolio.LoanPortfolio"


def policies_text(draft: Draft) -> str:
    """The whole file."""
    lines = [
        *comment(f"{draft.name}: drafted from {', '.join(draft.files)}."),
        f"type: {COMPONENT}",
        "attributes:",
        *_sources(draft),
        *_split(draft),
        *_training(draft),
        *_promotion(draft),
        *_partitions(draft),
    ]
    return "\n".join(lines) + "\n"


def _sources(draft: Draft) -> Iterator[str]:
    variable = draft.name.upper()
    yield "  sources:"
    yield from comment(f"Overridden by {variable}_LOANS and {variable}_APPLICATIONS.", 4)
    path = [f"      path: {scalar(draft.source)}"]
    if draft.encoding != "utf-8":
        path.append(f"      encoding: {draft.encoding}")
    yield from ("    loans:", *path)
    yield from comment("Replace it by a file of new applications. Until then the loans themselves are scored.", 4)
    yield from ("    applications:", *path)
    counts = draft.counts
    yield "  quarantine:"
    yield from comment(f"{counts.refused:,} of {counts.total:,} rows are quarantined by this contract.", 4)
    if counts.refused > MAX_SHARE * counts.total:
        yield from comment("More than max_share allows: repair the file, or raise max_share if that is right.", 4)
    yield f"    max_share: {granted_share(counts):g}"


def granted_share(counts: Counts) -> float:
    """Half more than what was seen, within limits: a draft does not open the gate to whatever a file holds."""
    wanted = round(1.5 * counts.refused / counts.total + 0.005, 2)
    return min(MAX_SHARE, max(QuarantinePolicy().max_share, wanted))


def _split(draft: Draft) -> Iterator[str]:
    chosen = draft.policies.split
    parts = "; ".join(
        f"{name} {part.rows:,} loans, {part.defaults:,} defaults" for name, part in chosen.rows.parts.items()
    )
    yield "  split:"
    yield from comment(f"{chosen.why[:1].upper()}{chosen.why[1:]}. {parts}.", 4)
    out_of_time = chosen.policy.kind == "out_of_time"
    keys = (
        ("test_months", "calibration_months", "folds", "min_resolved")
        if out_of_time
        else ("test_share", "calibration_share", "folds")
    )
    yield from _values(chosen.policy, ("kind", *keys))
    if chosen.why_mature_by:
        yield from comment(f"{chosen.why_mature_by[:1].upper()}{chosen.why_mature_by[1:]}.", 4)
        yield from _values(chosen.policy, ("mature_by",))


def _training(draft: Draft) -> Iterator[str]:
    training = draft.policies.training
    yield "  training:"
    yield f"    families: {listed(training.families, 6)}"
    yield from _values(training, ("trials", "tuning_rows", "use_pricing"))


def _promotion(draft: Draft) -> Iterator[str]:
    found, promotion = draft.policies.strength, draft.policies.promotion
    yield "  promotion:"
    yield from comment(
        f"A quick model reached an AUC of {found.auc:.2f}, {found.feature} alone {found.feature_auc:.2f}. "
        "Above max_auc or max_feature_auc a model is rejected as a leak, whatever the draft saw. To raise them, write "
        "under `reason` why the strong columns are known when the lender decides. Lower them when you know the usual "
        "values of these loans.",
        4,
    )
    yield from _values(promotion, ("min_auc", "max_auc", "max_feature_auc", "max_ece"))


def _partitions(draft: Draft) -> Iterator[str]:
    partitions = draft.policies.partitions
    yield "  partitions:"
    yield f"    every: {scalar(partitions.every)}"
    if partitions.every != "none":
        yield f"    start: {partitions.start}"


def _values(policy: Strict, keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        value = getattr(policy, key)
        yield f"    {key}: {scalar(value)}"
