"""The summary of a run as one screen of text."""

from collections.abc import Iterator

from loan_platform.cli.summary import RunSummary, StagedRows


def screen(summary: RunSummary) -> str:
    """The figures a person wants first, with where to look further."""
    return "\n".join(["", *_lines(summary), ""])


def _lines(summary: RunSummary) -> Iterator[str]:
    yield f"━━ {summary.book} " + "━" * 60
    yield from _rows(summary)
    yield from _candidates(summary)
    yield from _champion(summary)
    decided = (f"{name} {row.share:.0%} ({row.default_rate:.1%} defaulted)" for name, row in summary.decisions.items())
    yield f"Decisions    on the test loans: {', '.join(decided)}"
    if summary.predictions is not None:
        yield f"Predictions  {summary.predictions:,} applications scored"
    for i, batch in enumerate(summary.drift):
        found = f"{batch.batch}  {batch.verdict:<9}{batch.rows:>8,} rows  {batch.reason}"
        yield f"{'Drift' if i == 0 else '':<13}{found}"
    if summary.performance is not None:
        yield f"Performance  {summary.performance.reason}"
    yield from _costs(summary)
    yield "Look further"
    yield from (f"  {name:<14} {where}" for name, where in summary.look_further.items())


def _rows(summary: RunSummary) -> Iterator[str]:
    for i, (source, rows) in enumerate(summary.sources.items()):
        yield f"{'Sources' if i == 0 else '':<13}{source}: {_counts(rows)}"
    yield f"Rows         {_counts(summary.rows)}"
    reasons = sorted(summary.rows.by_reason.items())
    if reasons:
        yield " " * 13 + ", ".join(f"{reason} {count:,}" for reason, count in reasons)


def _counts(rows: StagedRows) -> str:
    dropped = f"; {rows.values_dropped:,} values dropped" if rows.values_dropped else ""
    return f"{rows.rows_in:,} in = {rows.accepted:,} accepted + {rows.quarantined:,} quarantined{dropped}"


def _candidates(summary: RunSummary) -> Iterator[str]:
    test = summary.split.test
    period = f"out of time ({test.first} to {test.last})" if test.first else "held back by the hash split"
    yield f"Candidates   on {test.rows:,} loans {period}"
    yield "             family                AUC      KS     ECE   AUC on the folds"
    for c in summary.candidates:
        mark = "→" if c.family == summary.chosen else " "
        yield f"           {mark} {c.family:<18} {c.auc:.4f}  {c.ks:.4f}  {c.ece:.4f}   {c.fold_auc:.4f}"
    for name, why in summary.not_trained.items():
        yield f"             {name:<18} not trained: {why}"


def _champion(summary: RunSummary) -> Iterator[str]:
    champion = summary.champion
    if champion.sha256 is None:
        yield f"Champion     none. {champion.why}"
    else:
        named = f"version {champion.version} ({summary.chosen}, {champion.sha256[:12]})"
        yield f"Champion     {named}. {champion.why}"
    yield f"             {summary.choice}"


def _costs(summary: RunSummary) -> Iterator[str]:
    slowest = sorted(summary.seconds.items(), key=lambda item: -item[1])
    steps = " · ".join(f"{name} {seconds:.1f}" for name, seconds in slowest)
    yield f"Seconds      {summary.total_seconds:.0f} in all: {steps}"
    yield f"Memory       {summary.peak_megabytes:,} MB at its peak"
