"""The file with named targets. It is read and never written, and may hold no secret."""

from __future__ import annotations

import difflib
import fnmatch
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aioappsapi.errors import InvalidInputError

if TYPE_CHECKING:
    from aioappsapi.fleet.target import Target

_TABLES: Final = ("targets", "defaults")
_PATHS: Final = ("cf_home", "ca_file", "client_cert", "client_key")
# A key with one of these words holds a secret, unless it names a variable or a file.
_SECRET: Final = ("password", "secret", "token", "passcode", "assertion", "jwt", "credential")


def targets_path() -> Path:
    """Return the path of the file: `AIOAPPSAPI_CONFIG`, or below `XDG_CONFIG_HOME`.

    Raises InvalidInputError if the home directory is unknown.
    """
    if named := os.environ.get("AIOAPPSAPI_CONFIG"):
        return Path(named)
    try:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    except RuntimeError:
        raise InvalidInputError(
            "The home directory is unknown: set AIOAPPSAPI_CONFIG to the file with your targets."
        ) from None
    return folder / "aioappsapi" / "config.toml"


def read_targets(path: str | Path | None = None) -> dict[str, Target]:
    """Read the named targets, in the order of the file.

    `path` is by default ``$AIOAPPSAPI_CONFIG``, else
    ``$XDG_CONFIG_HOME/aioappsapi/config.toml``. Each table ``[targets.NAME]`` has the fields of a
    `Target`; ``[defaults]`` has fields for all of them. Relative paths start at the file's folder.
    Raises InvalidInputError if the file is missing or broken, or if it holds a secret.
    """
    import msgspec

    from aioappsapi.fleet.target import Target

    file = targets_path() if path is None else Path(path)
    document = _read(file)
    _check_tables(file, document)
    defaults = _table(file, "defaults", document.get("defaults", {}))
    _check_keys(file, "defaults", defaults, Target.__struct_fields__)
    found: dict[str, Target] = {}
    for name, given in _table(file, "targets", document.get("targets", {})).items():
        where = f"targets.{name}"
        table = _table(file, where, given)
        _check_keys(file, where, table, Target.__struct_fields__)
        fields = _with_whole_paths({**defaults, **table}, file) | {"name": name}
        try:
            found[name] = msgspec.convert(fields, Target)
        except msgspec.ValidationError as wrong:
            # The decoder's words have types and keys, and no values.
            raise InvalidInputError(f"{file}, [{where}]: {wrong}") from None
    return found


def target_names(path: Path | None = None) -> list[str]:
    """Return the names in the file without checking it; none if it cannot be read."""
    try:
        found = _read(targets_path() if path is None else path).get("targets")
    except InvalidInputError:
        return []
    return list(found) if isinstance(found, dict) else []


def choose_targets(targets: Mapping[str, Target], globs: Iterable[str]) -> dict[str, Target]:
    """Return the targets whose name matches one of some globs, in the order of the globs.

    Raises InvalidInputError for a glob that matches none.
    """
    chosen: dict[str, Target] = {}
    for glob in globs:
        matching = [name for name in targets if fnmatch.fnmatchcase(name, glob)]
        if not matching:
            close = difflib.get_close_matches(glob, targets, 1)
            hint = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(targets)}."
            raise InvalidInputError(f"There is no target {glob}. {hint if targets else ''}".strip())
        chosen |= {name: targets[name] for name in matching}
    return chosen


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInputError(
            f"There are no named targets: {file} does not exist. Write it, or set "
            "AIOAPPSAPI_CONFIG to your file."
        ) from None
    except OSError as cause:
        raise InvalidInputError(f"{file} cannot be read: {cause.strerror or cause}.") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"{file} is not UTF-8.") from None
    except RecursionError:
        raise InvalidInputError(f"{file} is nested too deeply.") from None
    except ValueError as wrong:  # also a number of thousands of digits
        raise InvalidInputError(f"{file} is not TOML: {_without_text(wrong)}.") from None


def _without_text(wrong: ValueError) -> str:
    """Return where the file is broken. The parser's words may quote it."""
    _, found, place = str(wrong).rpartition("(at ")
    return f"look at {place.rstrip(')')}" if found else "its end is missing"


def _table(file: Path, where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"{file}: {where} is not a table. Write it as [{where}].")
    return value


def _check_tables(file: Path, document: Mapping[str, object]) -> None:
    for key in document:
        _refuse_secret(file, key, key)
        if key not in _TABLES:
            raise InvalidInputError(
                f"{file}: there is no table [{key}]. Targets are tables like [targets.eu]."
            )


def _check_keys(
    file: Path, where: str, table: Mapping[str, object], fields: tuple[str, ...]
) -> None:
    known = [field for field in fields if field != "name"]
    for key in table:
        if key in known:
            continue
        _refuse_secret(file, f"{where}.{key}", key)
        close = difflib.get_close_matches(key, known, 1)
        hint = f"Did you mean {close[0]}?" if close else f"It has: {', '.join(known)}."
        raise InvalidInputError(f"{file}: {where} has no field {key}. {hint}")


def _refuse_secret(file: Path, where: str, key: str) -> None:
    if any(word in key.lower() for word in _SECRET) and not key.lower().endswith("_env"):
        raise InvalidInputError(
            f"{file}: {where} is a secret, and this file may hold none. Remove it, put it into an "
            "environment variable, and write the name of the variable as password_env, "
            "client_secret_env or access_token_env."
        )


def _with_whole_paths(fields: dict[str, object], file: Path) -> dict[str, object]:
    paths = {
        key: str(file.parent.absolute() / Path(value).expanduser())
        for key in _PATHS
        if isinstance(value := fields.get(key), str)
    }
    return fields | paths
