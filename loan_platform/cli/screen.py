"""The summary of a run as one screen of text."""

from collections.abc import Iterator
from typing import Any


def screen(summary: dict[str, Any]) -> str:
    """The figures a person wants first, with where to look further."""
    return "\n".join(["", *_lines(summary), ""])


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    yield f"━━ {summary['book']} " + "━" * 60
    yield from _rows(summary)
    yield from _candidates(summary)
    champion = summary["champion"]
    named = f"version {champion['version']} ({summary['chosen']}, {champion['sha256'][:12]})"
    yield f"Champion     {named}. {champion['why']}"
    yield f"             {summary['choice']}"
    decided = (
        f"{name} {row['share']:.0%} ({row['default_rate']:.1%} defaulted)" for name, row in summary["decisions"].items()
    )
    yield f"Decisions    on the test loans: {', '.join(decided)}"
    if summary["predictions"] is not None:
        yield f"Predictions  {summary['predictions']:,} applications scored"
    for i, batch in enumerate(summary["drift"]):
        found = f"{batch['batch']}  {batch['verdict']:<9}{batch['rows']:>8,} rows  {batch['reason']}"
        yield f"{'Drift' if i == 0 else '':<13}{found}"
    if summary["performance"] is not None:
        yield f"Performance  {summary['performance']['reason']}"
    slowest = sorted(summary["seconds"].items(), key=lambda item: -item[1])
    steps = " · ".join(f"{name} {seconds:.1f}" for name, seconds in slowest)
    yield f"Seconds      {summary['total_seconds']:.0f} in all: {steps}"
    yield f"Memory       {summary['peak_megabytes']:,} MB at its peak"
    yield "Look further"
    yield from (f"  {name:<14} {where}" for name, where in summary["look_further"].items())


def _rows(summary: dict[str, Any]) -> Iterator[str]:
    for i, (source, rows) in enumerate(summary["sources"].items()):
        yield f"{'Sources' if i == 0 else '':<13}{source}: {_counts(rows)}"
    rows = summary["rows"]
    yield f"Rows         {_counts(rows)}"
    if rows["by_reason"]:
        yield " " * 13 + ", ".join(f"{reason} {count:,}" for reason, count in sorted(rows["by_reason"].items()))


def _counts(rows: dict[str, Any]) -> str:
    dropped = f"; {rows['values_dropped']:,} values dropped" if rows["values_dropped"] else ""
    return f"{rows['rows_in']:,} in = {rows['accepted']:,} accepted + {rows['quarantined']:,} quarantined{dropped}"


def _candidates(summary: dict[str, Any]) -> Iterator[str]:
    test = summary["split"]["test"]
    out_of_time = f"out of time ({test['first']} to {test['last']})" if test["first"] else "held back by the hash split"
    yield f"Candidates   on {test['rows']:,} loans {out_of_time}"
    yield "             family                AUC      KS     ECE   AUC on the folds"
    for c in summary["candidates"]:
        mark = "→" if c["family"] == summary["chosen"] else " "
        yield f"           {mark} {c['family']:<18} {c['auc']:.4f}  {c['ks']:.4f}  {c['ece']:.4f}   {c['fold_auc']:.4f}"
    for name, why in summary["not_trained"].items():
        yield f"             {name:<18} not trained: {why}"
