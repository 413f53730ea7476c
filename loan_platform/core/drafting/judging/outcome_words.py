"""What words say about a loan: that it defaulted, that it was repaid, or the contrary of one of them."""

import re
from dataclasses import dataclass

from loan_platform.core.drafting.reading.names import fold

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_PAUSE = r"[ '\u2019-]+"  # other signs begin another clause
_NEGATION = (
    r"(?:not|no|non|never|nor|without|isnt|wasnt|hasnt|free (?:of|from)|kein|keine|keinen|keiner|nicht|nie|niemals|"
    r"ohne|frei von|pas|jamais|sans|sin|nunca|jamas|senza|mai|sem|nao|geen|niet|nooit|zonder)"
)
# Up to three words stand between a negation and what it denies: `not in default`, `never been fully repaid`.
_DENIED = re.compile(rf"\b{_NEGATION}((?:{_PAUSE}(?!of\b|{_NEGATION}\b)\w+){{0,3}}){_PAUSE}$")
_FREE = re.compile(r"^(?:[ -]debts?)?[ -]?(?:free|frei|los)\b")
_GLUED = re.compile(r"\b(non|not|never|nicht|kein)-?(?=default|perform|fully|repaid|paid|bad|good|charged|delinq|ausf)")
_UN = re.compile(r"\bun[ -]?(?=paid|repaid|perform)")
_LATE = re.compile(
    r"\b(?:late|overdue|delay\w*|arrears|past due|verspaetet|zu spaet|retard|tarde|tardi\w*|ritardo|atraso|te laat)\b"
)

_DEFAULT = (
    r"charge[ds]? ?-?off|\w*default(?:s|ed|ers?)?|\bbad\b|\bloss\b|\bwrit(?:e|ten) ?-?off|\bnpl\b|\w*ausfall|"
    r"ausgefallen|\bdefaut|\bimpaye|\bimpago|\bmoroso|\bincumpl|\binadimpl|insolven|wanbetal"
)
_REPAID = (
    r"\bfully ?paid\b|\bpaid ?-?(?:off|back)?\b|\brepaid\b|\brepayed\b|\bgood\b|\bperforming\b|\bpayback\b|"
    r"\b(?:zurueck)?(?:ge|be)zahlt|\bgetilgt|\brembourse(?:e|s|es)?\b|\bpaye\b|\bpagad[oa]\b|\bpagat[oa]\b|"
    r"\bquitad[oa]\b|\bpago\b|\bafgelost|\b(?:terug)?betaald"
)
_BAD, _GOOD = (
    re.compile(rf"{_DEFAULT}|bankrupt|foreclos|\bgekuendigt"),
    re.compile(rf"{_REPAID}|\bprepaid\b|\bcompleted?\b"),
)
_BAD_NAME, _GOOD_NAME = (
    re.compile(rf"{_DEFAULT}|\bdelinquen(?:t|cy)\b|\bdlq(?:in)?\b|\bserious\b"),
    re.compile(rf"{_REPAID}|\brueckzahlung\b"),
)
# Denials of repayment that are a default in a lender's own words.
_UNPAID = re.compile(
    r"\bnon ?-?perform\w*|\b(?:not|never) (?:fully )?(?:re)?paid\b|\bnicht (?:zurueck)?(?:gezahlt|bezahlt)"
)


@dataclass(frozen=True)
class Said:
    """What a text says of a loan; several may hold.

    Attributes:
        bad: it defaulted; `not_bad`: it did not.
        good: it was repaid; `not_good`: it was not.
        late: it was paid late.
    """

    bad: bool
    not_bad: bool
    good: bool
    not_good: bool
    late: bool


def said_by_value(text: str) -> Said:
    """What a value says. `Not paid`, `unpaid` and `non-performing` are a default."""
    plain = plain_words(text)
    return _said(_UNPAID.sub("default", plain), _BAD, _GOOD)


def name_means(text: str) -> str | None:
    """`bad` if a yes in a column of this name means default, `good` if repaid, None if it says neither or both."""
    said = _said(plain_words(text), _BAD_NAME, _GOOD_NAME)
    bad = said.bad or said.not_good or said.late
    good = said.not_bad or (said.good and not said.late)
    if bad == good:
        return None
    return "bad" if bad else "good"


def speaks_of_default(text: str) -> bool:
    """Whether a name has a word for default, denied or not."""
    return _BAD_NAME.search(plain_words(text)) is not None


def speaks_of_repayment(text: str) -> bool:
    """Whether a name has a word for repayment, denied or not."""
    return _GOOD_NAME.search(plain_words(text)) is not None


def number(text: str) -> float | None:
    """The number that a value is, such as `1.0`, or None."""
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


def plain_words(text: str) -> str:
    """The words in lower case without accents; `NotPaid`, `not_paid` and `not.paid` are `not paid`."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.strip())
    joined = re.sub(r"(?<=\w)[._](?=\w)|_", " ", fold(parted))
    return _GLUED.sub(r"\1 ", _UN.sub("not ", " ".join(joined.split())))


def _said(text: str, bad: re.Pattern[str], good: re.Pattern[str]) -> Said:
    every = (bad, good, _LATE)
    defaults, repaid, late = ([_is_denied(text, match, every) for match in words.finditer(text)] for words in every)
    return Said(
        bad=False in defaults,
        not_bad=True in defaults,
        good=False in repaid,
        not_good=True in repaid,
        late=bool(repaid) and False in late,
    )


def _is_denied(text: str, match: re.Match[str], outcomes: tuple[re.Pattern[str], ...]) -> bool:
    """Whether an odd number of negations belong to the word. Those before another outcome belong to that one."""
    before, count = text[: match.start()], 0
    while (found := _DENIED.search(before)) and not any(words.search(found[1]) for words in outcomes):
        count += 1
        before = before[: found.start()]
    return (count + bool(_FREE.search(text[match.end() :]))) % 2 == 1
