"""The resources of the API as immutable, typed values: the results of the client's calls.

The public names are in `__init__.pyi`. Each module is imported when one of its names is first used.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
