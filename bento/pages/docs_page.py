"""The OpenAPI document as an HTML page without scripts and external assets. All texts are escaped."""

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from loan_platform.core.book.column_types import EXACT

Schema = dict[str, Any]

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>{more}
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page/page.css">
</head>
<body class="docs">
"""
FACETS = ("format", "minItems", "maxItems")


def docs_page(document: Schema) -> str:
    """The page."""
    info, tags = document["info"], document["tags"]
    operations = [(path, method, o) for path, methods in document["paths"].items() for method, o in methods.items()]
    by_tag = {tag["name"]: [each for each in operations if tag["name"] in each[2]["tags"]] for tag in tags}
    contents = "".join(
        f"<li>{escape(name)}<ul>{''.join(_render_link(*each) for each in found)}</ul></li>"
        for name, found in by_tag.items()
    )
    sections = "".join(
        f"<h2>{escape(tag['name'].capitalize())}</h2><p>{escape(tag['description'])}</p>"
        + "".join(_render_operation(*each, document) for each in by_tag[tag["name"]])
        for tag in tags
    )
    schemas = "".join(_render_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    paragraphs = "".join(f"<p>{_render_text(text)}</p>" for text in info["description"].split("\n\n"))
    return f"""{HEAD.format(title=escape(info["title"]), more="")}<a class="skip" href="#main">Skip to the routes</a>
