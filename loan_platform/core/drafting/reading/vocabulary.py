"""Words in the names of columns, and what they say about a column.

A phrase of several words must stand in the name in this order, side by side. English first, then the commonest
words of German, French, Spanish, Italian, Portuguese and Dutch files.
"""

from collections.abc import Iterable

Words = tuple[str, ...]


def phrases(text: str) -> tuple[Words, ...]:
    """Phrases, parted by commas."""
    return tuple(tuple(phrase.split()) for phrase in text.replace("\n", " ").split(",") if phrase.strip())


def word_set(text: str) -> frozenset[str]:
    """Words, parted by blanks."""
    return frozenset(text.split())


PROTECTED = phrases("""
    sex, gender, male, female, is male, age, ages, birth, birthdate, birthday, dob, born, race, racial, ethnicity,
    ethnic, religion, religious, nationality, national, citizenship, citizen, origin country, country of origin,
    marital, married, marriage, civil status, pregnant, pregnancy, disability, disabled, immigrant, foreign worker,
    veteran, color, colour, sexual orientation, political, union member, geschlecht, alter, geburtsdatum,
    geburtstag, geburtsjahr, nationalitaet, staatsangehoerigkeit, familienstand, religionszugehoerigkeit,
    konfession, herkunft, sexe, genre, naissance, nationalite, etat civil, situation familiale, sexo, genero, edad,
    nacimiento, nacionalidad, estado civil, sesso, genere, eta, nascita, nazionalita, stato civile, idade,
    nascimento, nacionalidade, geslacht, leeftijd, geboortedatum, nationaliteit, burgerlijke staat, personal status
""")

# What a person is called by or found with; it stays in the source.
PERSONAL = phrases("""
    first name, last name, full name, surname, forename, family name, given name, customer name, client name,
    borrower name, applicant name, member name, middle name, name, email, e mail, mail, phone, telephone, mobile,
    cell, fax, address, street, ssn, social security, sin, passport, national id, tax id, tin, iban, bic, account
    number, card number, licence number, license number, ip, ip address, url, website, latitude, longitude, lat,
    lon, employer, employer name, emp title, job title, vorname, nachname, anschrift, adresse, strasse, telefon,
    nom, prenom, nombre, apellido, apellidos, direccion, correo, cognome, indirizzo, nome, sobrenome, endereco,
    naam, adres
""")

# Where somebody lives may stand for a protected attribute.
PLACE = phrases("""
    zip, zip code, zipcode, postcode, postal, postal code, plz, city, town, state, county, province, district,
    region, municipality, neighbourhood, neighborhood, country, pincode, ort, bundesland, stadt, ville, departement,
    ciudad, provincia, cidade, uf, citta, plaats
""")

AFTER = phrases("""
    recovery, recoveries, recovered, settlement, settled, charge off, chargeoff, charged off, chargedoff, write off,
    writeoff, written off, hardship, deferral, payoff, paid off, collection, collections, foreclosure, repossession,
    repossessed, bankruptcy date, total payment, total paid, total received, total rec, amount paid, paid, payment
    received, payments received, payment plan, payments made, payment, payments, outstanding, out principal,
    remaining, late fee, late fees, overdue, past due, days past due, dpd, arrears, days late, lgd, loss given
    default, loss amount, net loss, write offs, closed, closing, closed date, end date, maturity, termination,
    resolution, default date, date of default, cure, rueckzahlung, zahlung, zahlungen, gezahlt, inkasso, mahnung,
    mahnungen, mahnstufe, verwertung, rueckstand, restschuld, erloes, paiement, paiements, recouvrement, impaye,
    impayes, pago, pagos, cobro, cobranza, recuperacion, recuperado, pagamento, pagamenti, recupero, betaling,
    betalingen
""")

AFTER_FIRST_WORDS = frozenset(
    {"last", "next", "final", "letzte", "letzter", "letztes", "naechste", "dernier", "derniere"}
)

# History at the time of the application: `payments late in the last 12 months`.
HISTORY = word_set(
    "since past previous prior before history historical ever earliest oldest ago within avg average mean number "
    "num count nr bureau cb file existing other others external prev vor bisher frueher monthly method mode type "
    "down scheduled planned frequency"
)
TERM_WORDS = word_set("term terms tenor tenure duration nper laufzeit dauer duree plazo prazo durata looptijd")
TIME_WORDS = word_set("m mths months mos month y yrs yr years year d days")

PRICING = phrases("""
    interest rate, int rate, interest, apr, rate of interest, grade, sub grade, subgrade, installment, instalment,
    installments, instalments, monthly payment, monthly instalment, risk grade, credit grade, margin, spread,
    premium, fee, fees, pricing, price band, offer rate, funded, zins, zinssatz, effektivzins, rate pa, taux,
    mensualite, tasa, cuota, tasso, rata
""")

# What a lender looks at before it decides: a strong rank is less suspicious there.
ORDINARY = word_set(
    "income salary balance balances score fico rating debt debts dti utilisation utilization util limit wealth "
    "assets savings einkommen gehalt kontostand schulden revenu salaire solde ingresos saldo"
)

