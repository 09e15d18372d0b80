"""One call: a request, its attempts, and the typed value or error that comes of it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import anyio
import msgspec

from aioappsapi._http.call_log import current_call_log
from aioappsapi._http.clock import loop_time
from aioappsapi._http.limits.throttle import Throttle
from aioappsapi._http.message import Query, Request, Response
from aioappsapi._http.protocol import Operation
from aioappsapi._http.response_errors import retry_after
from aioappsapi._http.retry.budget import RetryBudget
from aioappsapi._http.retry.loop import Sleep, repeat
from aioappsapi._http.server_features import ServerFeatures
from aioappsapi._http.transport import Transport
from aioappsapi.auth.base import Claims
from aioappsapi.auth.tokens import TokenSource
from aioappsapi.config import RetryPolicy, Timeouts
from aioappsapi.errors import AppsApiError, DeadlineError, TransportError

T = TypeVar("T")

log = logging.getLogger("aioappsapi")
wire_log = logging.getLogger("aioappsapi.http")


# An observer is called before each attempt, and may add headers; what it returns is called with the
# answer, or with what was raised. None, the default, costs nothing. Observers must not raise.
OnEnd = Callable[[Response | BaseException], object]
OnAttempt = Callable[[Request, dict[str, str]], OnEnd]


class Caller:
    """Carries operations out against one API with one login.

    Views with other settings share the transport, the login and the throttle. `on_attempt`
    observes every attempt.
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
        budget: RetryBudget | None = None,
    ) -> None:
        self.base_url = base_url
        self.throttle = throttle
        self.sleep = sleep
        self.features = ServerFeatures() if features is None else features
        self._budget = RetryBudget(retry.budget) if budget is None else budget
        self._transport = transport
        self._tokens = tokens
        self.retry = retry
        self._timeouts = timeouts
        self._request_ids = _new_request_ids()
        self.on_attempt: OnAttempt | None = None

    async def claims(self) -> Claims | None:
        """Tell what the login's token says of its owner. Raises AuthError."""
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
            budget=self._budget,
        )
        view.on_attempt = self.on_attempt
        return view

    def call(
        self,
        operation: Operation[T],
        *args: str,
        query: Query | None = None,
        body: object = msgspec.UNSET,
        deadline: float | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Carry an operation out: build the request, send it, retry, parse the answer.

        `deadline` is in seconds from now, for all attempts together. Raises InvalidInputError at
        once; everything else when it is awaited.
        """
        request = operation.build(*args, query=query, body=body)
        if deadline is None:  # fast path: not a coroutine function, which would cost a frame
            return self.run(request, operation.parse)
        return within(deadline, self.run(request, operation.parse), request)

    async def run(self, request: Request, parse: Callable[[Request, Response], T]) -> T:
        """Send a request, again where that may help, and parse the answer."""
        try:
            result = parse(request, await self._attempt(request))
        except AppsApiError as error:
            first = error
        else:
            self._budget.pay()
            return result

        async def attempt() -> T:
            return parse(request, await self._attempt(request))

        # fast path: nothing of tenacity is made before an attempt failed.
        return await repeat(
            first,
            attempt,
            request,
            self.retry,
            self._budget,
            renewable=self._tokens.renewable,
            sleep=self.sleep,
        )

    async def _attempt(self, request: Request) -> Response:
        """Send once, in a slot of the throttle, and let all who learn from attempts see the end."""
        throttle = self.throttle
        if not throttle.try_acquire():
            await throttle.acquire()
        try:
            # With the slot in hand: a token taken before a long wait at the gate would be stale.
            authorization = self._tokens.current() or await self._tokens.get()
            request_id = next(self._request_ids)
            headers = _headers(request, authorization, request_id)
            on_end = None if self.on_attempt is None else self.on_attempt(request, headers)
            begun = loop_time()
            try:
                response = await self._transport.send(
                    request.method,
                    self.base_url + request.path,
                    headers,
                    request.body,
                    self._timeouts,
                )
            except BaseException as error:
                self._failed(request, request_id, loop_time() - begun, error)
                if on_end is not None:
                    on_end(error)
                raise
            self._answered(request, request_id, loop_time() - begun, response)
            if on_end is not None:
                on_end(response)
        finally:
            throttle.release()
        if response.status == 401:
            self._tokens.reject(authorization)
        return response

    def _failed(
        self, request: Request, request_id: str, seconds: float, error: BaseException
    ) -> None:
        """Let throttle and logs know that an attempt got no answer."""
        is_cancelled = isinstance(error, asyncio.CancelledError)
        self.throttle.learn(seconds, failed=not is_cancelled)
        if not isinstance(error, TransportError) or error.delivered:
            self.throttle.pace.heed(None)
        result = type(error).__name__ if isinstance(error, AppsApiError) else "cancelled"
        self._log_end(request, request_id, seconds, result, None)

    def _answered(
        self, request: Request, request_id: str, seconds: float, response: Response
    ) -> None:
        """Let throttle and logs know of an answer, before the slot is given to the next one."""
        status = response.status
        # A 429 comes at once, and says nothing of how much the server has to do.
        if status != 429:
            self.throttle.learn(seconds, failed=status >= 500)
        self.throttle.pace.heed(response)
        self._log_end(request, response.request_id or request_id, seconds, str(status), response)
        if status == 429:
            self._mind_rate_limit(response)
        for warning in response.warnings:
            log.warning("%s: the server warns: %s", request, warning)

    def _log_end(
        self,
        request: Request,
        request_id: str,
        seconds: float,
        result: str,
        response: Response | None,
    ) -> None:
        if (calls := current_call_log.get()) is not None:
            calls.answered(result, request_id, response)
        if wire_log.isEnabledFor(logging.DEBUG):
            # Neither a header nor a body nor a query: any of them may hold a secret.
            path = request.path.partition("?")[0]
            wire_log.debug(
                "%s %s: %s in %.3f s (%s)", request.method, path, result, seconds, request_id
            )

    def _mind_rate_limit(self, response: Response) -> None:
        seconds = retry_after(response.headers)
        pause = self.retry.base if seconds is None else seconds
        if pause > self.retry.max_retry_after:
            # This call raises it and a run ends by it; other calls may find out for themselves.
            self.throttle.tell_of_refusal(pause)
            return
        # Not all at the very second: other clients wait for the same one, which is rounded, too.
        pause += random.uniform(0.5, 1.0) * min(1.0, pause / 10 + 0.05)  # noqa: S311
        self.throttle.close_gate(pause)


def _headers(request: Request, authorization: str, request_id: str) -> dict[str, str]:
    headers = {"Authorization": authorization, "X-Vcap-Request-Id": request_id}
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    return headers


def _new_request_ids() -> Iterator[str]:
    """Make ids that no other client makes: a random prefix and a counter, in the form of a UUID."""
    prefix = str(uuid.uuid4())[:24]
    return map(f"{prefix}%012x".__mod__, itertools.count())


async def within(deadline: float, awaitable: Awaitable[T], what: object) -> T:
    """Await something for at most so many seconds. Raises DeadlineError."""
    try:
        with anyio.fail_after(deadline):
            return await awaitable
    except TimeoutError:
        raise DeadlineError(
            f"{what}: no answer within the deadline of {deadline:g} s; "
            "what was sent may have been carried out."
        ) from None
