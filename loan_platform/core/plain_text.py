"""Texts from files and books, made safe to show: as plain characters, in Markdown and in pages of other tools."""

import re
import unicodedata

_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ANGLES = str.maketrans({"<": "\u2039", ">": "\u203a"})
_BLANK = re.compile(r"\s+")
# Line ends are blanks. Cc has the escape sequences of terminals, Cf what turns the direction of the text around.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def plain_text(text: str) -> str:
    """The text on one line; characters that are not seen, or move others, are shown as a question mark."""
    if text.isascii() and text.isprintable():
        return text
    shown = _BLANK.sub(" ", text)
    return "".join("?" if unicodedata.category(letter) in _UNSEEN else letter for letter in shown)


def markdown_text(text: str) -> str:
    """The text in Markdown, also in a table: no link, picture, element or format of its own."""
    return _MARKDOWN.sub(r"\\\1", plain_text(text)).translate(_HTML)


def without_tags(text: str) -> str:
    """The text for a page that another tool makes: angle brackets become those of quotations."""
    return plain_text(text).translate(_ANGLES)
