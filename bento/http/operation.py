"""How the OpenAPI document describes a route: plain data, rendered by `bento.openapi`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True)
class Content:
    """One media type of a request body or of a response.

    Attributes:
        media: the media type.
        schema: name of a component schema, or the schema itself.
        examples: name of the examples in `bento.openapi.examples`. None for no examples.
    """

    media: str
    schema: str | Schema
    examples: str | None = None


@dataclass(frozen=True)
class Operation:
    """One operation of the OpenAPI document.

    Attributes:
        name: the `operationId`.
        tag: the group on the documentation page.
        summary: one sentence.
        result: description of the successful response.
        content: media types of the successful response.
        status: HTTP status of success.
        body: media types of the request body.
        parameters: path and query parameters, as OpenAPI parameter objects.
        codes: problem codes of this operation, beside those that follow from its route.
        other_responses: further responses by status, as OpenAPI response objects.
    """

    name: str
    tag: str
    summary: str
    result: str
    content: tuple[Content, ...] = ()
    status: int = 200
    body: tuple[Content, ...] = ()
    parameters: tuple[Schema, ...] = ()
    codes: tuple[str, ...] = ()
    other_responses: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
