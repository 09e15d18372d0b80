"""Usage errors, with a text of our own instead of the parser's."""

from __future__ import annotations

from collections.abc import Iterable

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from aioappsapi.cli.values import did_you_mean


def explain(error: CycloptsError) -> str:
    """Describe in one line the usage error and where to find help. Options appear as typed."""
    chain = " ".join(["aioappsapi", *(error.command_chain or ())])
    return f"{_what(error)} See `{chain} --help`."


def _what(error: CycloptsError) -> str:
    match error:
        case UnknownOptionError():
            typed = error.token.keyword or error.token.value
            shown = [one for one in error.argument_collection if one.show]
            return _unknown(typed, [name for argument in shown for name in argument.names])
        case UnknownCommandError():
            typed = (error.unused_tokens or [""])[0]
            text = _unknown(typed, error.app or ())
            is_early = typed.startswith("-") and text.endswith(f"{typed}.")
            return f"{text} Options come after the command." if is_early else text
        case RepeatArgumentError():
            return f"{error.token.keyword} was given more than once."
        case UnusedCliTokensError():
            rest = " ".join(map(repr, error.unused_tokens or ()))
            return f"There are more arguments than this command takes: {rest}."
        case MissingArgumentError():
            name = error.keyword or (error.argument.name if error.argument else "An argument")
            return f"{name} needs a value." if name.startswith("-") else f"{name} is missing."
        case CoercionError():
            return _bad_value(error)
        case _:
            error.verbose = False
            return str(error)


def _unknown(typed: str, names: Iterable[str]) -> str:
    kind = "option" if typed.startswith("-") else "command"
    known = [name for name in names if name.startswith("-") == typed.startswith("-")]
    return f"There is no {kind} {typed}.{did_you_mean(typed, known)}"


def _bad_value(error: CoercionError) -> str:
    option = error.token.keyword if error.token is not None else None
    name = option or (error.argument.name.lstrip("-").upper() if error.argument else "A value")
    if error.msg is not None:
        return f"{name}: {error.msg}"
    typed = "" if error.token is None else repr(error.token.value)
    if error.target_type is bool:
        return f"{name} takes no value, but got {typed}."
    kind = {int: "a whole number", float: "a number"}.get(error.target_type or str, "a valid value")
    return f"{name}: {typed} is not {kind}."
