"""Which values of a column mean default: by their own words, or by the column's name."""

import duckdb
import pytest

from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.drafting.judging.outcomes import Outcome, read_outcome
from loan_platform.core.drafting.judging.target import guess_target, target_from_column
from loan_platform.core.drafting.reading.names import split_words

NO_AND_YES = {"0": 840, "1": 160}


def read(name: str, *values: str) -> Outcome | None:
    return read_outcome(split_words(name), dict.fromkeys(values, 10))


@pytest.mark.parametrize(
    "name",
    [
        *("default", "not.fully.paid", "non_performing", "nonperforming", "not_repaid", "never_paid", "not_good"),
        *("paid_late", "paid_overdue", "repaid_with_delay", "unpaid", "notFullyPaid", "never_been_fully_repaid"),
        *("nicht_zurueckgezahlt", "non_rembourse", "no_pagado", "nao_pago", "niet_terugbetaald", "not_paid_on_time"),
        *("SeriousDlqin2yrs", "kreditausfall", "charged_off", "not_in_good_standing", "not_default_free"),
    ],
)
def test_a_yes_under_this_name_means_default(name: str) -> None:
    found = read(name, "0", "1")
    assert found is not None
    assert (found.bad, found.good, found.by_name) == (("1",), ("0",), True)
    assert found.score > 0


@pytest.mark.parametrize(
    "name",
    [
        *("repaid", "not_default", "non_default", "nondefault", "kein_ausfall", "default_free", "bad_debt_free"),
        *("no_default", "never_defaulted", "without_loss", "sans_defaut", "sin_impago", "ausfallfrei", "not_bad"),
        *("not_unpaid", "not_non_performing", "paid_on_time", "paid_not_late", "free_of_default", "not_charged_off"),
        *("ohne_zahlungsausfall", "zonder_wanbetaling", "paid_back", "never_late_paid"),
    ],
)
def test_a_yes_under_this_name_means_repaid(name: str) -> None:
    found = read(name, "0", "1")
    assert found is not None
    assert (found.bad, found.good, found.by_name) == (("0",), ("1",), True)
    assert found.score > 0


@pytest.mark.parametrize("name", ["good_bad", "paid_or_default", "bad_repaid"])
def test_a_name_that_says_both_decides_nothing(name: str) -> None:
    assert read(name, "0", "1") is None
    with pytest.raises(DraftError, match="not plain which of them mean default"):
        target_from_column(name, NO_AND_YES, 2, name)


@pytest.mark.parametrize("name", ["no_of_defaults", "prior_default", "bankruptcy", "completed"])
def test_a_count_or_a_history_is_no_outcome(name: str) -> None:
    found = read(name, "0", "1")
    assert found is None or found.score <= 0


@pytest.mark.parametrize(
    "value",
    [
        *("Not performing", "Not completed", "Not good", "No longer paid", "non remboursé", "no pagado"),
        *("nicht getilgt", "nicht mehr bezahlt", "Never been fully completed", "Paid late", "No longer in default"),
        *("not in default", "kein Ausfall", "nao quitado", "niet afgelost", "In good standing", "Good standing"),
        *("Paid to date", "Paid up to date", "Being paid", "Half paid", "Paid 50%", "Repaid short", "Default cured"),
        *("Default avoided", "Bad debt recovered", "Pre-default", "Default notice", "Technical default", "Zero loss"),
    ],
)
def test_a_denied_state_beside_others_is_told_and_not_known(value: str) -> None:
    found = read("status", "Defaulted", "Repaid", value)
    assert found is not None
    assert (found.bad, found.good, found.unresolved) == (("Defaulted",), ("Repaid",), (value,))
    assert f"{value!r} can mean either" in found.why


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("Ausfall", "kein Ausfall"),
        ("in default", "not in default"),
        ("Unpaid", "Paid"),
        ("NotPaid", "FullyPaid"),
        ("non-performing", "performing"),
        ("nicht zurückgezahlt", "zurückgezahlt"),
        ("nicht gezahlt", "gezahlt"),
        ("Status: Charged Off", "Does not meet the policy. Status:Fully Paid"),
    ],
)
def test_two_states_that_are_opposites(bad: str, good: str) -> None:
    found = read("status", bad, good)
    assert found is not None
    assert (found.bad, found.good, found.by_name) == ((bad,), (good,), False)


