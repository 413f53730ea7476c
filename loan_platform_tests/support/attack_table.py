"""A pytest plugin for `make attack`: each attack's position, what it did before it was defended, and what it does now.

A test names its attack with `@pytest.mark.attack(position, name, before=...)`, and says what it measured with
`record_property("now", "...")`. Positions are those of `docs/security.md`.
"""

from collections.abc import Generator

import pytest

POSITIONS = ("network", "client", "file", "book", "stores", "machine", "pages", "logs", "supply chain")


def attack_of(item: pytest.Item) -> tuple[str, str, str] | None:
    """Position, name and former effect of the attack that a test makes; None if it makes none.

    Raises:
        pytest.UsageError: the mark lacks one of the three, or the position is unknown.
    """
    mark = item.get_closest_marker("attack")
    if mark is None:
        return None
    if len(mark.args) != 2 or set(mark.kwargs) != {"before"} or mark.args[0] not in POSITIONS:
        form = 'attack(position, name, before="...")'
        raise pytest.UsageError(f"{item.nodeid}: write {form} with a position of {', '.join(POSITIONS)}")
    return mark.args[0], mark.args[1], mark.kwargs["before"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    attack = attack_of(item)
    if attack is not None and (report.when == "call" or not report.passed):
        report.user_properties.append(("attack", attack))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line an attack; several tests of one attack share it, and the worst outcome counts."""
    lines: dict[tuple[str, str, str], tuple[str, bool]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            told = dict(report.user_properties)
            if "attack" in told:
                held, earlier = outcome == "passed", lines.get(tuple(told["attack"]))
                now = told.get("now", "held") if held else outcome.upper()
                if earlier is None or not held or (earlier[1] and earlier[0] == "held"):
                    lines[tuple(told["attack"])] = (now, held)
    if not lines:
        return
    terminalreporter.section("attacks")
    rows = [
        ("position", "attack", "before", "now"),
        *((*key, now) for key, (now, _) in sorted(lines.items(), key=rank)),
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    for row in rows:
        terminalreporter.write_line(
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        )
    terminalreporter.write_line(f"{sum(held for _, held in lines.values())} of {len(lines)} attacks are held off.")


def rank(line: tuple[tuple[str, str, str], tuple[str, bool]]) -> tuple[int, str]:
    (position, name, _), _ = line
    return POSITIONS.index(position), name
