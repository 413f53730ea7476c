"""Reads the values of a column as outcomes of loans: defaulted, repaid, or not known yet."""

import re
from dataclasses import dataclass

from loan_platform.core.drafting.reading.vocabulary import Words, word_set

MAX_VALUES = 20  # a column with more is no outcome

_BAD = (
    r"charge[ds]? ?-?off|default|\bbad\b|\bloss\b|writ(e|ten) ?-?off|\bun ?paid|non ?-?perform|\bnpl\b|bankrupt|"
    r"foreclos|"
    r"\b(not|never) (fully )?(re)?paid|\bnot repaid|\bausfall|ausgefallen|nicht (zurueck)?(gezahlt|bezahlt)|"
    r"\bgekuendigt|"
    r"\bdefaut|\bimpaye|\bmoroso|\bincumpl|\binadimpl|insolven|wanbetal"
)
_NOT_BAD = r"\b(no|not|non|never|without)[ -]?(in )?(default|charged|bad|loss|bankrupt)|\bnon?-?default"
_GOOD = (
    r"\bfully paid|\bpaid\b|\bpaid ?-?off|\brepaid|\bprepaid|\bgood\b|\bperforming|\bcompleted?\b|\bno default|"
    r"(zurueck)gezahlt|\bgetilgt|\bzurueckbezahlt|\brembours|\bpagado|\bpagato|\bquitado|\bpago\b|\bafgelost|\bterugbetaald"
)
# A limited repayment is no repayment: whether such a loan defaulted is for the lender to say.
_LIMITED = (
    r"\bpart(ial(ly)?|ly)?\b|\bteil|\bparci|\bpartiel|\bparzial|\bgedeeltelijk|"
    r"\bnot yet\b|\bnoch nicht|\bpas encore|\baun no\b|\bto be (re)?paid|\b(will|shall|should) (be|pay)|\bpromised?\b|"
    r"\bexpected\b|\bpaid by\b|\bguarant|\bbuerg|\bcollateral|\binsur|\bsettled (for|below)|\brestructur|\brenegotiat"
)
_OPEN = (
    r"\bcurrent|\bissued|\blate\b|\bgrace\b|\bopen\b|\bactive|\bin repayment|\bongoing|\brunning|\boutstanding|"
    r"\bpending|"
    r"\bin process|\bdelinquent|\boverdue|\blaufend|\boffen\b|\bactivo|\bvigente|\bin corso|\blopend|\ben cours"
)
_YES = frozenset({"1", "1.0", "y", "yes", "true", "t", "ja", "j", "oui", "o", "si", "s", "sim"})
_NO = frozenset({"0", "0.0", "n", "no", "false", "f", "nein", "non", "nao", "nee"})

_BAD_NAME = word_set(
    "default defaulted defaults bad npl delinquent delinquency dlq dlqin chargeoff chargedoff loss ausfall "
    "ausgefallen defaut impaye impago moroso inadimplencia inadimplente insolvenz nonperforming"
)
_BAD_PHRASES = (
    ("charged", "off"),
    ("charge", "off"),
    ("written", "off"),
    ("write", "off"),
    ("not", "paid"),
    ("serious",),
)
_GOOD_NAME = word_set(
    "repaid paid good performing zurueckgezahlt getilgt rembourse pagado pagato quitado payback repayed rueckzahlung"
)
_NEUTRAL = word_set("target label outcome y class response result flag event ziel zielgroesse cible objetivo")
_STATUS = word_set("status state stand statut estado situacao stato")
_PAST = word_set(
    "previous prior past history file before last ever number num count no nr bureau cb amount rate days ago"
)


@dataclass(frozen=True)
class Outcome:
    """How the values of a column are read.

    Attributes:
        bad: values that mean default; `good`: repaid; `unresolved`: neither, so the outcome is not known.
        score: evidence in name and values that this column is the target; 0 or less means none.
        why: the sentence about it.
    """

    bad: tuple[str, ...]
    good: tuple[str, ...]
    unresolved: tuple[str, ...]
    score: int
    why: str


def read_outcome(words: Words, counts: dict[str, int], named: bool = False) -> Outcome | None:
    """The outcomes in the values of a column, or None if they are unclear.

    Args:
        words: of the column's name.
        counts: rows of each value.
        named: the user says that this column is the target, so a neutral name will do.
    """
    if not 2 <= len(counts) <= MAX_VALUES:
        return None
    low = {value: _plain(value) for value in counts}
    if set(low.values()) <= _YES | _NO:
        return _yes_or_no(words, low, named)
    return _status(words, low, named)


def name_score(words: Words) -> int:
    """How much the name alone speaks for a target; negative: for a history at the time of the application."""
    score = 0
    if set(words) & _BAD_NAME or any(_has(words, phrase) for phrase in _BAD_PHRASES):
        score = 6
    elif set(words) & _NEUTRAL or (set(words) & _GOOD_NAME):
        score = 5
    elif set(words) & _STATUS:
        score = 3
    if score and "next" not in words and set(words) & _PAST:
        score -= 6
    return score


def _yes_or_no(words: Words, low: dict[str, str], named: bool) -> Outcome | None:
    yes = tuple(value for value, text in low.items() if text in _YES)
    no = tuple(value for value, text in low.items() if text in _NO)
    score = name_score(words)
    bad_name = bool(set(words) & _BAD_NAME) or any(_has(words, phrase) for phrase in _BAD_PHRASES)
    if not yes or not no:
        return None
    if not bad_name and set(words) & _GOOD_NAME:
        return Outcome(no, yes, (), score, "its name says that a yes means repaid")
    if bad_name:
        return Outcome(yes, no, (), score, "its name says that a yes means default")
    numeric = {low[value] for value in yes} <= {"1", "1.0"}
    if (score > 0 and numeric) or named:
        return Outcome(yes, no, (), max(score, 1) if named else score, "a yes (1) is taken for default")
    return None


def _status(words: Words, low: dict[str, str], named: bool) -> Outcome | None:
    bad, good, unresolved, unknown, limited = (list[str]() for _ in range(5))
    for value, text in low.items():
        if re.search(_LIMITED, text):
            limited.append(value)
        elif re.search(_BAD, text) and not re.search(_NOT_BAD, text):
            bad.append(value)
        elif re.search(_NOT_BAD, text) or re.search(_GOOD, text):
            good.append(value)
        elif re.search(_OPEN, text):
            unresolved.append(value)
        else:
            unknown.append(value)
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


def _plain(value: str) -> str:
    text = value.strip().lower().translate(str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "é": "e", "ã": "a"}))
    return " ".join(re.sub(r"[_]+", " ", text).split())


def _has(words: Words, phrase: Words) -> bool:
    return any(words[i : i + len(phrase)] == phrase for i in range(len(words)))
