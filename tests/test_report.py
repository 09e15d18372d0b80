"""The methods of a report: raise, merge, compare, write, load."""

from __future__ import annotations

from pathlib import Path

import pytest

from aioappsapi import (
    AppsApiError,
    InvalidInputError,
    Report,
    Status,
)
from tests.reports import MIXED, OK, REFUSED, REST, outcome, report


def test_raise_for_failures_raises_each_error() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        MIXED.raise_for_failures()
    assert "2 of 3 apps are not in the requested state" in str(caught.value)
    assert caught.value.exceptions == (REFUSED, REST.error)
    report(OK).raise_for_failures()


def test_raise_for_failures_covers_apps_without_an_error_too() -> None:
    doubted = outcome("d", Status.UNVERIFIED, name="web")
    with pytest.raises(ExceptionGroup) as caught:
        report(OK, doubted).raise_for_failures()
    (error,) = caught.value.exceptions
    assert isinstance(error, AppsApiError)
    assert "web" in str(error)
    assert "unverified" in str(error)


@pytest.mark.parametrize("name", ["report", "report.yaml", "report.JSONX", ".json"])
def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InvalidInputError, match="json"):
        MIXED.write(path)
    assert not path.exists()
    with pytest.raises(InvalidInputError, match="json"):
        Report.load(path)


def test_a_missing_file_raises_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Report.load(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError):
        MIXED.write(tmp_path / "none" / "report.json")
