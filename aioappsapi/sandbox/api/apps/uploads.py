"""Uploads as multipart forms. Only the names of the files matter."""

from __future__ import annotations

import re
from typing import Final

from aioappsapi.sandbox.api.call import Call

EMPTY_ZIP: Final = "PK\5\6" + "\0" * 18
_PART: Final = re.compile(
    rb"content-disposition:\s*form-data;([^\r\n]*)\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]{0,200})",
    re.IGNORECASE,
)
_NAME: Final = re.compile(rb'\bname="?([^";]*)"?')
_FILE: Final = re.compile(rb'\bfilename="?([^";]*)"?')


def parts_of(call: Call) -> dict[str, str]:
    """Return the parts of a form by name: the file name of a file, the text of a text."""
    if "multipart/form-data" not in call.content_type:
        return {}
    found = {}
    for part in _PART.finditer(call.body):
        name, file = _NAME.search(part[1]), _FILE.search(part[1])
        if name is not None:
            value = part[2] if file is None else file[1]
            found[name[1].decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return found
