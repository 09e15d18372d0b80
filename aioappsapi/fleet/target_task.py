"""One task of an executor: a run at one foundation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from aioappsapi.bulk.actions.factory import BulkActionName
from aioappsapi.bulk.actions.scale import Wanted
from aioappsapi.bulk.options import RestageOptions, check_how, check_names
from aioappsapi.bulk.selection.criteria import Criteria, SelectOptions
from aioappsapi.errors import refuse_unless
from aioappsapi.fleet.target import Target

# Options of the whole run, or that cannot be sent to another process.
_NOT_HERE: Final = ("journal", "resume", "deadline", "dry_run", "on_outcome", "on_pause")


class TargetTask(msgspec.Struct, frozen=True, kw_only=True):
    """The work of an executor at one foundation. It can be pickled, and holds no secret.

    `target` is a `Target`, or the name of one in the file of named targets, which is then read
    where the task runs. So are the environment variables that a target names. `keys` are GUIDs;
    without them, `select` has the criteria of `Bulk.select`. `options` are those of the action,
    such as ``{"wait": "all"}``, and `scale` its numbers. Raises InvalidInputError or TypeError for
    options that do not fit together.
    """

    target: Target | str
    action: BulkActionName
    keys: tuple[str, ...] | None = None
    select: SelectOptions | None = None
    options: Mapping[str, object] = {}
    scale: Wanted | None = None

    def __post_init__(self) -> None:
        for name in _NOT_HERE:
            refuse_unless(
                name not in self.options,
                f"{self.name}: {name} is not an option of one task. See run_on().",
            )
        check_names(self.action, self.options, RestageOptions)
        check_how({key: value for key, value in self.options.items() if key != "waves"})
        refuse_unless(
            (self.keys is None) != (self.select is None),
            f"{self.name}: a task needs either keys or select.",
        )
        if self.select is not None:
            Criteria.of(self.select)

    @property
    def name(self) -> str:
        """The name of the target, and of the journal."""
        return self.target if isinstance(self.target, str) else self.target.name
