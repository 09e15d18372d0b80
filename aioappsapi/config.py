"""Settings: immutable values with the limits, timeouts and retries of a client."""

from __future__ import annotations

import os

import msgspec

from aioappsapi.errors import refuse_unless


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Values that are checked when they are created or copied with changes."""


class Timeouts(_Settings, frozen=True, kw_only=True):
    """The timeouts of one attempt, in seconds; None waits for ever.

    `connect` is for DNS, TCP and TLS together, `read` for the longest silence of the server,
    `total` for one whole attempt. A start is slow if its runner cannot be reached: the server
    tries for 60 s per process, and has answered 200 after 126 s. With a shorter timeout it would be
    unknown whether the app was started, so the defaults are longer. Requests of a
    login get at most 30 s for `read` and `total`.
    """

    connect: float | None = 10.0
    read: float | None = 130.0
    total: float | None = 180.0

    def __post_init__(self) -> None:
        for name in ("connect", "read", "total"):
            value = getattr(self, name)
            refuse_unless(
                value is None or value > 0, f"Timeouts({name}={value}): seconds > 0, or None"
            )


class Limits(_Settings, frozen=True, kw_only=True):
    """Limits of a client.

    `concurrency` is the ceiling of requests in flight of one Client, single calls and all bulk runs
    together; each run has its own, lower one. `keepalive` is the number of seconds that an idle
    connection is kept. The Cloud Controller closes its connections after 20 s, and a request sent
    into a closing connection is lost, so stay below. `max_answer` is the maximum of bytes of an
    answer after decompression; a larger answer is an error.
    """

    concurrency: int = 200
    keepalive: float = 15.0
    max_answer: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        refuse_unless(self.concurrency >= 1, f"Limits(concurrency={self.concurrency}): at least 1")
        refuse_unless(self.keepalive > 0, f"Limits(keepalive={self.keepalive}): seconds > 0")
        refuse_unless(self.max_answer >= 1, f"Limits(max_answer={self.max_answer}): bytes >= 1")


class RetryPolicy(_Settings, frozen=True, kw_only=True):
    """The number of attempts of a request, and the pauses between them.

    `attempts` includes the first one. Bulk runs allow more if the server fails many requests
    anyway, and do not count failures of an outage; 1 turns retries off. The pause is drawn evenly
    between 0 and ``base * 2 ** (n - 1)``, at most `cap` seconds ("full jitter").

    Answers of 429 have their own count, `rate_limited_attempts`, because they have no effect and
    the server says when to send again. A `Retry-After` above `max_retry_after` seconds is raised at
    once, and ends a bulk run.

    A bulk run gives up when nothing has succeeded for `give_up_after` seconds and at least 20
    requests have failed. Whether a request may be sent again at all depends on the operation.
    """

    attempts: int = 5
    base: float = 0.5
    cap: float = 15.0
    rate_limited_attempts: int = 20
    max_retry_after: float = 3900.0
    give_up_after: float = 60.0

    def __post_init__(self) -> None:
        refuse_unless(self.attempts >= 1, f"RetryPolicy(attempts={self.attempts}): at least 1")
        refuse_unless(
            self.rate_limited_attempts >= 1,
            f"RetryPolicy(rate_limited_attempts={self.rate_limited_attempts}): at least 1",
        )
        for name in ("base", "cap", "max_retry_after", "give_up_after"):
            value = getattr(self, name)
            refuse_unless(value >= 0, f"RetryPolicy({name}={value}): seconds >= 0")


class Tls(_Settings, frozen=True, kw_only=True):
    """The check of the server's certificate, and our own certificate.

    `ca_file` is a PEM file of authorities to trust instead of the system's; `client_cert` and
    `client_key` are PEM files of our own certificate. `insecure=True` checks nothing, so
    any server would get the token: use it only for test installations.
    """

    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        alone = self.client_key is not None and self.client_cert is None
        refuse_unless(
            not alone, "Tls(client_key=...): the key is of no use without its client_cert."
        )


_STARTUP_TIMEOUT = 300.0


def startup_timeout() -> float:
    """Return the default number of seconds that an app has to come up after a start.

    `CF_STARTUP_TIMEOUT` says it in minutes, as for the `cf` command; 5 without it. Raises
    InvalidInputError if it holds anything else.
    """
    text = os.environ.get("CF_STARTUP_TIMEOUT", "").strip()
    if not text:
        return _STARTUP_TIMEOUT
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    refuse_unless(0 < minutes < float("inf"), f"CF_STARTUP_TIMEOUT={text!r}: minutes > 0, like 5.")
    return minutes * 60.0
