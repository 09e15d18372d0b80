"""Whatever ends a run and however often it resumes: nothing twice, no false ok, nothing lost."""

from __future__ import annotations

import pytest

from tests.fakes import run_virtual
from tests.lives import live_through


@pytest.mark.parametrize("seed", range(20))
def test_outcomes_are_true_after_any_history_of_faults_kills_and_resumes(seed: int) -> None:
    async def history() -> None:
        findings = await live_through(seed)
        assert findings.is_right, findings

    run_virtual(history())