<header class="top"><div><h1>{escape(info["title"])}</h1>
<p class="quiet">API of model version {escape(info["version"])} · OpenAPI {escape(document["openapi"])}</p></div>
<nav aria-label="Pages"><a href="./">Form</a> <a href="docs.json">docs.json</a></nav></header>
<div class="columns"><nav class="contents" aria-label="Routes"><ul>{contents}
<li><a href="#schemas">Schemas</a></li></ul></nav>
<main id="main">{paragraphs}{sections}<h2 id="schemas">Schemas</h2>{schemas}</main></div></body></html>
"""


def no_model_page(portfolio: str) -> str:
    """The page while there is no model. It reloads itself."""
    head = HEAD.format(title=f"Loan service: {escape(portfolio)}", more='\n<meta http-equiv="refresh" content="5">')
    text = "No model is available yet: train and promote one. This page reloads every five seconds."
    return f"{head}<main><h1>Loan service: {escape(portfolio)}</h1><p>{text}</p></main></body></html>\n"


def _render_link(path: str, method: str, operation: Schema) -> str:
    name, shown = escape(operation["operationId"]), _render_method(method)
    return f'<li><a href="#{name}">{shown} <code>{escape(path)}</code></a></li>'


def _render_method(method: str) -> str:
    return f'<span class="method {escape(method)}">{escape(method.upper())}</span>'


def _render_operation(path: str, method: str, operation: Schema, document: Schema) -> str:
    key = "" if operation.get("security") == [] else " Requires an API key."
    parts = [
        f'<section class="card" id="{escape(operation["operationId"])}">'
        f"<h3>{_render_method(method)} <code>{escape(path)}</code></h3>",
        f"<p>{_render_text(operation['summary'])}{key}</p>",
    ]
    if parameters := operation.get("parameters"):
        rows = "".join(
            f"<tr><td><code>{escape(p['name'])}</code></td><td>{_render_type(p['schema'])}</td>"
            f"<td>{_render_text(p['description'])}</td></tr>"
            for p in parameters
        )
        parts.append(_render_table("Parameters", ("name", "type", "description"), rows))
    if "requestBody" in operation:
        parts += ["<h4>Request</h4>", *_render_content(operation["requestBody"]["content"])]
        parts.append(_render_curl(path, operation))
    good = {status: r for status, r in operation["responses"].items() if status.startswith("2")}
    bad = {status: r for status, r in operation["responses"].items() if status not in good}
    for status, response in good.items():
        parts += [
            f"<h4>{escape(status)}: {_render_text(response['description'])}</h4>",
            *_render_content(response.get("content", {})),
        ]
    if bad:
        rows = "".join(
            f"<tr><td>{escape(status)}</td><td>{_render_text(r['description'])}{''.join(_render_examples(r['content']))}</td></tr>"
            for status, r in bad.items()
        )
        parts.append(_render_table("Errors", ("status", "description"), rows))
    return "".join([*parts, "</section>"])


def _render_content(content: Schema) -> Iterator[str]:
    for media, about in content.items():
        schema = about["schema"]
        name = schema.get("$ref", "").rpartition("/")[2]
        link = f', <a href="#schema-{escape(name)}">{escape(name)}</a>' if name else ""
        yield f"<p><code>{escape(media)}</code>{link}</p>"
    yield from _render_examples(content)


def _render_examples(content: Schema) -> Iterator[str]:
    for about in content.values():
        for example in about.get("examples", {}).values():
            value = example["value"]
            rendered = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            yield f"<details><summary>Example: {escape(example['summary'])}</summary>{_render_code(rendered)}</details>"


def _render_curl(path: str, operation: Schema) -> str:
    about = operation["requestBody"]["content"].get("application/json", {})
    values = [example["value"] for example in about.get("examples", {}).values()]
    if not values:
        return ""
    body = json.dumps(values[0], ensure_ascii=False).replace("'", "'\\''")
    command = f"curl -s -H \"X-API-Key: $KEY\" -H 'Content-Type: application/json' \\\n  -d '{body}' \\\n  http://127.0.0.1:8000{path}"
    return f"<details><summary>As a curl command</summary>{_render_code(command)}</details>"


def _render_code(text: str) -> str:
    return f'<pre tabindex="0">{escape(text)}</pre>'


def _render_schema(name: str, schema: Schema) -> str:
    parts = [f'<section class="card" id="schema-{escape(name)}"><h3>{escape(name)}</h3>']
    if about := schema.get("description"):
        parts.append(f"<p>{_render_text(about)}</p>")
    rows = "".join(_field_rows(schema))
    heads = ("field", "type", "range", "description")
    parts.append(_render_table(f"Fields of {name}", heads, rows))
    return "".join([*parts, "</section>"])


def _field_rows(schema: Schema, prefix: str = "") -> Iterator[str]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        notes = [field.get("description", "")]
        if field.get("x-read-by-model") is False:
            notes.append("The current model does not use it.")
        star = ' <span class="required">required</span>' if name in required else ""
        yield (
            f"<tr><td><code>{escape(prefix + name)}</code>{star}</td><td>{_render_type(field)}</td>"
            f"<td>{_render_range(field)}</td><td>{_render_text(' '.join(notes).strip())}</td></tr>"
        )
        inner = field.get("items", field)
        if isinstance(inner, dict) and inner.get("properties"):
            yield from _field_rows(inner, f"{prefix}{name}{'[]' if 'items' in field else ''}.")


def _render_type(field: Schema) -> str:
    if "anyOf" in field:
        return " or ".join(_render_type(each) for each in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    if "const" in field:
        return f"<code>{escape(json.dumps(field['const']))}</code>"
    kind = field.get("type", "any")
    kinds = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return f"list of {_render_type(field['items'])}" if kind == "array" and "items" in field else escape(kinds)


def _render_range(field: Schema) -> str:
    words = [word for word in field.get("enum", ()) if word is not None]
    if words:
        return ", ".join(f"<code>{escape(str(word))}</code>" for word in words)
    low, high = field.get("minimum"), field.get("maximum")
    parts = [f"{_render_number(low)} to {_render_number(high)}"] if low is not None and high is not None else []
    if not parts and (low is not None or high is not None):
        parts = [f"from {_render_number(low)}" if low is not None else f"to {_render_number(high)}"]
    parts += [f"{name} <code>{escape(str(field[name]))}</code>" for name in FACETS if name in field]
    return ", ".join(parts)


def _render_number(value: float | None) -> str:
    return (
        ""
        if value is None
        else "2⁵³"
        if value == EXACT
        else "\N{MINUS SIGN}2⁵³"
        if value == -EXACT
        else f"{value:,.12g}"
    )


def _render_table(caption: str, heads: tuple[str, ...], rows: str) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _render_text(text: str) -> str:
    """Escaped text. Words in backticks become code."""
    pieces = escape(text).split("`")
    return "".join(
        f"<code>{piece}</code>" if i % 2 and i < len(pieces) - 1 else piece for i, piece in enumerate(pieces)
    )
