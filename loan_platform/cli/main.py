"""`loan-platform`: the commands behind the Makefile."""

import argparse
import os
import sys
from pathlib import Path

from loan_platform.core.errors import ExplainedError
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.private_files import keep_files_private
from loan_platform.settings.quiet import quiet_environment
from loan_platform.settings.supported_platform import require_supported_platform


def main() -> int:
    """Run one command; the exit code is 0 only when everything worked."""
    arguments = _parser().parse_args()
    _set_up_process(arguments.command)
    try:
        require_supported_platform()
        settings = PlatformSettings.from_environment()
        if arguments.command == "serve":
            from loan_platform.cli.serve import run_serve

            run_serve(settings, arguments.book, arguments.host, arguments.port)
        if arguments.command == "init":
            return _init(settings)
        if arguments.command == "key":
            return _key(settings, arguments)
        if arguments.command == "audit":
            from loan_platform.cli.audit import run_audit

            return run_audit(settings, arguments)
        if arguments.command == "ledger":
            from loan_platform.cli.ledger import run_ledger

            return run_ledger(settings, arguments)
        if arguments.command == "book":
            return _book(settings, arguments)
        if arguments.command == "check":
            from loan_platform.cli.check import run_check

            code = run_check(settings, arguments.books, arguments.defs)
        elif arguments.command == "bento":
            from loan_platform.cli.bento import run_bento

            code = run_bento(settings, arguments.book)
        elif arguments.command == "score":
            from loan_platform.cli.score import ScoringRequest, run_score

            asked = (arguments.file, arguments.replace, arguments.may_shrink, arguments.ignore_quarantined)
            code = run_score(settings, ScoringRequest(arguments.book, *asked))
        elif arguments.command == "demo":
            from loan_platform.cli.demo import run_demo

            code = run_demo(settings, arguments.book, arguments.rows)
        else:
            raise AssertionError(f"the command {arguments.command} has no branch")
        # DuckDB's binding lists every object that is still alive at exit, three screens of them.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    except ExplainedError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _set_up_process(command: str) -> None:
    quiet_environment()
    if command not in {"book", "bento"}:  # their files are code, which goes into images of other users
        keep_files_private()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="loan-platform", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init", help="create the platform home with its folders and databases")
    demo = commands.add_parser("demo", help="run the whole graph on generated data and print a summary")
    demo.add_argument("--book", default="lending_club", help="name of the book")
    demo.add_argument("--rows", type=_rows, help="number of loans to generate, if no source file is set")
    book = commands.add_parser("book", help="draft a book's contract and policies from a file of loans")
    book.add_argument("name", help="name of the book: lower-case letters, digits and _")
    book.add_argument("--source", required=True, help="path, glob or gs:// URI of the loans (CSV or Parquet)")
    book.add_argument("--target", help="SQL condition that is true for a default, or the column with the outcome")
    book.add_argument("--key", help="the column that identifies a loan")
    book.add_argument("--date", help="the column with the date of the decision")
    book.add_argument(
        "--date-format",
        help="how dates are written: strptime codes, excel_days, excel_days_1904, year_quarter, iso_week",
    )
    book.add_argument("--encoding", help="encoding of the CSV files: utf-8, windows-1252, latin-1 or utf-16")
    book.add_argument("--books", type=Path, help="folder of the books (default: defs/ of this package)")
    check = commands.add_parser("check", help="find every issue in the files of the books")
    check.add_argument("books", nargs="*", metavar="BOOK", help="name of a book (default: all)")
    check.add_argument("--defs", type=Path, help="folder of the books (default: defs/ of this package)")
    key = commands.add_parser("key", help="create or revoke an API key of the service")
    key.add_argument("name", help="name of the client; with --revoke the id of the key")
    key.add_argument("--revoke", action="store_true", help="revoke the key with this id")
    key.add_argument("--scopes", default="predict,batch", help="predict, batch and metrics, separated by commas")
    key.add_argument("--rate", help="rate limit such as 600/minute, or unlimited (default: LOAN_RATE)")
    bento = commands.add_parser("bento", help="build the scoring service of a book's champion as a Bento, and check it")
    bento.add_argument("--book", default="lending_club", help="name of the book")
    score = commands.add_parser("score", help="score a book's applications with its champion")
    score.add_argument("--book", default="lending_club", help="name of the book")
    score.add_argument("--file", help="path, glob or gs:// URI of the applications (default: the book's source)")
    score.add_argument("--replace", help="remove the known applications of 2018-01, 2018-01..2018-03 or all that lack")
    score.add_argument("--may-shrink", help="batches that may lose applications to others: dates were corrected")
    score.add_argument("--ignore-quarantined", action="store_true", help="replace although some rows are quarantined")
    serve = commands.add_parser("serve", help="start the HTTP service of a book")
    serve.add_argument("--book", default="lending_club", help="name of the book")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on")
    serve.add_argument("--port", default=8000, type=int, help="port to listen on")
    audit = commands.add_parser("audit", help="create the audit log's key, verify the log, or replay a record")
    audit.add_argument("action", choices=("create-key", "verify", "replay"))
    audit.add_argument("request", nargs="?", help="id of the request to replay; <id>.<row> for a row of /invocations")
    audit.add_argument("--book", default="lending_club", help="name of the book")
    audit.add_argument("--save", type=Path, help="write the last hash of each chain to this file; keep it elsewhere")
    audit.add_argument("--against", type=Path, help="file that --save wrote: its hashes must still be in the chains")
    ledger = commands.add_parser("ledger", help="verify the promotion ledger, create its key, or sign its rows")
    ledger.add_argument("action", choices=("verify", "create-key", "sign"))
    ledger.add_argument("--save", type=Path, help="write the hash of the last row to this file; keep it elsewhere")
    ledger.add_argument("--against", type=Path, help="file that --save wrote: its hash must still be in the ledger")
    return parser


def _init(settings: PlatformSettings) -> int:
    from loan_platform.adapters.platform.home import close_to_others, ensure_home

    ensure_home(settings)
    if before := close_to_others(settings.home):
        sys.stdout.write(f"Other users of this machine could read the home ({before:o}). It is yours alone now.\n")
    sys.stdout.write(f"The platform home is {settings.home}\n")
    return 0


def _key(settings: PlatformSettings, arguments: argparse.Namespace) -> int:
    from loan_platform.adapters.service.api_keys import KeyFile

    keys = KeyFile(settings.api_keys)
    if arguments.revoke:
        keys.revoke(arguments.name)
        sys.stdout.write(f"Key {arguments.name} is revoked.\n")
    else:
        sys.stdout.write(f"{keys.create(arguments.name, tuple(arguments.scopes.split(',')), arguments.rate)}\n")
        sys.stderr.write(f"Keep the key: it is shown once. {keys.path} holds only its hash.\n")
    return 0


def _book(settings: PlatformSettings, arguments: argparse.Namespace) -> int:
    from loan_platform.adapters.drafting.draft_book import BookRequest
    from loan_platform.cli.book import run_book
    from loan_platform.cli.books import SHIPPED

    asked = (arguments.target, arguments.key, arguments.date, arguments.date_format, arguments.encoding)
    request = BookRequest(arguments.name, arguments.source, *asked)
    return run_book(settings, request, arguments.books or SHIPPED)


def _rows(text: str) -> int:
    if not text.isdecimal() or not 3_000 <= int(text) <= 5_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 3,000 to 5,000,000")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