KEY_WORDS = phrases("""
    loan id, loan number, loan no, contract no, contract number, contract id, account id, application id,
    application no, application number, customer id, client id, member id, id, key, index, number, no, nr, nummer,
    code, reference, ref, uuid, guid, identifier, vertragsnummer, vertrag nr, kreditnummer, antragsnummer,
    kundennummer, numero, identifiant, identificador
""")

EVENT_WORDS = phrases("""
    issue, issued, application, applied, decision, decided, approval, approved, origination, originated, booking,
    booked, disbursal, disbursement, disbursed, grant, granted, contract date, loan date, start, opened, open date,
    funded, signing, signed, antrag, antragsdatum, antragstag, abschluss, abschlussdatum, auszahlung,
    auszahlungsdatum, vertragsdatum, vergabe, entscheidung, octroi, demande, decaissement, solicitud, otorgamiento,
    desembolso, concesion, richiesta, erogazione, aanvraag, date, datum, fecha, data
""")

DECIDED = phrases("""
    application, applied, decision, decided, approval, approved, antrag, antragsdatum, antragstag, entscheidung,
    demande, solicitud, richiesta, aanvraag
""")

# What follows the decision, if only by days.
PAID_OUT = phrases("""
    booking, booked, disbursal, disbursement, disbursed, paid out, payout, auszahlung, auszahlungsdatum, decaissement,
    desembolso, erogazione
""")

NOT_EVENT = word_set(
    "birth birthdate birthday dob born earliest oldest first last next final end ended closing closed maturity "
    "due expiry expiration expires until since employment employed hired geburtsdatum naissance nacimiento "
    "nascita ende faelligkeit update updated modified snapshot report reported default settlement payment paid "
    "pull resolution termination"
)

COUNT_WORDS = word_set(
    "num number count nr no n months mths days years inquiries inq accounts accts dependents children enquiries "
    "times anzahl nombre numero"
)

CODE_WORDS = word_set(
    "education type code purpose channel product occupation employment housing home ownership category class "
    "segment status kind reason profession job sector industry verwendungszweck zweck beruf branche region"
)

# `age` of these is no age of a person.
THINGS = word_set("account accounts acct accts acc credit vehicle car loan loans asset property file trade trades line")

PERCENT_WORDS = frozenset({"pct", "percent", "percentage", "apr", "prozent", "pourcentage", "porcentaje"})

# A column with one of these words is a date, unless another word says that it counts or measures something.
DATE_WORDS = word_set("date dates datum fecha dt")
MONTH_WORDS = DATE_WORDS | word_set(
    "data month monat mese mes mois quarter quartal trimestre week period vintage cohort issued originated origination "
    "disbursed booked opened"
)
NO_DATE_WORDS = COUNT_WORDS | word_set(
    "since ago avg average mean within per type method mode frequency up due amount income balance volume score rate "
    "limit value payment payments instalment installment usage quality plan"
)

_UNITS = {
    **dict.fromkeys(("months", "month", "mths", "mth", "monate", "mois", "meses", "mesi", "maanden"), "months"),
    **dict.fromkeys(
        ("years", "year", "yrs", "yr", "age", "jahre", "ans", "annees", "anos", "anni", "alter", "jaren"), "years"
    ),
    **dict.fromkeys(("days", "tage", "jours", "dias", "giorni", "dagen"), "days"),
    **{
        code: code.upper()
        for code in ("usd", "eur", "gbp", "chf", "inr", "jpy", "cny", "sgd", "aud", "cad", "brl", "mxn", "pln")
    },
}
_CURRENCY_WORDS = {"euro": "EUR", "euros": "EUR", "dollar": "USD", "dollars": "USD"}
UNIT_WORDS = {**_UNITS, **_CURRENCY_WORDS}

# Spellings of one word that the phrases above are written without.
SYNONYMS = {
    **dict.fromkeys(("pymnt", "pymnts", "pmt", "pmnt", "pmts", "payement"), "payment"),
    **dict.fromkeys(("prncp", "prin", "princ"), "principal"),
    **{"rcvd": "received", "recov": "recovery", "outst": "outstanding", "mos": "months", "installm": "installment"},
    **{"chg": "charge"},
    **{"writtenoff": "written", "loanid": "id", "appl": "application", "disb": "disbursed", "nbr": "number"},
}


def normal(words: Iterable[str]) -> Words:
    """Words in the spelling of this vocabulary."""
    return tuple(SYNONYMS.get(word, word) for word in words)


def find_phrase(words: Words, vocabulary: tuple[Words, ...]) -> Words | None:
    """The first phrase of the vocabulary that stands in the words, or None."""
    for phrase in vocabulary:
        size = len(phrase)
        if any(words[i : i + size] == phrase for i in range(len(words) - size + 1)):
            return phrase
    return None


def is_called_date(words: Words, vocabulary: frozenset[str] = DATE_WORDS) -> bool:
    """Whether a name says that the column is a date."""
    return bool(set(words) & vocabulary) and not set(words) & NO_DATE_WORDS
