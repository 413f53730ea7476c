"""The nesting depth of JSON, found in its bytes before it is parsed."""

import re

import numpy as np

MAX_DEPTH = 8  # an application has one level, MLflow's forms have three

# Possessive quantifiers, and an unclosed string ends with the bytes: no input is scanned twice.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def is_deeper(body: bytes, max_depth: int = MAX_DEPTH) -> bool:
    """Whether lists and objects are nested deeper than `max_depth`. Brackets in strings do not count."""
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return False
    letters = np.frombuffer(_STRING.sub(b"", body), dtype=np.uint8)
    opens = (letters == ord("[")) | (letters == ord("{"))
    closes = (letters == ord("]")) | (letters == ord("}"))
    depth = np.cumsum(opens.astype(np.int32) - closes)
    return bool(depth.size) and int(depth.max()) > max_depth
