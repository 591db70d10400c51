from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import workbench
from workbench.runtime.crash import write_crash_report


@pytest.fixture
def error() -> Exception:
    try:
        raise KeyError("\udcff what nobody foresaw")
    except KeyError as error:
        return error


def test_a_report_holds_what_is_needed_to_find_the_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = write_crash_report(error)
    assert tmp_path in path.parents
    text = path.read_text()
    assert f"Workbench {workbench.__version__} on Python" in text
    assert "Traceback" in text
    assert "what nobody foresaw" in text
    assert "test_crash_report.py" in text


def test_where_the_log_folder_cannot_be_written_to_it_goes_to_a_temporary_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    assert write_crash_report(error).parent == tmp_path / "temporary"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    assert "nowhere" in str(write_crash_report(error))
