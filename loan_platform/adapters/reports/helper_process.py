"""A function in a process of its own, for libraries that take seconds to import.

The import runs on another core while the caller does other work. Run as a program, this module is that process: it
answers pickled calls on standard input until its caller closes it, or is gone. Pickle crosses nothing but the two
pipes between a process and the helper that it started itself: frames and typed results have no shorter way. Nothing
that answers requests uses it.
"""

import contextlib
import importlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Generic, ParamSpec, TypeVar

from loan_platform.adapters.platform.gc_tuning import tune_gc
from loan_platform.core.errors import ExplainedError

P = ParamSpec("P")
R = TypeVar("R")


_HELPERS: "list[HelperProcess[..., Any]]" = []


def own_peak_megabytes() -> int:
    """Peak resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux' ru_maxrss also counts what the process was forked from
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 // 1024  # macOS counts bytes


def peak_megabytes() -> int:
    """Peak resident memory of this process and of its helpers: the sum of their peaks, so at most too much."""
    return own_peak_megabytes() + sum(helper.peak_megabytes for helper in _HELPERS)


class HelperProcess(Generic[P, R]):
    """Calls of one function, answered one at a time by a process that starts once and ends with this one.

    Args:
        function: a function at the top of a module; its arguments and result must be picklable.
        imports: the module that takes long, imported before the first call is answered.

    Attributes:
        peak_megabytes: peak resident memory of the process at its last answer; 0 before the first.
    """

    def __init__(self, function: Callable[P, R], imports: str) -> None:
        self.peak_megabytes = 0
        _HELPERS.append(self)
        self._function, self._imports = function, imports
        self._process: subprocess.Popen[bytes] | None = None
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Begin the import and return at once. A call starts what was not started."""
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", __name__, self._imports]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The function's result.

        Raises:
            ExplainedError: the process ended before it answered.
            Exception: what the function raised, with its traceback there as a note.
        """
        with self._one_at_a_time:
            self.start()
            try:
                answer = self._ask(pickle.dumps((self._function, args, kwargs)))
            except BaseException:  # an interrupt included: its answer must not be taken for that of the next call
                self._stop()
                raise
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ask(self, call: bytes) -> R | Exception:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(call)
            self._process.stdin.flush()
            answer, self.peak_megabytes = pickle.load(self._process.stdout)
            return answer
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise ExplainedError(
                f"The process that runs {self._function.__name__} with {self._imports} ended with status "
                f"{self._process.wait()} before it answered. -9 means that the system killed it, most often for want "
                "of memory: give the run more, and materialize the asset again."
            ) from error

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def main() -> None:
    """Answer calls until standard input ends. What libraries print goes to standard error."""
    tune_gc()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller decides what an interrupt ends
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module(sys.argv[1])
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            _answer(sys.stdin.buffer, answers)


def _answer(calls: BinaryIO, answers: BinaryIO) -> None:
    function, args, kwargs = pickle.load(calls)
    try:
        answer = pickle.dumps((function(*args, **kwargs), own_peak_megabytes()))
    except Exception as error:
        error.add_note(traceback.format_exc())
        answer = pickle.dumps((_portable(error), own_peak_megabytes()))
    answers.write(answer)
    answers.flush()


def _portable(error: Exception) -> Exception:
    """The error itself, or its text where pickle would lose it on the way."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an error's own code runs on the way, and may raise anything; what it said goes on as text
        told = RuntimeError(f"{type(error).__name__}: {error}")
        told.add_note(error.__notes__[-1])
        return told
    return error


if __name__ == "__main__":
    main()
