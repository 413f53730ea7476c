"""How deep JSON is nested, found in its bytes before it is parsed."""

import re

import numpy as np

DEEPEST = 8  # an application has one level, MLflow's forms have three

# Possessive, and an open string ends with the bytes, so that no input is looked through twice.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def is_deeper(body: bytes, most: int = DEEPEST) -> bool:
    """Whether lists and objects are nested deeper than `most`; brackets in strings do not count."""
    if body.count(b"[") + body.count(b"{") <= most:
        return False
    letters = np.frombuffer(_STRING.sub(b"", body), dtype=np.uint8)
    opens = (letters == ord("[")) | (letters == ord("{"))
    closes = (letters == ord("]")) | (letters == ord("}"))
    depth = np.cumsum(opens.astype(np.int32) - closes)
    return bool(depth.size) and int(depth.max()) > most
