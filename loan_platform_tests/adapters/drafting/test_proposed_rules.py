"""Row rules that a draft proposes as comments."""

from pathlib import Path

import yaml

from loan_platform.core.book.parts.features import RowRule
from loan_platform_tests.support.own_books import drafted


def loans(path: Path, closed: int = 0) -> Path:
    lines = ["loan_id,decision_date,fico_low,fico_high,open_accounts,total_accounts,earliest_credit,status"]
    for i in range(480):
        day = f"202{i % 3}-{1 + i % 12:02}-11"
        cells = (600 + i % 90, 604 + i % 90, i % 7, i % 7 + i % 3 - (i == closed > 0) * 9, f"2009-0{1 + i % 9}-01")
        lines.append(f"A{i},{day},{','.join(map(str, cells))},{'bad' if i * 7 % 10 < 2 else 'good'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_rules_that_no_row_breaks_are_proposed(tmp_path: Path) -> None:
    found = drafted(loans(tmp_path / "loans.csv"))
    wanted = ["fico_low <= fico_high", "open_accounts <= total_accounts", "earliest_credit <= decision_date"]
    assert [rule.sql for rule in found.draft.proposed] == wanted
    assert f"3 proposed as comments: {', '.join(wanted)}" in " ".join(found.screen.split())
    assert found.contract.row_rules == ()
    text = found.text[found.text.index("# row_rules:") :].partition("\n\n")[0]
    rules = yaml.safe_load("\n".join(line.removeprefix("# ") for line in text.splitlines()))["row_rules"]
    assert tuple(map(RowRule.model_validate, rules)) == found.draft.proposed


def test_a_rule_that_a_row_breaks_is_not_proposed(tmp_path: Path) -> None:
    found = drafted(loans(tmp_path / "loans.csv", closed=70))
    assert "open_accounts <= total_accounts" not in [rule.sql for rule in found.draft.proposed]
