"""Small parts that operations of the service's document are made of."""

from typing import Any

from bento.openapi.schemas import Schema

JSON = "application/json"


def about(name: str, tag: str, summary: str) -> Schema:
    """What an operation is called."""
    return {"operationId": name, "tags": [tag], "summary": summary}


def open_route(name: str, tag: str, summary: str, content: Schema, problems: Schema) -> Schema:
    """A route that asks for no key."""
    return {**about(name, tag, summary), "security": [], "responses": {"200": ok(summary, content), **problems}}


def ok(description: str, content: Schema) -> Schema:
    """A response."""
    return {"description": description, "content": content}


def text(media: str) -> Schema:
    """Content that is text."""
    return {media: {"schema": {"type": "string"}}}


def content(schema: str, examples: Schema | None = None) -> dict[str, Any]:
    """Content that is JSON of a named schema."""
    given = {"examples": examples} if examples else {}
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}, **given}}
