"""Routes of the service's document that take no body: the model in force, probes, metrics and the pages."""

from bento.model.champion import Serving
from bento.openapi.errors import KEY, LOCAL, problem_responses
from bento.openapi.parts import JSON, about, content, ok, open_route, text
from bento.openapi.schemas import Schema

ANY = {"application/json": {"schema": {"type": "object"}}}
ASSETS = {
    "/page/page.css": "text/css",
    "/page/page.js": "text/javascript",
    "/page/fields.js": "text/javascript",
    "/page/answer.js": "text/javascript",
}


def service_paths(serving: Serving) -> Schema:
    """The model in force, probes and metrics."""
    plain = text("text/plain")
    always = problem_responses(*LOCAL, serving=serving)
    ready = problem_responses(*LOCAL, "no_model", "ending", "audit_unavailable", serving=serving)
    return {
        "/api/v1/model/info": {
            "get": {
                **about("model_info", "service", "The model in force, and what became of the candidates after it."),
                "responses": {
                    "200": ok("The model.", content("Model")),
                    **problem_responses(*KEY, "no_model", "defect", serving=serving),
                },
            }
        },
        "/schema.json": {
            "get": open_route("schema", "service", "What BentoML's client asks before all else.", ANY, always)
        },
        "/livez": {"get": open_route("livez", "service", "The process lives.", plain, always)},
        "/healthz": {"get": open_route("healthz", "service", "The process lives.", plain, always)},
        "/readyz": {"get": open_route("readyz", "service", "A verified model answers.", content("Ready"), ready)},
        "/metrics": {"get": open_route("metrics", "service", "Prometheus' metrics.", plain, always)},
    }


def page_paths(serving: Serving) -> Schema:
    """The pages and their parts."""
    html = text("text/html")
    thing = {JSON: {"schema": {"type": "object"}}}
    waiting = problem_responses(*LOCAL, "no_model", serving=serving)
    always = problem_responses(*LOCAL, serving=serving)
    no_model = {**always, "503": {"description": "No model answers yet; the page tries again.", "content": html}}
    assets = {
        path: {"get": open_route(path.rpartition("/")[2], "pages", "A part of the pages.", text(media), always)}
        for path, media in ASSETS.items()
    }
    return {
        "/": {"get": open_route("page", "pages", "A form for an application, which shows its answer.", html, always)},
        "/form.json": {"get": open_route("form", "pages", "What the form is made of.", content("Form"), waiting)},
        "/docs": {"get": open_route("docs", "pages", "This document, to read.", html, no_model)},
        "/docs.json": {"get": open_route("docs_json", "pages", "This document.", thing, waiting)},
        **assets,
    }
