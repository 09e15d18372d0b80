"""Runs with any faults, kills and resumes: no action twice, no false `ok`, no lost outcome."""

from __future__ import annotations

import pytest

from tests.fakes import run_virtual
from tests.kills_and_resumes import kill_and_resume


@pytest.mark.parametrize("seed", range(20))
def test_outcomes_are_true_after_any_history_of_faults_kills_and_resumes(seed: int) -> None:
    async def history() -> None:
        findings = await kill_and_resume(seed)
        assert findings.is_right, findings

    run_virtual(history())
