"""An HTML page of data quality results: one file without external references and without values of rows."""

from collections.abc import Iterable
from html import escape

from loan_platform.adapters.reports.content_policy import content_policy
from loan_platform.core.plain_text import plain_text
from loan_platform.core.staging.rules import QualityResult, RuleOutcome

_ORDER = {"failed critical": 0, "failed warning": 1, "skipped": 2, "passed": 3}
_LABEL = {"failed critical": "failed", "failed warning": "warning", "skipped": "skipped", "passed": "passed"}

_STYLE = """
:root { color-scheme: light; --ink: #1b2733; --soft: #5b6b7b; --line: #dde3e9; --ok: #0b6e4f;
  --bad: #b3261e; --warn: #8a5a00; --skip: #52606d; }
body { margin: 2rem auto; max-width: 70rem; padding: 0 1.25rem; color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .35rem 0; color: var(--soft); } .verdict { font-size: 1.05rem; color: var(--ink); }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0 0; padding: 0; }
dl div { border: 1px solid var(--line); border-radius: 8px; padding: .5rem 1rem; min-width: 7rem; }
dt { color: var(--soft); font-size: .8rem; } dd { margin: 0; font-size: 1.35rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
thead th { font-size: .8rem; color: var(--soft); border-bottom: 2px solid var(--line); }
tbody th { min-width: 14rem; max-width: 18rem; overflow-wrap: break-word;
  font: 13px/1.5 ui-monospace, Menlo, "DejaVu Sans Mono", monospace; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.status { display: inline-block; min-width: 4.5rem; border-radius: 99px; padding: 0 .6rem; font-size: .85rem;
  text-align: center; color: #fff; background: var(--ok); }
.failed { background: var(--bad); }
.warning { background: var(--warn); } .skipped { background: var(--skip); }
.note { display: block; color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { th, td { padding-right: .4rem; } .hide { display: none; } }
@media print { body { margin: 0; max-width: none; } }
"""


def quality_html(result: QualityResult, title: str) -> str:
    """The page. Failed critical rules come first, then warnings, skipped rules and passed rules.

    Args:
        result: of `run_quality`.
        title: of the page.
    """
    ordered = sorted(result.outcomes, key=lambda outcome: _ORDER[_state(outcome)])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{content_policy()}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_shown(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{_shown(title)}</h1>
<p class="verdict">{_shown(_verdict(result))}</p>
{_tiles(result)}
<h2>Rules</h2>
{_table(ordered)}
<p>The page has no value of any row.</p>
</main>
</body>
</html>
"""


def _state(outcome: RuleOutcome) -> str:
    return f"failed {outcome.rule.severity}" if not outcome.success else outcome.status


def _verdict(result: QualityResult) -> str:
    if critical := len(result.failed("critical")):
        return f"Blocked: {critical} critical {'rule' if critical == 1 else 'rules'} failed."
    if warnings := len(result.failed("warning")):
        return f"Usable, with {warnings} {'warning' if warnings == 1 else 'warnings'}."
    return "Usable: all rules passed."


def _tiles(result: QualityResult) -> str:
    tiles = {
        "Rows": result.rows,
        "Rules": len(result.outcomes),
        "Failed": len(result.failed("critical")),
        "Warnings": len(result.failed("warning")),
        "Skipped": len(result.skipped),
    }
    return "<dl>" + "".join(f"<div><dt>{k}</dt><dd>{v:,}</dd></div>" for k, v in tiles.items()) + "</dl>"


def _table(outcomes: Iterable[RuleOutcome]) -> str:
    rows = "\n".join(_row(outcome) for outcome in outcomes)
    return f"""<table>
<caption>Failed first, then in the order of the contract.</caption>
<thead><tr><th scope="col">Result</th><th scope="col">Rule</th><th scope="col">Requirement</th>
<th scope="col" class="hide">Severity</th><th scope="col" class="number">Failing rows</th>
<th scope="col" class="number">Share</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def _row(outcome: RuleOutcome) -> str:
    label = _LABEL[_state(outcome)]
    note = f'<span class="note">{_shown(outcome.note)}</span>' if outcome.note else ""
    return (
        f'<tr><td><span class="status {label}">{label}</span></td>'
        f'<th scope="row">{_shown(outcome.rule.name).replace("_", "_<wbr>")}</th>'
        f"<td>{_shown(outcome.rule.description)}{note}</td>"
        f'<td class="hide">{outcome.rule.severity}</td>'
        f'<td class="number">{_count(outcome)}</td><td class="number">{_share(outcome)}</td></tr>'
    )


def _shown(text: str) -> str:
    return escape(plain_text(text))


def _count(outcome: RuleOutcome) -> str:
    return "–" if outcome.status == "skipped" else f"{outcome.unexpected_count:,}"  # noqa: RUF001


def _share(outcome: RuleOutcome) -> str:
    if outcome.status == "skipped" or not outcome.unexpected_count:
        return ""
    share = outcome.unexpected_share
    return f"{share:.2%}" if share >= 0.0001 else "< 0.01%"
