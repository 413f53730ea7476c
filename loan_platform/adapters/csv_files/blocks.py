"""Read a CSV file as blocks of whole lines, checked before any parser sees them."""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from loan_platform.core.errors import SourceError

UTF_8 = "utf-8"
CHUNK_BYTES = 1 << 20
MAX_RECORD_BYTES = 1 << 20  # bounds memory for any file content
MAX_VALUE_BYTES = 1 << 14  # of a value that is read; DuckDB works on 2,048 of them at a time
TOO_LONG_VALUE = f"a value is longer than {MAX_VALUE_BYTES:,} bytes"

_PACKED = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"(\xb5/\xfd": "zstandard"}
_EXCEL = (b"\xd0\xcf\x11\xe0", b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")
_UNUSED_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # bytes that stand for nothing in Windows-1252
_DOUBLE_END = re.compile(rb"\r+\n")
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_SAVE_AS = "Save it as CSV in UTF-8, plain or gzip-compressed."


def is_parquet(path: Path) -> bool:
    """Whether the file begins as a Parquet file."""
    return _start(path, 4) == b"PAR1"


def blocks(path: Path, max_bytes: int, encoding: str = UTF_8) -> Iterator[bytes]:
    r"""Blocks of whole lines, in order: uncompressed, without byte order mark, each line ended by one `\n`.

    Line ends may be `\n`, `\r\n`, `\r\r\n` or `\r`, also mixed. A line longer than `MAX_RECORD_BYTES` is cut to a
    length just above it.

    Args:
        path: the file, plain or gzip.
        max_bytes: limit of the uncompressed size.
        encoding: of the text; the blocks are UTF-8 in any case.

    Raises:
        SourceError: the file is empty, damaged, no text, of another encoding, compressed but not with gzip, or too
            large.
    """
    carry = b""
    for index, chunk in enumerate(_utf8_chunks(path, max_bytes, encoding)):
        data = carry + (chunk if index else _checked_text(path, chunk))
        whole = data.rstrip(b"\r")
        held = data[len(whole) :]  # the next chunk may begin with its \n
        data = _unix_lines(whole)
        cut = data.rfind(b"\n") + 1
        if cut:
            yield data[:cut]
        rest = data[cut:]
        carry = (rest[: MAX_RECORD_BYTES + 1] if len(rest) > 2 * MAX_RECORD_BYTES else rest) + held
    if carry:
        yield _unix_lines(carry).removesuffix(b"\n") + b"\n"


def lines(path: Path, max_bytes: int, encoding: str = UTF_8) -> Iterator[bytes]:
    r"""The lines of `blocks`, each without its `\n`.

    Raises:
        SourceError: as `blocks`.
    """
    for block in blocks(path, max_bytes, encoding):
        yield from block.split(b"\n")[:-1]


def _chunks(path: Path, max_bytes: int) -> Iterator[bytes]:
    packed = _start(path, 2) == b"\x1f\x8b"
    size = 0
    try:
        with gzip.open(path, "rb") if packed else path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise SourceError(
                        path.name,
                        f"has more than the allowed {max_bytes:,} bytes" + (" when unpacked" if packed else ""),
                        "Raise `max_bytes` of the source if the size is right.",
                    )
                yield chunk
    except EOFError as error:
        raise SourceError(path.name, "is a gzip file that is cut short", "Copy it again.") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(path.name, "is a damaged gzip file", "Copy it again.") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceError(path.name, f"cannot be read ({reason})", "Check file and rights.") from error
    if size == 0:
        raise SourceError(path.name, "is empty", "Give a file with a header line and rows.")


def likely_encoding(path: Path, max_bytes: int) -> str:
    """The encoding of a CSV file: UTF-16 if it begins so, Windows-1252 if no line beyond ASCII is UTF-8, else UTF-8.

    Raises:
        SourceError: the file cannot be read, or it has no UTF-8 and a line that is no Windows-1252 text either.
    """
    chunks = _chunks(path, max_bytes)
    carry, good = next(chunks), 0
    if carry.startswith((b"\xff\xfe\x00\x00", _WIDE[2])):  # UTF-32
        return UTF_8
    if carry.startswith(_WIDE[:2]) or _looks_utf16(carry[: 1 << 16]):
        return "utf-16"
    bad, neither, number = 0, 0, 0
    while carry:
        cut = carry.rfind(b"\n") + 1
        for place, line in enumerate(carry[: cut or None].split(b"\n"), number + 1):
            if not line.isascii():
                bad, good = (bad, good + 1) if is_utf8(line) else (bad + 1, good)
                neither = neither or (place if _UNUSED_1252.search(line) else 0)
        number += carry[: cut or None].count(b"\n")
        if good:
            return UTF_8
        rest = next(chunks, b"")
        carry = carry[cut:] + rest if cut and rest else rest
    if bad and neither:
        raise SourceError(
            path.name,
            f"line {neither} is text in an unknown encoding, neither UTF-8 nor Windows-1252",
            "Save it as CSV in UTF-8, or state its encoding (ENCODING=latin-1, for example).",
        )
    return "windows-1252" if bad else UTF_8


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8 text."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utf8_chunks(path: Path, max_bytes: int, encoding: str) -> Iterator[bytes]:
    decoder = None
    try:
        for index, chunk in enumerate(_chunks(path, max_bytes)):
            if not index:
                _check_packed(path, chunk)
                decoder = codecs.getincrementaldecoder(_codec(encoding, chunk))() if encoding != UTF_8 else None
            yield decoder.decode(chunk).encode() if decoder else chunk
        if decoder:
            yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise SourceError(path.name, f"is no {encoding} text", "Correct `encoding` of the source.") from error


def _codec(encoding: str, start: bytes) -> str:
    """Python's name; UTF-16 without a byte order mark is told by where its zeros stand."""
    if encoding != "utf-16" or start.startswith(_WIDE[:2]):
        return encoding
    return "utf-16-be" if start[:1] == b"\x00" else "utf-16-le"


def _check_packed(path: Path, chunk: bytes) -> None:
    if chunk.startswith((b"PK\x03\x04", _EXCEL[0])) and any(sign in chunk[:4096] for sign in _EXCEL):
        raise SourceError(
            path.name,
            "is an Excel file: save it as CSV",
            "Choose `CSV UTF-8` under `Save as`, one sheet for each file.",
        )
    for magic, name in _PACKED.items():
        if chunk.startswith(magic):
            raise SourceError(path.name, f"is packed with {name}", "Unpack it, or pack it with gzip.")


def _checked_text(path: Path, chunk: bytes) -> bytes:
    head = chunk[: 1 << 16]
    if head.startswith(_WIDE) or _looks_utf16(head):
        raise SourceError(path.name, "is UTF-16 or UTF-32 text", f"{_SAVE_AS} If it is UTF-16, `encoding` may say so.")
    control = len(head) - len(head.translate(None, bytes(set(range(32)) - set(b"\t\n\r\f"))))
    if control > len(head) / 100:
        raise SourceError(path.name, "is a binary file", _SAVE_AS)
    return chunk.removeprefix(b"\xef\xbb\xbf")


def _looks_utf16(head: bytes) -> bool:
    zeros = sorted((head[::2].count(0), head[1::2].count(0)))
    return zeros[1] > len(head) // 4 and zeros[0] <= len(head) // 100


def _unix_lines(data: bytes) -> bytes:
    if b"\r" not in data:
        return data
    data = data.replace(b"\r\n", b"\n")
    if b"\r\n" in data:  # \r\r\n is one line end that was translated twice
        data = _DOUBLE_END.sub(b"\n", data)
    return data.replace(b"\r", b"\n")


def _start(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SourceError(path.name, f"cannot be read ({reason})", "Check file and rights.") from error
