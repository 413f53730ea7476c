"""Request bodies that are compressed with gzip, unpacked as they arrive."""

import asyncio
import zlib
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from bento.http.problems import HttpError

PART_BYTES = 1 << 18  # of unpacked data that is held at a time
_GZIP = 16 + zlib.MAX_WBITS


def is_packed(headers: Headers) -> bool:
    """Whether the body is compressed with gzip.

    Raises:
        HttpError: 415 `content_encoding`: it has another encoding.
    """
    coding = ",".join(headers.getlist("content-encoding")).strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip"}:
        detail = "Send the body uncompressed, or with Content-Encoding: gzip."
        raise HttpError(415, "content_encoding", detail, headers={"accept-encoding": "gzip, identity"})
    return coding.endswith("gzip")


def unpacked(receive: Receive) -> Receive:
    """The messages of a gzip body with its unpacked bytes, in parts of at most `PART_BYTES`.

    The caller counts the bytes and stops at its limit, so a small body that unpacks to any size costs little. The
    messages can be cancelled while they are awaited.

    Args:
        receive: gives the packed body.
    """
    unpacker, packed = zlib.decompressobj(_GZIP), b""
    more, full, complete = True, False, False

    async def unpacked_message() -> Message:
        nonlocal unpacker, packed, more, full, complete
        while True:
            await asyncio.sleep(0)  # other requests come in between
            if packed or full:
                try:
                    part = unpacker.decompress(packed, PART_BYTES)
                except zlib.error:
                    _refuse()
                full, packed, complete = len(part) == PART_BYTES, unpacker.unconsumed_tail, unpacker.eof
                if complete:  # another gzip member may follow
                    packed, unpacker, full = unpacker.unused_data, zlib.decompressobj(_GZIP), False
                if part:
                    return {"type": "http.request", "body": part, "more_body": True}
            elif more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return message
                packed, more = message.get("body", b""), message.get("more_body", False)
            elif complete:
                return {"type": "http.request", "body": b"", "more_body": False}
            else:
                _refuse()

    return unpacked_message


def _refuse() -> NoReturn:
    raise HttpError(400, "malformed_gzip", "The body is not gzip, or it is cut short.") from None
