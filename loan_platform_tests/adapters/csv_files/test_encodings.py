"""CSV files that are not UTF-8: read in the encoding that the source states, found by the draft, or told."""

from pathlib import Path

import pytest

from loan_platform.adapters.csv_files.blocks import CHUNK_BYTES, likely_encoding
from loan_platform.core.book.policies import Source
from loan_platform.core.drafting.judging.errors import DraftError
from loan_platform.core.errors import SourceError
from loan_platform_tests.support.ingest import HEADER, ingest
from loan_platform_tests.support.own_books import drafted

ROW = "Ü{id},2015-03-01,50000,11.5,36,Own,n,good,für"


def written(path: Path, encoding: str, rows: int = 3) -> Path:
    path.write_bytes("\n".join([HEADER, *(ROW.format(id=i) for i in range(rows))]).encode(encoding))
    return path


@pytest.mark.parametrize(
    ("stated", "encoding"),
    [
        ("windows-1252", "cp1252"),
        ("latin-1", "latin-1"),
        ("utf-16", "utf-16"),
        ("utf-16", "utf-16-le"),
        ("utf-16", "utf-16-be"),
    ],
)
def test_a_source_is_read_in_its_encoding(tmp_path: Path, stated: str, encoding: str) -> None:
    source = Source.model_validate({"path": "-", "encoding": stated})
    done = ingest([written(tmp_path / "a.csv", encoding)], tmp_path / "out", source=source)
    assert done.accepted["number"].to_list() == ["Ü0", "Ü1", "Ü2"]
    assert done.accepted["source_line"].to_list() == [2, 3, 4]


def test_another_encoding_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is UTF-16 or UTF-32 text\. .* If it is UTF-16, `encoding` may say so"):
        ingest([written(tmp_path / "a.csv", "utf-16")], tmp_path / "out")
    with pytest.raises(
        SourceError, match=r"has .* of .* lines that are not UTF-8 text\. State `encoding: windows-1252`"
    ):
        ingest([written(tmp_path / "b.csv", "latin-1", 1_100)], tmp_path / "out")
    path = tmp_path / "c.csv"
    path.write_bytes(b"\xff\xfe" + "id,\n".encode("utf-16-le") + b"\x00\xd8\n")
    with pytest.raises(SourceError, match=r"is no utf-16 text\. Correct `encoding` of the source"):
        ingest([path], tmp_path / "out", source=Source(path="-", encoding="utf-16"))


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252", "utf-16"])
def test_the_encoding_of_a_file_is_found(tmp_path: Path, encoding: str) -> None:
    assert likely_encoding(written(tmp_path / "a.csv", encoding), 10**9) == encoding
    assert likely_encoding(written(tmp_path / "b.csv", encoding, 40_000), 10**9) == encoding
    assert (tmp_path / "b.csv").stat().st_size > CHUNK_BYTES


def test_one_broken_line_is_no_other_encoding(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "utf-8")
    path.write_bytes(path.read_bytes() + b"\nx\xfc,2015-03-01")
    assert likely_encoding(path, 10**9) == "utf-8"


def in_code_page(path: Path) -> Path:
    lines = ["loan_id;ort;score;status"]
    lines += [f"K{i};{'aaabü'[i % 5]};{500 + i * 7 % 90};{['repaid', 'defaulted'][i % 3 == 0]}" for i in range(400)]
    path.write_bytes("\n".join(lines).encode("cp850"))
    return path


def test_text_that_no_known_encoding_reads_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"line 6 is text in an unknown encoding, neither UTF-8 nor Windows-1252\."):
        drafted(in_code_page(tmp_path / "loans.csv"))
    far = tmp_path / "far.csv"
    far.write_bytes(b"id,x\n" + b"1,abc\n" * 300_000 + b"1,\x81\n")
    assert far.stat().st_size > CHUNK_BYTES
    with pytest.raises(SourceError, match="line 300002 is text in an unknown encoding"):
        likely_encoding(far, 10**9)


def test_the_encoding_of_a_draft_can_be_stated(tmp_path: Path) -> None:
    source = in_code_page(tmp_path / "loans.csv")
    found = drafted(source, encoding="Latin-1")
    assert "It is read as latin-1" in found.screen
    assert "      encoding: latin-1\n" in (tmp_path / "loans.csv.books" / "defs" / "b" / "defs.yaml").read_text()
    with pytest.raises(DraftError, match="ENCODING 'cp850' is none of utf-8, windows-1252, latin-1, utf-16"):
        drafted(in_code_page(tmp_path / "again.csv"), encoding="cp850")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_the_draft_reads_and_states_the_encoding(tmp_path: Path, encoding: str) -> None:
    source = tmp_path / "loans.csv"
    lines = ["Nummer;Größe;score;status"]
    lines += [
        f"K{i};{['groß', 'klein'][i % 2]};{500 + i * 7 % 90};{['repaid', 'defaulted'][i % 3 == 0]}" for i in range(400)
    ]
    source.write_bytes("\n".join(lines).encode(encoding))
    found = drafted(source)
    stated = "windows-1252" if encoding == "latin-1" else encoding
    assert found.contract.by_name["groesse"].allowed == ("groß", "klein")
    assert f"It is read as {stated}" in found.screen
    policies = (tmp_path / "loans.csv.books" / "defs" / "b" / "defs.yaml").read_text()
    assert policies.count(f"      encoding: {stated}\n") == 2
