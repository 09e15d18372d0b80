"""One call: a request, its attempts, and the typed value or error that comes of it."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

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


class Caller:
    """Carries operations out against one API with one login.

    Views with other settings share the transport, the login and the throttle.
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

    async def claims(self) -> Claims | None:
        """Tell what the login's token says of its owner. Raises AuthError."""
        return await self._tokens.claims()

    def with_options(self, *, retry: RetryPolicy | None, timeouts: Timeouts | None) -> Caller:
        """Make a view with other settings on the same connections, login and throttle."""
        return Caller(
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

    async def call(
        self,
        operation: Operation[T],
        *args: str,
        query: Query | None = None,
        body: object = msgspec.UNSET,
        deadline: float | None = None,
    ) -> T:
        """Carry an operation out: build, send, repeat what may pass, parse.

        `deadline` is in seconds from now, for all attempts together.
        """
        request = operation.build(*args, query=query, body=body)
        if deadline is None:
            return await self.run(request, operation.parse)
        return await within(deadline, self.run(request, operation.parse), request)

    async def run(self, request: Request, parse: Callable[[Request, Response], T]) -> T:
        """Send a request, again where that may help, and parse what comes."""

        async def attempt() -> T:
            return parse(request, await self._attempt(request))

        try:
            result = await attempt()
        except AppsApiError as error:
            first = error
        else:
            self._budget.pay()
            return result
        # fast path: nothing of tenacity is made before something failed.
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
        await self.throttle.acquire()
        try:
            # With the slot in hand: a token taken before a long wait at the gate would be stale.
            authorization = self._tokens.current() or await self._tokens.get()
            response = await self._timed(request, authorization)
            if response.status == 429:
                self._mind_rate_limit(response)  # before the next one gets the slot
        finally:
            self.throttle.release()
        if response.status == 401:
            self._tokens.reject(authorization)
        return response

    async def _timed(self, request: Request, authorization: str) -> Response:
        """Send, and let the throttle learn how that went, and what the server tells."""
        begun = loop_time()
        failed, counted = True, True
        response: Response | None = None
        try:
            response = await self._send(request, authorization, begun)
            failed = response.status >= 500
        except asyncio.CancelledError:
            failed = False
            raise
        except TransportError as error:
            counted = error.delivered
            raise
        finally:
            # A 429 comes at once, and says nothing of how much the server has to do.
            if response is None or response.status != 429:
                self.throttle.learn(loop_time() - begun, failed=failed)
            if counted:
                self.throttle.pace.heed(response)
        return response

    async def _send(self, request: Request, authorization: str, begun: float) -> Response:
        request_id = str(uuid.uuid4())
        headers = {"Authorization": authorization, "X-Vcap-Request-Id": request_id}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        response: Response | None = None
        result = "cancelled"
        try:
            response = await self._transport.send(
                request.method,
                self.base_url + request.path,
                headers,
                request.body,
                self._timeouts,
            )
            result = str(response.status)
        except AppsApiError as error:
            result = type(error).__name__
            raise
        finally:
            request_id = (response.request_id if response is not None else None) or request_id
            if (record := current_call_log.get()) is not None:
                record.answered(result, request_id, response)
            if wire_log.isEnabledFor(logging.DEBUG):
                _log_attempt(request, result, loop_time() - begun, request_id)
        for warning in response.warnings:
            log.warning("%s: the server warns: %s", request, warning)
        return response

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


def _log_attempt(request: Request, result: str, seconds: float, request_id: str) -> None:
    # Neither a header nor a body, and of a query nothing: any of them may hold a secret.
    path = request.path.partition("?")[0]
    wire_log.debug("%s %s: %s in %.3f s (%s)", request.method, path, result, seconds, request_id)


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
