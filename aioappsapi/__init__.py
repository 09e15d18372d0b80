"""Start, stop and manage thousands of Cloud Foundry apps, and know what really happened to each.

`Client` is where everything begins; `client.apps` works on one app, `client.bulk` on many. The
models that calls return are in `aioappsapi.models`.

The public names stand in `__init__.pyi`. Each module is imported when one of its names is first
used, so that programs without a client (the sandbox, `--help`) do not pay for aiohttp.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
