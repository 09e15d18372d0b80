"""One call: a request, its attempts, and the typed value or error that results."""

from __future__ import annotations

import itertools
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final, TypeVar

import anyio
import msgspec
from multidict import istr

from aioappsapi._http.call_log import CallLog, current_call_log, recorded
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.concurrency import Ticket
from aioappsapi._http.limits.patience import Patience, current_patience
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Query, Replay, Request, Response
from aioappsapi._http.observer import CallObserver
from aioappsapi._http.protocol import Operation
from aioappsapi._http.response_errors import one_line, retry_after
from aioappsapi._http.retry.loop import Sleep, repeat
from aioappsapi._http.retry.policy import is_broker_limit, is_outage_like
from aioappsapi._http.server_features import ServerFeatures
from aioappsapi._http.transport import Transport
from aioappsapi.auth.base import Claims
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.config import RetryPolicy, Timeouts
from aioappsapi.errors import AppsApiError, DeadlineError, TransportError

T = TypeVar("T")

log = logging.getLogger("aioappsapi")
wire_log = logging.getLogger("aioappsapi.http")


# fast path: an `istr` knows its lower-case form.
_AUTHORIZATION: Final[str] = istr("Authorization")
_REQUEST_ID: Final[str] = istr("X-Vcap-Request-Id")
_CONTENT_TYPE: Final[str] = istr("Content-Type")

# fast path: one text per status, rather than a new one per answer.
_STATUSES: Final = {status: str(status) for status in (200, 201, 202, 204, 429, 500, 502, 503)}

# Cheap, answered from the database, and allowed to every user.
_PROBE = Request(
    operation="check that the server answers",
    subject="",
    method="GET",
    path="/v3/organizations?per_page=1",
    replay=Replay.SAFE,
)


