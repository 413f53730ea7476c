"""The content security policy of a page that is one file: it loads nothing, and runs only the scripts it came with."""

import base64
from collections.abc import Iterable
from hashlib import sha256


def content_policy(scripts: Iterable[str] = ()) -> str:
    """The policy as an element of the page's head.

    Args:
        scripts: the texts of the scripts in the page.
    """
    hashes = [f"'sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(hashes) or "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "font-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    policy = "; ".join(f"{directive} {sources}" for directive, sources in allowed.items())
    return f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
