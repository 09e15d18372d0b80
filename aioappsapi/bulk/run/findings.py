"""The findings of watchers, as events of an app."""

from __future__ import annotations

from aioappsapi._http.clock import loop_time
from aioappsapi.bulk.run.app_run import AppRun
from aioappsapi.waiting.finding import Finding, Proof


def apply_finding(finding: Finding, run: AppRun, wait: str) -> None:
    """Apply the finding of a watcher to its app. `wait` is the policy that it was held to."""
    now = loop_time()
    if finding.first_at is not None:
        run.seen(finding.first_at)
    run.value = run.value or finding.app
    if finding.proof is Proof.PROVED:
        run.proved(now, finding.all_at, wait, finding.made)
    elif finding.error is None:
        raise RuntimeError(f"{run.what}: nothing says why it is not proved")
    elif finding.proof is Proof.DISPROVED:
        run.disproved(now, finding.error)
    else:
        run.unproved(now, finding.error, late=finding.late)
