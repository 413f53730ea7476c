"""Free text and places. A few (invented) values look personal on purpose: a platform must drop them."""

import numpy as np
import polars as pl

from loan_platform.sample_data.lending_club.columns import Bools, Ints
from loan_platform.sample_data.lending_club.draws import pick
from loan_platform.sample_data.lending_club.months import month_number
from loan_platform.sample_data.lending_club.people import NO_EMPLOYMENT, PURPOSES, Applicants

JOBS = (
    "Teacher", "Manager", "Registered Nurse", "Owner", "Driver", "RN", "Supervisor", "Sales",
    "Project Manager", "Engineer", "Office Manager", "General Manager", "Director", "Truck Driver",
    "manager", "teacher", "LPN", "Store Manager", "Operations Manager", "Administrative Assistant",
    "Accountant", "Police Officer", "Analyst", "Mechanic", "Technician", "Electrician", "Attorney",
    "Vice President", "Nurse", "Sales, Marketing", "Cook", "Software Engineer", "Branch Manager",
    "Machine Operator", "Customer Service", "Paralegal", "US Army", "Kaiser Permanente", "Bank of America",
    "United States Postal Service", 'Foreman "B" shift', "Welder",
)  # fmt: skip
PERSONAL_JOBS = (
    "Maria Lindqvist Realty, LLC", "assistant to Dr. Harold Pym", "Owner: John Q. Sample 555-0142",
    "jane.sample@example.com", "O'Brien & Sons (Pat O'Brien)",
)  # fmt: skip
TITLES = {
    "debt_consolidation": "Debt consolidation", "credit_card": "Credit card refinancing", "other": "Other",
    "home_improvement": "Home improvement", "major_purchase": "Major purchase",
    "medical": "Medical expenses", "car": "Car financing", "small_business": "Business",
    "moving": "Moving and relocation", "vacation": "Vacation", "house": "Home buying", "wedding": "Wedding",
    "renewable_energy": "Green loan",
}  # fmt: skip
OWN_TITLES = (
    "consolidation", "Debt Consolidation Loan", "My loan", "payoff", "Freedom", "bills, bills, bills",
    "Consolidate", "Maria's wedding", "loan for John Sample", 'the "big" one', "Credit Card Payoff", "refi",
)  # fmt: skip
DESCRIPTIONS = (
    "  Borrower added on 03/13/13 > Debt Consolidation<br>",
    "  Borrower added on 12/24/12 > My business has been in operation for a year, with two contracts.<br>",
    '  Borrower added on 01/28/14 > I want to pay off my "high" rate cards, then close them.<br>',
    "  Borrower added on 10/31/12 > I wish to pay off my revolving credit &amp; a personal loan.<br>",
    "  Borrower added on 07/02/12 > Call Jane Sample at 555-0117, or write to jane.sample@example.com.<br>",
    "  Borrower added on 05/19/13 > My wife Maria and I live at 12 Elm Street and need a new roof.<br>",
    "  Borrower added on 09/09/13 > Paying off medical bills of my son, $5,200.00 in all.<br>",
    "  Borrower added on 02/11/14 > consolidate<br><br> Borrower added on 02/12/14 > thank you!<br>",
)
DESCRIBED_UNTIL = month_number("2014-06")
OWN_TITLES_UNTIL = month_number("2014-03")
PLACES = {
    "CA": (139, 900, 961), "TX": (83, 750, 799), "NY": (82, 100, 149), "FL": (72, 320, 349),
    "IL": (41, 600, 629), "NJ": (37, 70, 89), "PA": (34, 150, 196), "OH": (33, 430, 458),
    "GA": (33, 300, 319), "VA": (28, 201, 246), "NC": (28, 270, 289), "MI": (26, 480, 499),
    "MD": (24, 206, 219), "AZ": (24, 850, 865), "MA": (23, 10, 27), "CO": (21, 800, 816),
    "WA": (21, 980, 994), "MN": (18, 550, 567), "IN": (17, 460, 479), "MO": (16, 630, 658),
    "TN": (16, 370, 385), "CT": (16, 60, 69), "NV": (15, 889, 898), "WI": (13, 530, 549),
    "AL": (12, 350, 369), "SC": (12, 290, 299), "OR": (12, 970, 979), "LA": (11, 700, 714),
    "KY": (10, 400, 427), "OK": (9, 730, 749), "KS": (8, 660, 679), "AR": (8, 716, 729),
    "UT": (7, 840, 847), "NM": (5, 870, 884), "HI": (5, 967, 968), "MS": (5, 386, 397), "NH": (5, 30, 38),
    "RI": (4, 28, 29), "WV": (4, 247, 268), "NE": (3, 680, 693), "DE": (3, 197, 199), "MT": (3, 590, 599),
    "DC": (2, 200, 205), "AK": (2, 995, 999), "WY": (2, 820, 831), "VT": (2, 50, 59), "SD": (2, 570, 577),
    "ME": (2, 39, 49), "ID": (2, 832, 838), "ND": (2, 580, 588),
}  # fmt: skip
"""State: loans per thousand (public book), first and last three-digit postal prefix."""

