"""The page in a real browser: fill, score, slide, keyboard, problems beside their fields, waiting for a model."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from loan_platform_tests.support.bundles import MARKUP, make_ranged_bundle
from loan_platform_tests.support.service.browser import CHROMIUM, Page, browser
from loan_platform_tests.support.service.running import Home, serving
from loan_platform_tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]

SHOWN = "document.querySelector('#main')?.hidden === false && !!document.querySelector('#field-income')"
ANSWERED = "!document.querySelector('#answered').hidden"
SCORE = "document.querySelector('#form button[type=submit]').click()"

WATCH_REQUESTS = """(() => {
    const real = window.fetch;
    window.scored = [];
    window.inFlight = 0;
    window.fetch = (url, options) => {
        window.inFlight += 1;
        if (options?.body) window.scored.push(JSON.parse(options.body).utilisation);
        const read = async (answer) => { await answer.clone().text(); return answer; };
        return real(url, options).then(read).finally(() => setTimeout(() => { window.inFlight -= 1; }));
    };
})()"""
SETTLED = "window.scored.at(-1) === 35 && window.inFlight === 0"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        page.look(1280, 900)
        yield page


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[httpx.Client]:
    with serving(home, LOAN_ENV="development") as client:
        yield client


@pytest.fixture
def page(tab: Page, home: Home, service: httpx.Client) -> Iterator[Page]:
    if service.get("/readyz").status_code == 503:
        home.promote(0.1, make=make_ranged_bundle)
    tab.complaints.clear()
    tab.open(f"{service.base_url}/")
    tab.wait(SHOWN)
    yield tab
    assert tab.complaints == []  # no script failed, and the policy forbade nothing that the page needs


def test_without_a_model_it_says_so_and_tries_again(tab: Page, home: Home, service: httpx.Client) -> None:
    tab.open(f"{service.base_url}/")
    tab.wait("document.querySelector('#notice')?.textContent.includes('tiny_loans has no champion')")
    assert tab.run("document.querySelector('#main').hidden")
    docs = service.get("/docs")
    assert (docs.status_code, docs.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "reloads" in docs.text
    home.promote(0.1, make=make_ranged_bundle)
    tab.wait(SHOWN)
    assert tab.run("document.querySelector('#notice').hidden")


def answer_of(page: Page) -> tuple[str, str]:
    return page.text("#probability"), page.text("#score")


def test_the_form_is_the_contract_s(page: Page, service: httpx.Client) -> None:
    names = page.run("[...document.querySelectorAll('#fields [name]')].map(f => f.name)")
    others = page.run("[...document.querySelectorAll('#more-fields [name]')].map(f => f.name)")
    assert names == ["income", "utilisation", "term", "owner", "opened", "region"]
    assert others == ["loan_id", "employer"]
    assert not page.run("document.querySelector('#more').open")
    assert page.text("label[for=field-income]") == "Yearly income *"
    assert page.text("#field-income-hint") == "income · EUR · 0 to 1,000,000"
    assert page.run("[...document.querySelector('#field-region').options].map(o => o.value)") == [
        "", "north", "Süd", "east",
    ]  # fmt: skip
    ordinary = {field["name"]: field["example"] for field in service.get("/form.json").json()["fields"]}
    assert page.run("document.querySelector('#field-income').value") == f"{ordinary['income']:g}"


def test_a_contract_cannot_put_markup_into_the_pages(page: Page, service: httpx.Client) -> None:
    assert page.text("label[for=field-opened]") == MARKUP
    assert page.run("document.querySelector('#inserted')") is None
    docs = service.get("/docs").text
    assert MARKUP not in docs
    assert "&lt;b id=&#x27;inserted&#x27;&gt;" in docs


def test_fill_and_score_and_see_the_answer_of_the_service(page: Page, service: httpx.Client) -> None:
    page.fill("#field-income", "2000")
    page.fill("#field-utilisation", "39")
    page.run(SCORE)
    page.wait(ANSWERED)
    names = (
        "[...document.querySelectorAll('#fields [name]')].map(f => [f.name, f.type == 'number' ? +f.value : f.value])"
    )
    body: dict[str, Any] = {name: value for name, value in page.run(names) if value != ""}
    body["owner"] = body["owner"] == "true"
    assert (body["income"], body["utilisation"]) == (2000, 39)
    data = service.post("/api/v1/predict?explain=true", json=body).json()["data"]
    assert page.text("#probability") == f"{100 * data['probability']:.2f}%"
    assert page.text("#score") == f"{data['score']:,.1f}"
    assert page.text("#risk") == data["default_risk"]
    assert page.text("#decision") == {"approve": "Approved", "decline": "Declined"}.get(
        data["decision"], "Referred to a person"
    )
    bars = page.run("[...document.querySelectorAll('#reasons .text')].map(b => b.textContent)")
    assert bars == [reason["text"] for reason in data["reasons"]] != []
    page.run("document.querySelector('#reasons-details').open = true")
    rows = page.run("[...document.querySelectorAll('#reasons-table tr')].map(r => r.children[1].textContent)")
    assert rows == [reason["code"] for reason in data["reasons"]]
    page.wait("document.querySelector('#said').textContent.includes('Probability of default')")


def test_a_moving_slider_rescores_and_the_latest_answer_wins(page: Page) -> None:
    page.run(SCORE)
    page.wait(ANSWERED)
    before = answer_of(page)
    page.run(WATCH_REQUESTS)
    slider = "document.querySelector('[type=range][data-of=utilisation]')"
    moves = (
        f"for (const v of [5, 60, 10, 55, 35]) {{ {slider}.value = v; {slider}.dispatchEvent(new Event('input')); }}"
    )
    page.run(f"(() => {{ {moves} }})()")
    page.wait(f"document.querySelector('#probability').innerText != {before[0]!r}")
    assert page.run("document.querySelector('#field-utilisation').value") == "35"
    page.fill("#field-utilisation", "90")  # beyond the slider, within the contract
    assert page.run(f"+{slider}.max") == 90
    page.fill("#field-utilisation", "900")
    assert page.run(f"+{slider}.max") == 90
    page.run("window.scored = []")
    page.fill("#field-utilisation", "35")
    page.wait(SETTLED)  # every earlier request was answered or given up
    page.wait("document.querySelector('#stale').hidden")
    assert "compared with the application that you scored" in page.text("#change")
    page.wait("document.querySelector('#answer').getAttribute('aria-busy') === null")
    settled = answer_of(page)
    page.run(SCORE)  # what is in the fields now
    page.wait("document.querySelector('#change').innerText.trim() == ''")
    assert answer_of(page) == settled != before


def test_it_is_used_with_the_keyboard_alone(page: Page) -> None:
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    visited: list[str] = []
    for _ in range(12):
        page.press("Tab")
        visited.append(page.run("document.activeElement.id || document.activeElement.dataset.of || ''"))
        assert page.run("getComputedStyle(document.activeElement).outlineStyle") != "none", visited
    assert [name for name in visited if name][:4] == ["field-income", "income", "field-utilisation", "utilisation"]
    page.run("document.querySelector('#field-income').focus()")
    page.press("Enter")
    page.wait(ANSWERED)
    before = answer_of(page)
    page.press("Tab")
    page.press("ArrowRight")
    page.wait(f"document.querySelector('#score').innerText != {before[1]!r}")
    said = page.run("document.activeElement.getAttribute('aria-valuetext')")
    assert said.replace(",", "") == page.run("document.querySelector('#field-income').value")


def test_a_problem_stands_beside_its_field(page: Page) -> None:
    page.fill("#field-utilisation", "101")
    page.run("document.querySelector('#field-region').value = ''")
    page.run(SCORE)
    page.wait("document.querySelector('#field-utilisation-problem').innerText.includes('must be at most 100')")
    assert "is required" in page.text("#field-region-problem")
    assert page.run("document.querySelector('#field-utilisation').getAttribute('aria-invalid')") == "true"
    assert page.run("document.activeElement.id") == "field-utilisation"  # the first of the two in the form
    described = page.run("document.querySelector('#field-region').getAttribute('aria-describedby')")
    assert "field-region-problem" in described.split()
    page.fill("#field-utilisation", "50")
    page.run("document.querySelector('#field-region').value = 'east'")
    page.run(SCORE)
    page.wait(ANSWERED)
    assert page.run("document.querySelectorAll('[aria-invalid]').length") == 0


def test_an_example_of_each_risk_is_one_click_away(page: Page) -> None:
    buttons = "[...document.querySelectorAll('#examples button')]"
    assert page.run(f"{buttons}.map(b => b.textContent)") == ["Ordinary", "low risk", "medium risk", "high risk"]
    page.run(SCORE)
    page.wait(ANSWERED)
    for at, risk in ((3, "High"), (1, "Low"), (2, "Medium")):
        page.run(f"{buttons}[{at}].click()")
        page.wait(f"document.querySelector('#risk').innerText == {risk!r}")


def test_every_control_has_a_name(page: Page) -> None:
    unnamed = (
        "[...document.querySelectorAll('input, select, button, summary, a')].filter(c => !(c.labels?.length "
        "|| c.getAttribute('aria-label') || c.textContent.trim())).map(c => c.outerHTML)"
    )
    assert page.run(unnamed) == []


def test_it_is_narrow_where_the_window_is(page: Page) -> None:
    try:
        page.look(360, 740)
        page.run(SCORE)
        page.wait(ANSWERED)
        assert page.run("document.documentElement.scrollWidth - innerWidth") == 0
        assert page.text("#brief").startswith(page.text("#probability"))
    finally:
        page.look(1280, 900)


def test_another_model_is_told_and_asked(page: Page, home: Home, service: httpx.Client) -> None:
    page.run(SCORE)
    page.wait(ANSWERED)
    page.fill("#field-income", "3000")
    _, version = home.promote(0.2, make=make_ranged_bundle)
    until(lambda: service.get("/readyz").json()["model_version"] == version)
    page.run(SCORE)
    page.wait(f"document.querySelector('#notice').innerText.includes('version {version} answers now')")
    assert page.run("document.querySelector('#field-income').value") == "3000"
