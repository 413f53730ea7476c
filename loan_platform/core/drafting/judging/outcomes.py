"""Reads the values of a column as outcomes of loans: defaulted, repaid, or not known yet."""

import re
from dataclasses import dataclass
from itertools import pairwise

from loan_platform.core.drafting.judging.outcome_words import (
    name_means,
    number,
    plain_words,
    said_by_value,
    speaks_of_default,
    speaks_of_repayment,
)
from loan_platform.core.drafting.reading.vocabulary import Words, word_set

MAX_VALUES = 20  # a column with more is no outcome

# A limited repayment is no repayment, and a limited default is no default: the lender says what became of the loan.
_LIMITED = (
    r"\bpart(ial(ly)?|ly)?\b|\bteil|\bparci|\bpartiel|\bparzial|\bgedeeltelijk|"
    r"\bnot yet\b|\bnoch nicht|\bpas encore|\baun no\b|\bto be (re)?paid|\b(will|shall|should) (be|pay)|\bpromised?\b|"
    r"\bno longer\b|\bnot any ?more\b|\bnicht mehr\b|\bya no\b|\bnon piu\b|\bnao mais\b|\bniet meer\b|"
    r"\b(up )?to date\b|\bso far\b|\bbeing\b|\bhalf\b|%|\bpercent|\bprozent|\bshort\b|"
    r"\bpre[ -]+default|\bcured?\b|\bavoided\b|\baverted\b|\brecovered\b|\bnotice\b|\btechnical\b|\bzero\b|"
    r"\bexpected\b|\bpaid by\b|\bguarant|\bbuerg|\bcollateral|\binsur|\bsettled (for|below)|\brestructur|\brenegotiat"
)
_OPEN = (
    r"\bcurrent|\bissued|\blate\b|\bgrace\b|\bopen\b|\bactive|\bin repayment|\bongoing|\brunning|\boutstanding|"
    r"\bpending|"
    r"\bin process|\bdelinquent|\boverdue|\blaufend|\boffen\b|\bactivo|\bvigente|\bin corso|\blopend|\ben cours"
)
_STANDING = re.compile(r"\bstanding\b")  # the loan may be running
_YES = frozenset({"1", "y", "yes", "true", "t", "ja", "j", "oui", "o", "si", "s", "sim"})
_NO = frozenset({"0", "n", "no", "false", "f", "nein", "non", "nao", "nee"})

_NEUTRAL = word_set("target label outcome y class response result flag event ziel zielgroesse cible objetivo")
_STATUS = word_set("status state stand statut estado situacao stato")
_PAST = word_set("previous prior past history file before last ever number num count nr bureau cb amount rate days ago")


@dataclass(frozen=True)
class Outcome:
    """How the values of a column are read.

    Attributes:
        bad: values that mean default; `good`: repaid; `unresolved`: neither, so the outcome is not known.
        score: evidence in name and values that this column is the target; 0 or less means none.
        why: the sentence about it.
        by_name: the values are yes and no, so only the name says which of them means default.
    """

    bad: tuple[str, ...]
    good: tuple[str, ...]
    unresolved: tuple[str, ...]
    score: int
    why: str
    by_name: bool = False


def read_outcome(words: Words, counts: dict[str, int], named: bool = False) -> Outcome | None:
    """The outcomes in the values of a column, or None if they are unclear.

    Args:
        words: of the column's name.
        counts: rows of each value.
        named: the user says that this column is the target, so a neutral name will do.
    """
    if not 2 <= len(counts) <= MAX_VALUES:
        return None
    low = {value: _plain_value(value) for value in counts}
    if set(low.values()) <= _YES | _NO:
        return _yes_or_no(words, low, named)
    return _status(words, low, named)


def name_score(words: Words) -> int:
    """How much the name alone speaks for a target; negative: for a history at the time of the application."""
    score, text = 0, " ".join(words)
    if speaks_of_default(text) or name_means(text) == "bad":
        score = 6
    elif set(words) & _NEUTRAL or speaks_of_repayment(text):
        score = 5
    elif set(words) & _STATUS:
        score = 3
    counts = "no" in words and name_means(text) is None  # `no` is a number or a denial
    if score and "next" not in words and (set(words) & _PAST or counts or ("no", "of") in pairwise(words)):
        score -= 6
    return score


def _plain_value(text: str) -> str:
    """The words of a value. `1.0` is the number 1, and `not.paid` two words."""
    value = number(text)
    return f"{value:g}" if value is not None else plain_words(text)


def _yes_or_no(words: Words, low: dict[str, str], named: bool) -> Outcome | None:
    yes = tuple(value for value, text in low.items() if text in _YES)
    no = tuple(value for value, text in low.items() if text in _NO)
    text, score = " ".join(words), name_score(words)
    means = name_means(text)
    if not yes or not no:
        return None
    if means == "good":
        return Outcome(no, yes, (), score, "its name says that a yes means repaid", by_name=True)
    if means == "bad":
        return Outcome(yes, no, (), score, "its name says that a yes means default", by_name=True)
    if speaks_of_default(text) or speaks_of_repayment(text):
        return None  # both, such as `good_bad`
    numeric = {low[value] for value in yes} == {"1"}
    if (score > 0 and numeric) or named:
        score = max(score, 1) if named else score
        return Outcome(yes, no, (), score, "a yes (1) is taken for default", by_name=True)
    return None


def _status(words: Words, low: dict[str, str], named: bool) -> Outcome | None:
    bad, good, denied, unresolved, unknown, limited = (list[str]() for _ in range(6))
    for value, text in low.items():
        said = said_by_value(text)
        if re.search(_LIMITED, text) or (said.good and said.late):
            limited.append(value)
        elif said.bad:
            bad.append(value)
        elif said.not_good:
            limited.append(value)
        elif said.good and not _STANDING.search(text):
            good.append(value)
        elif said.not_bad or said.good:
            denied.append(value)
        elif re.search(_OPEN, text):
            unresolved.append(value)
        else:
            unknown.append(value)
    # Beside `repaid`, `not in default` and `in good standing` say too little: the loan may be running.
    good, limited = (good, limited + denied) if good else (denied, limited)
    if not bad or not good or ((unknown or limited) and named):
        return None
    if len(unknown) > len(bad) + len(good) + len(unresolved):
        return None
    score = max(name_score(words), 0) + (4 if not unknown else 1)
    why = "its values speak of default and of repayment"
    if limited:
        why += f"; {' and '.join(map(repr, limited))} can mean either, and is taken for not known yet"
    if unresolved or unknown:
        why += "; the other states are taken for outcomes not known yet"
    return Outcome(tuple(bad), tuple(good), (*unresolved, *unknown, *limited), score, why)
