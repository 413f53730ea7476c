"""The queries of batch jobs: which columns an upload has; which rows of a job are wanted, and in which form."""

from typing import NamedTuple, Self

from starlette.requests import Request

from bento.batch.output import FORMATS, TABLES
from bento.http.problems import HttpError

DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000
PARTS = ("answers", "refused")
COLUMNS = ("contract", "raw")
PARAMETERS = ("format", "limit", "offset", "part")


class JobQuery(NamedTuple):
    """Which rows of a job to send.

    Attributes:
        part: one of `PARTS`.
        format: of a file with all rows. None: a page of rows.
        offset: rows before the page.
        limit: rows of the page.
    """

    part: str
    format: str | None
    offset: int
    limit: int

    @classmethod
    def from_request(cls, request: Request) -> Self:
        """Read the query and the header Accept.

        Raises:
            HttpError: 422 `unknown_parameter`.
        """
        items = request.query_params.multi_items()
        given = dict(items)
        if set(given) - set(PARAMETERS) or len(given) != len(items):
            detail = f"The parameters are {', '.join(PARAMETERS)}, each at most once."
            raise HttpError(422, "unknown_parameter", detail)
        by_media = {media: name for name, media in FORMATS.items()}
        part = given.get("part", PARTS[0])
        form = given.get("format") or by_media.get(request.headers.get("accept", ""))
        if part not in PARTS or form not in {None, *FORMATS}:
            detail = f"part must be {' or '.join(PARTS)}. format must be one of {', '.join(FORMATS)}."
            raise HttpError(422, "unknown_parameter", detail)
        offset, limit = _whole_number(given.get("offset", "0")), _whole_number(given.get("limit", str(DEFAULT_LIMIT)))
        if not 1 <= limit <= MAX_LIMIT:
            raise HttpError(422, "unknown_parameter", f"limit must be between 1 and {MAX_LIMIT:,}.")
        return cls(part, form, offset, limit)


def columns_from_request(request: Request, media: str) -> str | None:
    """Which columns an uploaded file has, if the client says so.

    Args:
        request: with the query.
        media: type of the body. Only tables may have the lender's own columns.

    Raises:
        HttpError: 422 `unknown_parameter`.
    """
    given = request.query_params.multi_items()
    if any(name != "columns" or value not in COLUMNS for name, value in given) or len(given) > 1:
        raise HttpError(422, "unknown_parameter", f"The only parameter is columns. It must be {' or '.join(COLUMNS)}.")
    columns = given[0][1] if given else None
    if columns == "raw" and media not in TABLES:
        raise HttpError(422, "unknown_parameter", f"columns may be raw only for {' and '.join(TABLES)}.")
    return columns


def _whole_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise HttpError(422, "unknown_parameter", "offset and limit must be whole numbers.")
    return int(text)