class Caller:
    """Carries out operations at one API with one login.

    Views with other settings share the transport, the login, the throttle and the `observer`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        transport: Transport,
        tokens: TokenSource,
        throttle: Throttle,
        retry: RetryPolicy,
        timeouts: Timeouts | None = None,
        sleep: Sleep = anyio.sleep,
        features: ServerFeatures | None = None,
    ) -> None:
        self.base_url = base_url
        self.throttle = throttle
        self.sleep = sleep
        self.features = ServerFeatures() if features is None else features
        self._transport = transport
        self._tokens = tokens
        self.retry = retry
        self._timeouts = timeouts
        self._request_ids = _new_request_ids()
        self.observer: CallObserver | None = None

    async def claims(self) -> Claims | None:
        """Read the claims of the login's token. Raises AuthError."""
        return await self._tokens.claims()

    def with_options(self, *, retry: RetryPolicy | None, timeouts: Timeouts | None) -> Caller:
        """Make a view with other settings on the same connections, login and throttle."""
        view = Caller(
            self.base_url,
            transport=self._transport,
            tokens=self._tokens,
            throttle=self.throttle,
            retry=retry or self.retry,
            timeouts=timeouts or self._timeouts,
            sleep=self.sleep,
            features=self.features,
        )
        view.observer = self.observer
        return view

    def call(
        self,
        operation: Operation[T],
        *args: str,
        query: Query | None = None,
        body: object = msgspec.UNSET,
        deadline: float | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Carry out an operation: build the request, send it, retry, parse the answer.

        `deadline` is in seconds from now, for all attempts together. Raises InvalidInputError at
        once, and all other errors when it is awaited.
        """
        request = operation.build(*args, query=query, body=body)
        if deadline is None:  # fast path: not a coroutine function, which would cost a frame
            return self.run(request, operation.parse)
        return within(deadline, self.run(request, operation.parse), request)

    async def run(self, request: Request, parse: Callable[[Request, Response], T]) -> T:
        """Send a request, retry it if that may help, and parse the answer."""
        try:
            ticket = self.throttle.try_admit(request)
            if ticket is None:
                ticket = await self._wait_for_ticket(request, retried=False)
            return parse(request, await self._exchange(request, ticket))
        except AppsApiError as error:
            first = error
        # fast path: tenacity is entered only after a failed attempt.
        return await self._retry(first, request, parse)

    async def _retry(
        self, first: AppsApiError, request: Request, parse: Callable[[Request, Response], T]
    ) -> T:
        resends = 0

        async def attempt() -> T:
            nonlocal resends
            resends += 1
            ticket = self.throttle.try_admit(request)
            if ticket is None:
                ticket = await self._wait_for_ticket(request, retried=True)
            return parse(request, await self._exchange(request, ticket, resends))

        async def back_off(seconds: float) -> None:
            if self.observer is not None:
                self.observer.backing_off(request, seconds)
            await self.sleep(seconds)

        return await repeat(
            first,
            attempt,
            request,
            self.retry,
            self.throttle,
            renewable=self._tokens.renewable,
            sleep=back_off,
        )

    async def _wait_for_ticket(self, request: Request, *, retried: bool) -> Ticket:
        observer, goes_on = self.observer, None
        if observer is not None:
            goes_on = observer.waiting(request, closed=self.throttle.closed_for > 0)
        patience = current_patience.get()
        while True:
            ticket = await self.throttle.admit(request, patience=patience, retried=retried)
            if patience is None or not ticket.probe:
                break
            if not self._should_probe_by_read(request, patience, retried=retried):
                break
            await self._probe_by_read(ticket, patience)
        if goes_on is not None:
            goes_on()
        return ticket

    def _should_probe_by_read(self, request: Request, patience: Patience, *, retried: bool) -> bool:
        """Check whether a cheap read should test if an outage is over.

        Apps that always fail look like an outage when they are the last ones; the read shows that
        the server is well. An action that must not be repeated would be lost as a probe.
        """
        if retried:
            return self.throttle.only_retries_wait()
        return request.replay is Replay.ONCE and patience.trusts_reads

    async def _probe_by_read(self, ticket: Ticket, patience: Patience) -> None:
        """Use a ticket for the read. Its success proves nothing to the patience of the run."""
        run = current_patience.set(None)
        calls = current_call_log.set(patience.calls)  # it is not an attempt of the app
        try:
            response = await self._exchange(_PROBE, ticket)
        except AppsApiError as error:
            patience.failed(loop_time(), str(error))
            return
        finally:
            current_call_log.reset(calls)
            current_patience.reset(run)
        if response.status < 500:
            patience.trusts_reads = False
        else:
            patience.failed(loop_time(), f"{_PROBE}: {response.status}")

    async def _exchange(self, request: Request, ticket: Ticket, resends: int = 0) -> Response:
        """Send once, and report the result to the throttle, the run and the logs."""
        request_id = next(self._request_ids)
        # With the ticket in hand: a token taken before a long wait would be stale.
        authorization = self._tokens.current() or await self._log_in(ticket)
        headers = {_AUTHORIZATION: authorization, _REQUEST_ID: request_id}
        if request.body is not None:
            headers[_CONTENT_TYPE] = request.content_type
        observer = self.observer
        on_end = None if observer is None else observer.attempt(request, headers, resends)
        try:
            response = await self._transport.send(
                request.method,
                self.base_url + request.path,
                headers,
                request.body,
                self._timeouts,
            )
        except BaseException as error:
            self._failed(request, ticket, request_id, error)
            if on_end is not None:
                on_end(error)
            raise
        self._answered(request, ticket, request_id, response)
        if on_end is not None:
            on_end(response)
        if response.status == 401:
            self._tokens.reject(authorization)
        return response

    async def _log_in(self, ticket: Ticket) -> str:
        try:
            return await self._tokens.get()
        except BaseException as error:
            self._end_unanswered(ticket, error)
            raise

    def _failed(
        self,
        request: Request,
        ticket: Ticket,
        request_id: str,
        error: BaseException,
    ) -> None:
        """Report to throttle, run and logs that an attempt got no answer."""
        if not isinstance(error, TransportError) or error.delivered:
            self.throttle.rate_window.observe(None)
        self._end_unanswered(ticket, error)
        result = type(error).__name__ if isinstance(error, AppsApiError) else "cancelled"
        if (calls := current_call_log.get()) is not None:
            calls.answered(result, request_id, None, ())
        if wire_log.isEnabledFor(logging.DEBUG):
            _log_end(request, ticket, result, request_id)

    def _end_unanswered(self, ticket: Ticket, error: BaseException) -> None:
        if not is_outage_like(error):
            self.throttle.discarded(ticket)
            return
        self.throttle.failed(ticket)
        if (patience := current_patience.get()) is not None:
            patience.failed(loop_time(), str(error))

    def _answered(
        self, request: Request, ticket: Ticket, request_id: str, response: Response
    ) -> None:
        """Report an answer to throttle, run and logs, before the next request may go out."""
        status, patience = response.status, current_patience.get()
        if status == 429:
            self._refused(ticket, response)
        else:
            self.throttle.rate_window.observe(response)
            if status >= 500:
                self.throttle.failed(ticket)
                if status == 503 and "Retry-After" in response.headers:
                    self._announce_outage(response)
                if patience is not None:
                    patience.failed(loop_time(), f"{request}: {status}")
            else:
                self.throttle.succeeded(ticket)
                if patience is not None:
                    patience.succeeded()
        warnings = response.warnings
        if (calls := current_call_log.get()) is not None:  # fast path: single calls keep no log
            result = _STATUSES.get(status) or str(status)
            calls.answered(result, response.request_id or request_id, response, warnings)
        if wire_log.isEnabledFor(logging.DEBUG):
            _log_end(request, ticket, str(status), response.request_id or request_id)
        for warning in warnings:
            log.warning("%s: the server warns: %s", request, one_line(warning))

    def _refused(self, ticket: Ticket, response: Response) -> None:
        """Let the throttle know of a 429, which comes at once and says nothing about the load."""
        is_broker = is_broker_limit(response)
        self.throttle.rate_window.observe(None if is_broker else response)
        if not is_broker:  # other calls do not concern a busy service broker
            self._close_gate(response)
        self.throttle.discarded(ticket)

    def _close_gate(self, response: Response) -> None:
        """Hold all calls back for the time in a 429."""
        seconds = retry_after(response.headers)
        pause = self.retry.base if seconds is None else seconds
        if pause > self.retry.max_retry_after:
            # This call raises the error, and a run ends. The gate stays open for other calls.
            self.throttle.announce_refusal(pause)
            return
        # Add a random part: other clients wait for the same second, which was rounded, too.
        pause += random.uniform(0.5, 1.0) * min(1.0, pause / 10 + 0.05)  # noqa: S311
        self.throttle.close_gate(pause)

    def _announce_outage(self, response: Response) -> None:
        """Announce a pause that is longer than any back-off; otherwise a run would seem to hang."""
        seconds = retry_after(response.headers) or 0.0
        if self.retry.cap < seconds <= self.retry.max_retry_after:
            self.throttle.announce_outage(seconds)


def _log_end(request: Request, ticket: Ticket, result: str, request_id: str) -> None:
    # Neither a header nor a body nor a query: any of them may hold a secret.
    path = request.path.partition("?")[0]
    seconds = loop_time() - ticket.sent_at
    wire_log.debug("%s %s: %s in %.3f s (%s)", request.method, path, result, seconds, request_id)


def _new_request_ids() -> Iterator[str]:
    """Make unique request ids in the form of a UUID: a random prefix and a counter."""
    prefix = str(uuid.uuid4())[:24]
    return map(f"{prefix}%012x".__mod__, itertools.count())


async def within(deadline: float, awaitable: Awaitable[T], what: object) -> T:
    """Await something for at most `seconds`. Raises DeadlineError."""
    with recorded(CallLog) as calls:
        try:
            with anyio.fail_after(deadline):
                return await awaitable
        except TimeoutError:
            was_sent = calls.last_sent_at is not None
            effect = "the request may have been carried out" if was_sent else "nothing was sent"
            raise DeadlineError(
                f"{what}: no answer within the deadline of {deadline:g} s; {effect}."
            ) from None
