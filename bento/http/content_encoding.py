"""Request bodies that are compressed with gzip, unpacked as they arrive."""

import asyncio
import zlib
from typing import NoReturn

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from bento.http.problems import HttpError

PART_BYTES = 1 << 18  # of unpacked data that is held at a time
STEP_BYTES = 1 << 14  # of packed data that is unpacked at a time
MORE_BYTES = 1 << 14  # for headers and padding
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


def packed_limit(limit: int) -> int:
    """Largest size of a gzip body whose unpacked bytes are within a limit. What does not compress grows a little."""
    return limit + limit // 64 + MORE_BYTES


class Unpacked:
    """The messages of a gzip body with its unpacked bytes, in parts of at most `PART_BYTES`.

    The caller counts the packed and the unpacked bytes and stops at its limits, so a small body that unpacks to any
    size costs little. Between two steps of at most `STEP_BYTES` other requests are served. The messages can be
    cancelled while they are awaited.

    Args:
        receive: gives the packed body, and after its end the later messages.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._packed, self._at, self._more = b"", 0, True
        self._unpacker = zlib.decompressobj(_GZIP)
        self._full = self._between = self._ended = False

    async def __call__(self) -> Message:
        """The next message.

        Raises:
            HttpError: 400 `malformed_gzip`.
        """
        while not self._ended:
            await asyncio.sleep(0)  # other requests come in between
            if self._at < len(self._packed) or self._full:
                if part := self._next_part():
                    return {"type": "http.request", "body": part, "more_body": True}
            elif self._more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    return message
                self._packed, self._at, self._more = message.get("body", b""), 0, message.get("more_body", False)
            elif self._between:
                self._ended = True
                return {"type": "http.request", "body": b"", "more_body": False}
            else:
                _refuse()
        return await self._receive()

    def _next_part(self) -> bytes:
        """Unpack a step. The part is empty where the step has only headers, empty blocks or padding."""
        step = self._packed[self._at : self._at + STEP_BYTES]
        if self._between:  # zeros may pad the file, and another gzip member may follow
            begin = step.lstrip(b"\0")
            self._at += len(step) - len(begin)
            if not begin:
                return b""
            self._unpacker, self._between, step = zlib.decompressobj(_GZIP), False, begin
        unpacker = self._unpacker
        try:
            part = unpacker.decompress(step, PART_BYTES)
        except zlib.error:
            _refuse()
        self._between = unpacker.eof
        # At the end of a member both attributes have the same bytes.
        self._at += len(step) - len(unpacker.unused_data if self._between else unpacker.unconsumed_tail)
        self._full = len(part) == PART_BYTES and not self._between
        return part


def _refuse() -> NoReturn:
    raise HttpError(400, "malformed_gzip", "The body is not gzip, or it is cut short.") from None
