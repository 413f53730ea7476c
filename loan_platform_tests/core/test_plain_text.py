"""Texts of files and books are shown as text: they make no link, element or control sequence."""

import pytest

from loan_platform.core.plain_text import markdown_text, plain_text, without_tags


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Loan amount (USD), 5 % + fees!", "Loan amount (USD), 5 % + fees!"),
        ("Süd\u00a0Ost 北", "Süd Ost 北"),
        ("two\nlines\r\n\tthree", "two lines three"),
        ("red \x1b[31malarm", "red ?[31malarm"),
        ("\u202egnp.exe \u200bzero", "?gnp.exe ?zero"),
    ],
)
def test_what_is_not_seen_is_a_question_mark(text: str, shown: str) -> None:
    assert plain_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a plain text.", "a plain text."),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("[open](javascript:alert(1))", r"\[open\](javascript:alert(1))"),
        ("![x](//evil)", r"!\[x\](//evil)"),
        ("a | b", r"a \| b"),
        ("`code` *bold* \\", r"\`code\` \*bold\* \\"),
        ("R&D", "R&amp;D"),
    ],
)
def test_markdown_of_a_text_is_the_text(text: str, shown: str) -> None:
    assert markdown_text(text) == shown


def test_a_page_of_another_tool_gets_no_tag() -> None:
    assert without_tags("</script><b>x") == "\u2039/script\u203a\u2039b\u203ax"
