"""A function in a process of its own: answers, errors, interrupts, and its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from loan_platform.adapters.reports.helper_process import HelperProcess, peak_megabytes
from loan_platform.core.errors import ExplainedError, NotMaterializedError
from loan_platform_tests.support.waiting import until


def described(text: str, *, times: int = 1) -> tuple[str, int]:
    sys.stdout.write("libraries print what they like\n")
    return text * times, os.getpid()


def refused(problem: str) -> None:
    raise NotMaterializedError(problem)


class MisfiledError(Exception):
    """An error with more arguments than its message, which pickle cannot make again."""

    def __init__(self, file: str, drawer: int) -> None:
        super().__init__(f"{file} in drawer {drawer}")


def misfiled(file: str, drawer: int) -> None:
    raise MisfiledError(file, drawer)


def slept(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def died() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_calls_are_answered_by_one_other_process() -> None:
    helper = HelperProcess(described, imports="sqlite3")
    helper.start()
    text, process = helper("a", times=3)
    assert (text, process) == ("aaa", helper("b")[1])
    assert process != os.getpid()


def test_an_error_keeps_its_type_and_tells_where_it_was_raised() -> None:
    helper = HelperProcess(refused, imports="sqlite3")
    for _ in range(2):
        with pytest.raises(NotMaterializedError, match="no loans yet") as raised:
            helper("no loans yet")
        assert "in refused" in raised.value.__notes__[0]


def test_an_error_that_pickle_would_lose_is_told_as_text() -> None:
    helper = HelperProcess(misfiled, imports="sqlite3")
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"MisfiledError: loans\.csv in drawer 3") as raised:
            helper("loans.csv", 3)
        assert "in misfiled" in raised.value.__notes__[0]


def test_memory_of_a_helper_counts() -> None:
    helper = HelperProcess(described, imports="sqlite3")
    before = peak_megabytes()
    assert helper.peak_megabytes == 0
    helper("x" * 200_000_000)
    assert helper.peak_megabytes > 200
    assert peak_megabytes() >= before + helper.peak_megabytes


def test_a_process_that_died_is_told_of_and_replaced() -> None:
    helper = HelperProcess(died, imports="sqlite3")
    for _ in range(2):
        with pytest.raises(ExplainedError, match=r"runs died with sqlite3 ended with status -9 before it answered"):
            helper()


def test_a_module_that_cannot_be_imported_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ExplainedError, match="runs slept with no_such_library ended with status 1"):
        HelperProcess(slept, imports="no_such_library")(0)
    assert "No module named 'no_such_library'" in capfd.readouterr().err


def test_the_answer_to_an_interrupted_call_is_not_the_next_one_s() -> None:
    helper = HelperProcess(slept, imports="sqlite3")
    assert helper(0.0) == 0.0
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            helper(60.0)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert helper(0.01) == 0.01


def test_it_ends_when_its_caller_is_killed(tmp_path: Path) -> None:
    caller = tmp_path / "caller.py"
    caller.write_text(
        "import os, signal\n"
        "from loan_platform.adapters.reports.helper_process import HelperProcess\n"
        "from loan_platform_tests.adapters.reports.test_helper_process import described\n"
        "print(HelperProcess(described, imports='sqlite3')('a')[1], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, caller], capture_output=True, text=True, check=False, cwd=Path.cwd())
    assert ran.returncode == -signal.SIGKILL
    until(lambda: _is_gone(int(ran.stdout)), lambda: "the helper outlived its caller")


def _is_gone(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_memory_of_a_helper_is_its_own() -> None:
    large = bytearray(b"x") * 600_000_000
    started = HelperProcess(described, imports="json")
    started("a")
    assert 10 < started.peak_megabytes < 300 < len(large) / 1e6
