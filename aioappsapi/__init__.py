"""Start, stop and manage thousands of Cloud Foundry apps, with a verified outcome for each.

Everything begins with a `Client`: `client.apps` works on one app, `client.bulk` on many. The
models that calls return are in `aioappsapi.models`.

The public names are in `__init__.pyi`. Each module is imported when one of its names is first
used, so that programs without a client (the sandbox, `--help`) do not pay for aiohttp.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
