"""A web service that starts the apps of a space; its traces show each request to the platform."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI, HTTPException
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

from aioappsapi import AppsApiError, Client
from aioappsapi.telemetry import Telemetry

# Makes the client when the service begins; tests pass one of a sandbox.
Connect = Callable[[], AbstractAsyncContextManager[Client]]


def from_environment() -> Client:
    """Make the client of the platform that CF_API names, with spans and metrics."""
    return Client.from_env(telemetry=Telemetry())


def service(connect: Connect = from_environment) -> FastAPI:
    """Make the service. Run it with ``uvicorn --factory service:service``."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with connect() as client:  # one client for all requests: it shares token and limits
            app.state.client = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/spaces/{name}/start")
    async def start(name: str) -> dict[str, int]:
        client: Client = app.state.client
        try:
            spaces = await client.spaces.list(names=[name]).all()
            if not spaces:
                raise HTTPException(404, f"There is no space {name}.")
            apps = client.apps.list(space_guids=[space.guid for space in spaces])
            report = await client.bulk.start(apps)
        except AppsApiError as error:
            raise HTTPException(502, str(error)) from error
        return report.counts

    FastAPIInstrumentor.instrument_app(app)
    return app