Columns = dict[str, pl.Series]


def draw_texts(rng: np.random.Generator, people: Applicants, ids: Ints) -> Columns:
    """Job, title, description, link and place of each applicant."""
    rows = len(ids)
    link = pl.Series("url", ids).cast(pl.String)
    return {
        "emp_title": _jobs(rng, people.emp_length == NO_EMPLOYMENT),
        "title": _titles(rng, people),
        "desc": _optional(rng, DESCRIPTIONS, _share(rng, people.months <= DESCRIBED_UNTIL, 0.45)),
        "url": pl.select(pl.lit("https://lendingclub.com/browse/loanDetail.action?loan_id=") + link).to_series(),
        **_places(rng, rows),
    }


def _jobs(rng: np.random.Generator, none: Bools) -> pl.Series:
    names = (*JOBS, *PERSONAL_JOBS, None)
    usual = np.floor(len(JOBS) * rng.random(len(none)) ** 1.6).astype(np.int64)
    personal = len(JOBS) + rng.integers(0, len(PERSONAL_JOBS), len(none))
    job = np.where(rng.random(len(none)) < 0.01, personal, usual)
    return pl.Series(names).gather(np.where(none, len(names) - 1, job))


def _titles(rng: np.random.Generator, people: Applicants) -> pl.Series:
    names = (*(TITLES[purpose] for purpose in PURPOSES), *OWN_TITLES, None)
    own = _share(rng, people.months <= OWN_TITLES_UNTIL, 0.35)
    written = len(PURPOSES) + rng.integers(0, len(OWN_TITLES), len(own))
    title = np.where(own, written, people.purpose)
    return pl.Series(names).gather(np.where(rng.random(len(own)) < 0.009, len(names) - 1, title))


def _share(rng: np.random.Generator, where: Bools, share: float) -> Bools:
    return where & (rng.random(len(where)) < share)


def _optional(rng: np.random.Generator, names: tuple[str, ...], present: Bools) -> pl.Series:
    chosen = rng.integers(0, len(names), len(present))
    return pl.Series((*names, None)).gather(np.where(present, chosen, len(names)))


def _places(rng: np.random.Generator, rows: int) -> Columns:
    table = np.array(list(PLACES.values()), dtype=np.int64)
    state = pick(rng.random(rows), table[:, 0].astype(np.float64))
    first, last = table[state, 1], table[state, 2]
    prefix = first + np.floor((last - first + 1) * rng.random(rows) ** 1.5).astype(np.int64)
    prefixes = pl.Series([f"{number:03d}xx" for number in range(1000)])
    return {"addr_state": pl.Series(tuple(PLACES)).gather(state), "zip_code": prefixes.gather(prefix)}
