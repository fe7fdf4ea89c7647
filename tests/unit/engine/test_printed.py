"""What plugins print is kept up to a bound, and where it ends is said once."""

from pathlib import Path

from app.engine.printed import LOG_NAME, PrintedLog


def test_a_log_that_is_full_keeps_what_fits_says_so_once_and_grows_no_more(tmp_path: Path) -> None:
    stray: list[str] = []
    keep = PrintedLog(lambda _job: tmp_path, stray.append)
    for piece in ("a" * 600_000, "b" * 600_000, "too late\n", "c" * 600_000):
        keep("job", piece)
    kept = (tmp_path / LOG_NAME).read_text(encoding="utf-8")
    assert kept.startswith("a" * 600_000 + "b" * 400_000 + "\n… the log is full")
    assert kept.count("the log is full") == 1
    assert kept.endswith("was not kept.\n")
    keep(None, "between jobs\n")
    assert stray == ["between jobs\n"]
