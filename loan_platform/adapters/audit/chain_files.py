"""The files of an audit chain: numbered segments, the head file beside them, and the writer's lock.

| file in `<directory>/<chain>/` | content |
| --- | --- |
| `00000001.ndjson`, ... | segments: one audit record per line |
| `head` | number and hash of the last line, and a MAC of both where there is a key |
| `lock` | locked by the process that writes the chain |
| `*.torn` | bytes of an incomplete last line that a crash left |
"""

import fcntl
import hmac
import json
import os
from collections.abc import Iterator
from pathlib import Path

from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.storage.atomic_files import discarded_on_error, fsync, make_directory
from loan_platform.core.audit.hash_chain import Chain, Head, parse_line, read_chain, split_lines
from loan_platform.core.errors import ExplainedError

SEGMENT = "*.ndjson"
HEAD, LOCK = "head", "lock"
MAX_CHAINS = 1_000


class BrokenChainError(ExplainedError, ValueError):
    """A chain does not end where its head says. It is left unchanged for an investigation."""


def chains(directory: Path) -> list[Path]:
    """The folders of all chains, in order of their numbers."""
    if not directory.is_dir():
        return []
    found = (path for path in directory.iterdir() if path.is_dir() and path.name.startswith("chain-"))
    return sorted(found, key=lambda path: (len(path.name), path.name))


def segments(chain: Path) -> list[Path]:
    """The segment files of a chain, oldest first."""
    return sorted(chain.glob(SEGMENT))


def load_chain(chain: Path, key: AuditKey | None) -> Chain:
    """Read a chain and check its hashes. A line that its writer has not finished yet is skipped."""
    head = read_head(chain, key)
    return read_chain(chain.name, _lines(chain), head)


def _lines(chain: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    found = segments(chain)
    for path in found:
        data = path.read_bytes()
        if path == found[-1]:  # an incomplete last line was never acknowledged; the head shows a missing one
            data = data[: data.rfind(b"\n") + 1]
        yield path.name, split_lines(data)


def acquire_chain(directory: Path) -> tuple[Path, int]:
    """Lock the first chain that no running process writes to.

    Returns:
        The chain's folder, and the file descriptor that holds its lock.

    Raises:
        OSError: the directory cannot be written to.
    """
    make_directory(directory)
    for number in range(1, MAX_CHAINS):
        chain = directory / f"chain-{number}"
        make_directory(chain)
        descriptor = os.open(chain / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return chain, descriptor
    raise OSError(f"all {MAX_CHAINS - 1} audit chains are locked by other processes")


def repair_tail(chain: Path, key: AuditKey | None) -> tuple[Head, list[str]]:
    """Move an incomplete last line, which a crash left, to a `.torn` file.

    Returns:
        The head after the repair, and the names of the `.torn` files.

    Raises:
        BrokenChainError: the chain does not end where its head says.
        OSError: the chain cannot be read or written.
    """
    head, torn = read_head(chain, key), list[str]()
    for path in reversed(segments(chain)):
        last, good, size = _end(path)
        if last is None and size == 0:
            path.unlink()
            continue
        if head is None or (head.n and last is None and path == segments(chain)[0]) or (last and last.n < head.n):
            raise BrokenChainError(f"{chain}: does not end where its head says. Run: loan-platform audit verify.")
        if good < size:
            torn.append(_move_torn(path, good))
        if last is not None:
            return last, torn
        path.unlink()
    if head is not None and head.n:
        raise BrokenChainError(f"{chain}: its lines are missing. Run: loan-platform audit verify.")
    return Head(), torn


def _end(path: Path) -> tuple[Head | None, int, int]:
    """Head after the last intact line of a segment, the byte where that line ends, and the segment's size."""
    data, last, good = path.read_bytes(), None, 0
    for line in split_lines(data):
        entry = parse_line(line[:-1]) if line.endswith(b"\n") else None
        if entry is None or (last and last != Head(entry.n - 1, entry.prev)):
            break
        last, good = Head(entry.n, entry.sha256), good + len(line)
    return last, good, len(data)


def _move_torn(path: Path, good: int) -> str:
    """Move the bytes from `good` on to a `.torn` file and give its name."""
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
    """Content of the head file. Its length is constant, so it can be overwritten in place."""
    mac = key.mac(head) if key else ""
    return f'{{"n":{head.n:>12},"sha256":"{head.sha256}","mac":"{mac:64}"}}\n'.encode()


def read_head(chain: Path, key: AuditKey | None) -> Head | None:
    """The head of a chain. None: the file is missing, damaged, or not signed with the given key."""
    try:
        value = json.loads((chain / HEAD).read_bytes())
        head, mac = Head(int(value["n"]), str(value["sha256"])), str(value["mac"]).strip()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if key and not hmac.compare_digest(mac, key.mac(head)):
        return None
    return head


def sign_head(chain: Path, key: AuditKey) -> None:
    """Sign the head of a chain that was started without a key. A damaged chain is left unchanged.

    No process may be writing the chain meanwhile.
    """
    head = read_head(chain, None)
    if head is not None and not load_chain(chain, None).faults:
        (chain / HEAD).write_bytes(head_bytes(head, key))
        fsync(chain / HEAD)
