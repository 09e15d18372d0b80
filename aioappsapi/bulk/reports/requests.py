"""The requests that a run sent."""

from __future__ import annotations

from collections import Counter

from aioappsapi._http.call_log import CallLog


class Requests:
    """The requests of a run. `by_status` counts answers by HTTP status, and failures by name."""

    def __init__(
        self, sent: int = 0, retried: int = 0, by_status: Counter[str] | None = None
    ) -> None:
        self.sent = sent
        self.retried = retried
        self.by_status: Counter[str] = by_status if by_status is not None else Counter()

    def __repr__(self) -> str:
        return f"<Requests sent={self.sent} retried={self.retried}>"

    def __add__(self, other: Requests) -> Requests:
        return Requests(
            self.sent + other.sent, self.retried + other.retried, self.by_status + other.by_status
        )

    def add(self, record: CallLog) -> None:
        """Count the requests of one app, or those that were sent for many apps together."""
        self.sent += record.attempts
        self.retried += record.repeats
        self.by_status.update(record.results)

    def plus(self, record: CallLog) -> Requests:
        """Return the sum of these requests and others."""
        both = Requests(self.sent, self.retried, self.by_status.copy())
        both.add(record)
        return both

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        by_status = dict(sorted(self.by_status.items()))
        return {"sent": self.sent, "retried": self.retried, "by_status": by_status}
