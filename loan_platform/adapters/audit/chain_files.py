"""The files of a chain of records: numbered segments, the head beside them, a lock that its writer holds.

`<directory>/<chain>/00000001.ndjson`, ...; `head` has number and hash of the last line, and a code of the key where
there is one. What a crash tore off the last line is kept beside the segment as `.torn`.
"""

import fcntl
import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path

from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.storage.atomic_files import discarded_on_error, fsync, make_directory
from loan_platform.core.audit.hash_chain import Chain, Head, lines_of, opened, read_chain
from loan_platform.core.errors import ExplainedError

SEGMENT = "*.ndjson"
HEAD, LOCK = "head", "lock"
MOST_CHAINS = 1_000


class BrokenChainError(ExplainedError, ValueError):
    """A chain does not end where its head says; it is left as it is, for whoever looks into it."""


def chains(directory: Path) -> list[Path]:
    """The folders of all chains, in order."""
    if not directory.is_dir():
        return []
    found = (path for path in directory.iterdir() if path.is_dir() and path.name.startswith("chain-"))
    return sorted(found, key=lambda path: (len(path.name), path.name))


def segments(chain: Path) -> list[Path]:
    """The files of a chain, in order."""
    return sorted(chain.glob(SEGMENT))


def read(chain: Path, key: AuditKey | None) -> Chain:
    """Walk a chain; its writer may be at work: what it has not yet finished is not looked at."""
    head = read_head(chain, key)
    return read_chain(chain.name, _lines(chain), head)


def _lines(chain: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    found = segments(chain)
    for path in found:
        data = path.read_bytes()
        if path == found[-1]:  # a line in the making, or torn, has no answer; the head tells where one is missing
            data = data[: data.rfind(b"\n") + 1]
        yield path.name, lines_of(data)


def locked(directory: Path) -> tuple[Path, int]:
    """The first chain that no living process writes to, and the descriptor that holds its lock.

    Raises:
        OSError: the directory cannot be written to.
    """
    make_directory(directory)
    for number in range(1, MOST_CHAINS):
        chain = directory / f"chain-{number}"
        make_directory(chain)
        descriptor = os.open(chain / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return chain, descriptor
    raise OSError("no chain of records is free")


def healed(chain: Path, key: AuditKey | None) -> tuple[Head, list[str]]:
    """Where a chain ends, once what a crash left after its last whole line was put aside.

    Returns:
        The head, and the names of files that were put aside.

    Raises:
        BrokenChainError: it does not end where its head says.
        OSError: it cannot be read or written.
    """
    head, aside = read_head(chain, key), list[str]()
    for path in reversed(segments(chain)):
        last, good, size = _end(path)
        if last is None and size == 0:
            path.unlink()
            continue
        if head is None or (head.n and last is None and path == segments(chain)[0]) or (last and last.n < head.n):
            raise BrokenChainError(f"{chain}: does not end where its head says: look at it with loan-platform audit")
        if good < size:
            aside.append(_put_aside(path, good))
        if last is not None:
            return last, aside
        path.unlink()
    if head is not None and head.n:
        raise BrokenChainError(f"{chain}: its lines are gone: look at it with loan-platform audit")
    return Head(), aside


def _end(path: Path) -> tuple[Head | None, int, int]:
    """The last line up to which a segment is whole, where it ends, and the segment's size."""
    data, last, good = path.read_bytes(), None, 0
    for line in lines_of(data):
        entry = opened(line[:-1]) if line.endswith(b"\n") else None
        if entry is None or (last and last != Head(entry.n - 1, entry.prev)):
            break
        last, good = Head(entry.n, entry.sha256), good + len(line)
    return last, good, len(data)


def _put_aside(path: Path, good: int) -> str:
    number = 1
    while (torn := path.with_suffix(f".{number}.torn")).exists():
        number += 1
    with path.open("rb") as file, discarded_on_error(torn):
        file.seek(good)
        torn.write_bytes(file.read())
        fsync(torn)
    os.truncate(path, good)
    fsync(path)
    fsync(path.parent)
    return torn.name


def head_bytes(head: Head, key: AuditKey | None) -> bytes:
    """The content of the file `head`, of one length: it is written over in place."""
    mac = key.mac(head) if key else ""
    return f'{{"n":{head.n:>12},"sha256":"{head.sha256}","mac":"{mac:64}"}}\n'.encode()


def read_head(chain: Path, key: AuditKey | None) -> Head | None:
    """The head of a chain; None where it is gone, damaged, or, if there is a key, not written with it."""
    try:
        value = json.loads((chain / HEAD).read_bytes())
        head, mac = Head(int(value["n"]), str(value["sha256"])), str(value["mac"]).strip()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if key and not hmac.compare_digest(mac, key.mac(head)):
        return None
    return head


def vouch(chain: Path, key: AuditKey) -> None:
    """Give the head of a chain that was begun without a key the code of one; nothing is done where it is not whole.

    Its writer must not be at work.
    """
    head = read_head(chain, None)
    if head is not None and not read(chain, None).faults:
        (chain / HEAD).write_bytes(head_bytes(head, key))
        fsync(chain / HEAD)
