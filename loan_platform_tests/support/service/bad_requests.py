"""Requests that cannot be answered, each with the status and the code of its problem."""

from typing import Any


def post(
    content: bytes, media: str = "application/json", path: str = "/api/v1/predict", **headers: str
) -> dict[str, Any]:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"method": "POST", "url": path, "content": content, "headers": {"content-type": media, **more}}


BAD = {
    "unknown_path": ({"method": "GET", "url": "/admin"}, 404, "unknown_path"),
    "wrong_method": ({"method": "GET", "url": "/predict"}, 405, "method_not_allowed"),
    "no_media": ({"method": "POST", "url": "/predict", "content": b"{}"}, 415, "media_type"),
    "form_media": (post(b"a=1", "application/x-www-form-urlencoded"), 415, "media_type"),
    "multipart": (post(b"--x\r\n", "multipart/form-data; boundary=x"), 415, "media_type"),
    "encoding": (post(b"{}", content_encoding="br"), 415, "content_encoding"),
    "no_gzip": (post(b"{}", content_encoding="gzip"), 400, "malformed_gzip"),
    "empty": (post(b""), 400, "malformed_json"),
    "half_a_letter": (post(b'{"income": 1, "region": "\\ud800"}'), 422, "invalid_application"),
    "half_a_letter_in_rows": (
        post(b'{"instances": [{"income": 1, "region": "\\ud800"}]}', path="/invocations"),
        422,
        "invalid_application",
    ),
    "rows_without_income": (post(b'{"instances": [{}]}', path="/invocations"), 422, "invalid_application"),
    "columns_twice": (
        post(b'{"dataframe_split": {"columns": ["income", "income"], "data": [[1, 2]]}}', path="/invocations"),
        422,
        "unknown_form",
    ),
    "cut": (post(b'{"income": 1'), 400, "malformed_json"),
    "latin": (post('{"region": "Süd"}'.encode("latin-1")), 400, "malformed_json"),
    "deep": (post(b"[" * 60_000), 422, "too_deep"),
    "deep_rows": (post(b'{"a":' * 100_000, path="/invocations"), 422, "too_deep"),
    "long_number": (post(b'{"income": ' + b"9" * 5_000 + b"}"), 400, "malformed_json"),
    "list": (post(b"[1, 2]"), 422, "not_an_object"),
    "nan": (post(b'{"income": NaN}'), 422, "not_finite"),
    "twice": (post(b'{"income": 1, "income": 2}'), 422, "duplicate_field"),
    "too_large": (post(b'{"income": 1}' + b" " * 70_000), 413, "too_large"),
    "infinite": (post(b'{"income": 1e400}'), 422, "invalid_application"),
    "parameter": (post(b'{"income": 1}', path="/api/v1/predict?explain=maybe"), 422, "unknown_parameter"),
    "form": (post(b'{"rows": []}', path="/invocations"), 422, "unknown_form"),
    "two_forms": (post(b'{"inputs": [], "instances": []}', path="/invocations"), 422, "unknown_form"),
    "ragged": (post(b'{"inputs": {"income": [1], "term": []}}', path="/invocations"), 422, "unknown_form"),
    "no_csv": (post(b'a,b\n"1,2', "text/csv", "/invocations"), 400, "malformed_csv"),
    "empty_csv": (post(b"", "text/csv", "/invocations"), 400, "malformed_csv"),
    "latin_csv": (post(b"income\n\xfc", "text/csv", "/invocations"), 400, "malformed_csv"),
    "ragged_csv": (post(b"income,term\n1", "text/csv", "/invocations"), 422, "unknown_form"),
    "header_twice": (post(b"income,income\n1,2", "text/csv", "/invocations"), 422, "unknown_form"),
    "words_in_csv": (post(b"income\nmuch", "text/csv", "/invocations"), 422, "invalid_application"),
    "csv_to_json": (post(b"income\n1", "text/csv"), 415, "media_type"),
    "typed": (post(b'{"inputs": [{"income": "x"}]}', path="/invocations"), 422, "invalid_application"),
}
