"""Marks of missing values: special codes, and a mark that is a value of another column."""

from pathlib import Path

import polars as pl

from loan_platform.core.features.feature_set import FeatureSet
from loan_platform_tests.support.own_books import drafted

ROWS = 600


def coded(path: Path) -> Path:
    """An income of -999 in every tenth row, months of 9999 in half of them and missing in every seventh."""
    lines = ["loan_id,income,months_since_late,days_late_now,score,status"]
    for i in range(ROWS):
        income = -999 if i % 10 == 3 else 20_000 + i * 7919 % 50_000
        months = "" if i % 7 == 0 else 9999 if i % 2 else i * 31 % 90
        status = "bad" if i * 7 % 10 in (1, 2) else "good"
        lines.append(f"L{i},{income},{months},{-9 if i % 3 else i % 60},{500 + i * 31 % 200},{status}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_special_codes_are_told_and_are_missing(tmp_path: Path) -> None:
    source = coded(tmp_path / "loans.csv")
    found = drafted(source)
    screen, text = " ".join(found.screen.split()), " ".join(found.text.replace("#", "").split())
    assert "special codes: income -999 (10.00%), months_since_late 9999 (42.83%)" in screen
    assert "special codes, apart from all other values: -999 in 10.00% of the rows" in text
    code = 'coalesce(TRY_CAST(trim("income") AS DOUBLE) IN (-999), false)'
    assert found.contract.by_name["income"].sql == f'CASE WHEN NOT ({code}) THEN trim("income") END'
    assert (found.contract.by_name["income"].minimum, found.contract.by_name["months_since_late"].maximum) == (0, 500)
    done = found.staged(source)
    assert done.staged.quarantined == 0
    assert done.accepted["income"].null_count() == 60
    assert done.accepted["income"].min() == 20_000
    assert done.accepted["income_is_minus_999"].sum() == 60
    later = tmp_path / "later.parquet"  # as pandas writes columns with a missing value
    pl.read_csv(source).with_columns(pl.col("income", "months_since_late").cast(pl.Float64)).write_parquet(later)
    pl.read_parquet(later).write_csv(tmp_path / "later.csv")  # -999.0
    for path in (later, tmp_path / "later.csv"):
        again = found.staged(path).accepted
        columns = ["target", *(column.name for column in found.contract.columns)]
        assert again.select(columns).equals(done.accepted.select(columns)), path


def test_a_code_has_a_feature_with_words_of_its_own(tmp_path: Path) -> None:
    found = drafted(coded(tmp_path / "loans.csv"))
    features = {feature.name: feature for feature in found.contract.features}
    code = features["months_since_late_is_9999"]
    assert code.sql == "months_since_late_is_9999"
    assert code.description == "1 where months since late has the special code 9999, 0 elsewhere."
    assert code.reason == "Special code 9999 of months since late"
    column = found.contract.by_name["months_since_late_is_9999"]
    assert column.description == "1 where months_since_late is the special code 9999, 0 elsewhere."
    assert (column.type, column.minimum, column.maximum) == ("integer", 0, 1)
    told = " ".join(found.text.replace("#", "").split())
    assert "A caller of the service sends it: 1 instead of the code, 0 for any other loan" in told
    assert FeatureSet(found.contract).names == tuple(features)


def test_a_code_of_a_leak_is_in_no_model(tmp_path: Path) -> None:
    found = drafted(coded(tmp_path / "loans.csv"))
    assert found.contract.by_name["days_late_now_is_minus_9"].available_at == "after_origination"
    assert "days_late_now_is_minus_9" not in {feature.name for feature in found.contract.features}


def test_codes_in_the_same_rows_have_one_column(tmp_path: Path) -> None:
    source = tmp_path / "loans.csv"
    lines = ["loan_id,cards,mortgages,score,status"]
    for i in range(ROWS):
        cards, mortgages = (-9, -9) if i % 5 == 0 else (i % 13, i * 7 % 12)
        lines.append(f"L{i},{cards},{mortgages},{500 + i * 31 % 200},{'bad' if i * 7 % 10 in (1, 2) else 'good'}")
    source.write_text("\n".join(lines) + "\n")
    found = drafted(source)
    assert "cards_is_minus_9" in found.contract.by_name
    assert "mortgages_is_minus_9" not in found.contract.by_name
    assert "repeats 'cards_is_minus_9' in every row" in found.text


def test_a_key_reads_each_raw_column_once(tmp_path: Path) -> None:
    source = coded(tmp_path / "loans.csv")
    source.write_text("\n".join(line.partition(",")[2] for line in source.read_text().splitlines()) + "\n")
    sql = drafted(source).contract.by_name["loan_id"].sql
    assert sql is not None
    assert sql.count('"months_since_late"') == 1


def test_a_mark_that_is_a_category_elsewhere_stays_one(tmp_path: Path) -> None:
    source = tmp_path / "loans.csv"
    lines = ["loan_id,state_code,income,months_open,status"]
    states = ["NC", "VA", "SC", "TX"]
    for i in range(ROWS):
        income = "NC" if i % 50 == 0 else "?" if i % 50 == 1 else 20_000 + i * 31
        lines.append(f"L{i},{states[i % 4]},{income},{'nd' if i % 9 == 0 else i % 90},{'bad' if i % 6 < 1 else 'good'}")
    source.write_text("\n".join(lines) + "\n")
    found = drafted(source)
    assert {"nd", "?"} <= set(found.contract.missing)
    assert "NC" not in found.contract.missing
    assert found.contract.by_name["income"].sql == """nullif(trim("income"), 'NC')"""
    told = " ".join(found.text.replace("#", "").split())
    assert "'NC' is read as missing in this column alone: it is a value of another column" in told
    done = found.staged(source)
    assert (done.accepted["state_code"].null_count(), done.accepted["income"].null_count()) == (0, 24)
    assert done.staged.nulled == {}


def test_a_mark_that_is_a_state_of_the_target_stays_one(tmp_path: Path) -> None:
    source = tmp_path / "loans.csv"
    lines = [
        "loan_id,income,closing",
        *(f"L{i},{'nc' if i % 40 == 0 else i * 31},{'nc' if i % 6 == 0 else 'cl'}" for i in range(ROWS)),
    ]
    source.write_text("\n".join(lines) + "\n")
    found = drafted(source, target="closing = 'nc'")
    assert "nc" not in found.contract.missing
    assert found.draft.counts.defaults == 100