def test_the_number_1_is_a_yes_in_every_spelling() -> None:
    found = read_outcome(("default",), {"1.0": 100, "0.0": 900})
    assert found is not None
    assert (found.bad, found.good) == (("1.0",), ("0.0",))
    target = target_from_column("default", {"1": 100, "0": 900}, 2, "default").sql
    assert outcomes_of(target, "default", ["1.0", "0.0", " 1 ", "0", "", None, "2", "x"]) == [
        1,
        0,
        1,
        0,
        None,
        None,
        -1,
        -1,
    ]


def test_a_state_that_the_draft_did_not_see_is_no_open_outcome() -> None:
    found = target_from_column("s", {"Charged Off": 100, "Fully Paid": 900, "Current": 50}, 3, "s")
    assert found.description == "s is 'Charged Off'; repaid: 'Fully Paid'; not known yet: 'Current'."
    values = ["charged off", "FULLY PAID ", "current", "Sold", None]
    assert outcomes_of(found.sql, "s", values) == [1, 0, None, -1, None]


def outcomes_of(sql: str, name: str, values: list[str | None]) -> list[int | None]:
    rows = duckdb.execute(f'SELECT {sql} FROM (SELECT unnest(?::VARCHAR[]) AS "{name}")', [values]).fetchall()
    return [row[0] for row in rows]


def test_a_rate_above_half_by_the_name_alone_is_asked() -> None:
    with pytest.raises(DraftError) as asked:
        guess_target({"fully paid": NO_AND_YES}, {"fully paid": "Fully Paid"})
    assert "its name says that a yes means repaid" in str(asked.value)
    assert """TARGET="\\"fully paid\\" = '0'" (84.0%) or TARGET="\\"fully paid\\" = '1'" (16.0%)""" in str(asked.value)
    with pytest.raises(DraftError, match=r"The other way round it is 16\.0%"):
        target_from_column("fully_paid", NO_AND_YES, 2, "fully_paid")
    assert guess_target({"default": NO_AND_YES}, {"default": "default"}).by_name


@pytest.mark.parametrize(
    ("name", "bad", "good", "unresolved"),
    [
        ("Defaulted?", ["1"], ["0"], []),
        ("paid_back", ["no"], ["yes"], []),
        ("loan_status", ["Charged Off", "Default"], ["Fully Paid"], ["Current", "Late (31-120 days)"]),
        ("Risk", ["bad"], ["good"], []),
        ("status", ["not paid"], ["paid"], []),
        ("status", ["in default"], ["not in default"], []),
        ("Kreditstatus", ["ausgefallen"], ["getilgt"], ["laufend"]),
    ],
)
def test_outcomes(name: str, bad: list[str], good: list[str], unresolved: list[str]) -> None:
    found = read_outcome(split_words(name), dict.fromkeys([*bad, *good, *unresolved], 10))
    assert found is not None
    assert found.score > 0
    assert (list(found.bad), list(found.good), list(found.unresolved)) == (bad, good, unresolved)


@pytest.mark.parametrize("name", ["cb_person_default_on_file", "previous_defaults", "employed", "has_phone"])
def test_a_history_or_a_plain_flag_is_no_outcome(name: str) -> None:
    found = read_outcome(split_words(name), {"Y": 10, "N": 10})
    assert found is None or found.score <= 0


def test_a_code_of_one_and_two_is_no_outcome() -> None:
    assert read_outcome(("class",), {"1": 700, "2": 300}, named=True) is None


@pytest.mark.parametrize(
    "word",
    [
        *("Partially Paid", "partial payment", "Part paid", "Not yet paid", "To be repaid", "Will be paid"),
        *("Paid by guarantor", "Paid by insurer", "teilweise bezahlt", "Restructured, paid"),
    ],
)
def test_a_limited_repayment_is_told_and_is_not_repaid(word: str):
    counts = {"Defaulted": 100, "Repaid": 700, word: 60}
    found = read_outcome(("loan", "status"), counts)
    assert found is not None
    assert (found.bad, found.good, found.unresolved) == (("Defaulted",), ("Repaid",), (word,))
    assert f"{word!r} can mean either" in found.why
    assert read_outcome(("loan", "status"), counts, named=True) is None  # then the person is asked
