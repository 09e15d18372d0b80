"""The options of the command line, in the groups that commands share.

A command takes these dataclasses as parameters; cyclopts makes options of their fields. Nothing
here imports the client, so that `--help` and completion stay fast. An option that was not given is
None if the library has its own default.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from cyclopts import Group, Parameter

from aioappsapi.cli.values import choice, count, count_or_share, duration, duration_or_zero

Output = Literal["text", "json", "jsonl"]
Wait = Literal["none", "any", "all", "routable"]
Profile = Literal["none", "demo", "chaos"]
State = Literal["STARTED", "STOPPED"]
LogFormat = Literal["text", "json"]
BulkAction = Literal["start", "stop", "restart", "restage", "scale"]

ARGUMENTS: Final = Group("Arguments", sort_key=0)
_APPS: Final = Group("Which apps", sort_key=1)
_WAIT: Final = Group("When an app counts as done", sort_key=2)
RUN: Final = Group("How the run goes", sort_key=3)
_JOURNAL: Final = Group("If it breaks", sort_key=4)
OUTPUT: Final = Group("Output", sort_key=5)
_TARGET: Final = Group("Which Cloud Foundry", sort_key=6)

# `-` is rewritten to this before parsing, since cyclopts takes a lone dash for an option.
STDIN: Final = "@-"

Words = Annotated[
    str,
    Parameter(
        name="APP",
        group=ARGUMENTS,
        help="GUIDs, names, org/space/app, - for standard input or @FILE, one app a line. "
        "A report as FILE (.json, .jsonl) stands for its apps that are not in the requested state.",
    ),
]
SnapshotFile = Annotated[
    Path, Parameter(name="FILE", group=ARGUMENTS, help="The snapshot, a .json file.")
]
AppName = Annotated[
    str, Parameter(name="APP", group=ARGUMENTS, help="A GUID, a name, or org/space/app.")
]
Include = Annotated[
    tuple[str, ...],
    Parameter(group=OUTPUT, metavar="WHAT", help="Add the names of: space, or space.organization."),
]
OutputFormat = Annotated[
    Output,
    Parameter(
        group=OUTPUT,
        converter=choice(*get_args(Output)),
        help="The format of standard output. Default: text.",
    ),
]
Reports = Annotated[
    tuple[Path, ...],
    Parameter(
        name="--report",
        group=OUTPUT,
        metavar="FILE",
        help="Write a report: .json, .jsonl, .csv, .xml (JUnit), .html or .md. Repeatable.",
    ),
]
WaitFor = Annotated[
    Wait | None,
    Parameter(
        group=_WAIT,
        converter=choice(*get_args(Wait)),
        help="any: one instance of each process runs. all: all instances run. routable: all run "
        "and receive requests. After a stop: no instance is left. Default: none, the server's "
        "answer is enough.",
    ),
]
Yes = Annotated[
    bool,
    Parameter(
        name=("--yes", "-y"), group=RUN, help="Do not ask before many apps, or data, are touched."
    ),
]

Deadline = Annotated[
    float | None,
    Parameter(
        group=RUN,
        metavar="TIME",
        converter=duration,
        help="End the command after this time, login and selection included.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Selectors of apps. An app has to match all options that are given."""

    everything: Annotated[
        bool, Parameter(name="--all", group=_APPS, help="All apps that this login may see.")
    ] = False
    organizations: Annotated[
        tuple[str, ...],
        Parameter(name="--org", group=_APPS, metavar="NAME", help="Organization. Repeatable."),
    ] = ()
    spaces: Annotated[
        tuple[str, ...],
        Parameter(name="--space", group=_APPS, metavar="NAME", help="Space. Repeatable."),
    ] = ()
    label_selector: Annotated[
        str | None,
        Parameter(group=_APPS, metavar="SELECTOR", help="Labels, such as env=prod,!legacy."),
    ] = None
    names: Annotated[
        tuple[str, ...],
        Parameter(
            name="--name",
            group=_APPS,
            metavar="GLOB",
            help="Name, such as 'web-*' or 'acme/prod/web-*'. One without * stands for one app. "
            "Repeatable.",
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Parameter(group=_APPS, metavar="GLOB", help="Skip apps with this name. Repeatable."),
    ] = ()
    state: Annotated[
        State | None,
        Parameter(group=_APPS, converter=choice(*get_args(State)), help="Requested state."),
    ] = None
    stacks: Annotated[
        tuple[str, ...],
        Parameter(name="--stack", group=_APPS, metavar="NAME", help="Stack. Repeatable."),
    ] = ()
    lifecycle: Annotated[
        str | None,
        Parameter(group=_APPS, metavar="TYPE", help="Lifecycle: buildpack, cnb or docker."),
    ] = None
    droplet_older_than: Annotated[
        float | None,
        Parameter(
            group=_APPS,
            metavar="TIME",
            converter=duration,
            help="Apps whose droplet was made longer ago, such as 90d.",
        ),
    ] = None
    skip_unknown: Annotated[
        bool,
        Parameter(group=_APPS, help="Leave out names that no app has, instead of refusing them."),
    ] = False

    def __bool__(self) -> bool:
        return self != Selection(exclude=self.exclude, skip_unknown=self.skip_unknown)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WaitFlags:
    """Options for when an app is done, and how many apps start at a time."""

    wait: WaitFor = None
    startup_timeout: Annotated[
        float | None,
        Parameter(
            group=_WAIT,
            metavar="TIME",
            converter=duration,
            help="How long an app may take to come up. Default: CF_STARTUP_TIMEOUT (in minutes), "
            "or 5m.",
        ),
    ] = None
    crash_grace: Annotated[
        float | None,
        Parameter(
            group=_WAIT,
            metavar="TIME",
            converter=duration_or_zero,
            help="How long an app may stay crashed, or wait for a free cell, before it counts as "
            "failed. Default: 30s.",
        ),
    ] = None
    max_starting: Annotated[
        int | None,
        Parameter(
            group=_WAIT,
            metavar="N",
            converter=count(1),
            help="Hold starts back while this many instances are starting. Needs --wait.",
        ),
    ] = None
    max_starting_mb: Annotated[
        int | None,
        Parameter(
            group=_WAIT,
            metavar="MB",
            converter=count(1),
            help="Hold starts back while starting instances have this much memory. Needs --wait.",
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RunFlags:
    """Limits of a run, and its early end."""

    concurrency: Annotated[
        int | None,
        Parameter(
            group=RUN,
            metavar="N",
            converter=count(1, 10_000),
            help="Work on at most this many apps at a time. Fewer are in flight while the server "
            "shows that more would not help. Default: 200.",
        ),
    ] = None
    deadline: Deadline = None
    give_up_after: Annotated[
        float | None,
        Parameter(
            group=RUN,
            metavar="TIME",
            converter=duration,
            help="End the run when all requests have failed for this time. Default: 1m.",
        ),
    ] = None
    max_failures: Annotated[
        int | float | None,
        Parameter(
            group=RUN,
            metavar="N|SHARE",
            converter=count_or_share,
            help="Stop after this many failures, or this share of all apps: 5, 20%, 0.2.",
        ),
    ] = None
    max_failures_per_target: Annotated[
        int | float | None,
        Parameter(
            group=RUN,
            metavar="N|SHARE",
            converter=count_or_share,
            help="With several targets: stop one of them after this many failures.",
        ),
    ] = None
    no_skip_unchanged: Annotated[
        bool,
        Parameter(
            name="--no-skip-unchanged",
            group=RUN,
            help="Send the request even for apps that are already in the requested state.",
        ),
    ] = False
    dry_run: Annotated[
        bool, Parameter(group=RUN, help="Change nothing; predict the outcome of each app.")
    ] = False
    yes: Yes = False
    force: Annotated[
        bool,
        Parameter(group=RUN, help="Accept a report or a snapshot of another target."),
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class JournalFlags:
    """The file from which an interrupted run can continue."""

    journal: Annotated[
        Path | None,
        Parameter(
            group=_JOURNAL,
            metavar="FILE",
            help="Write each app to this file before its request is sent. With several targets, a "
            "folder.",
        ),
    ] = None
    resume: Annotated[
        bool, Parameter(group=_JOURNAL, help="Continue the run of the --journal file.")
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputFlags:
    """Options for output and files."""

    output: OutputFormat = "text"
    report: Reports = ()
    quiet: Annotated[
        bool,
        Parameter(
            name=("--quiet", "-q"),
            group=OUTPUT,
            help="Print no progress, and a summary only if an app is not in the requested state.",
        ),
    ] = False
    no_progress: Annotated[
        bool, Parameter(name="--no-progress", group=OUTPUT, help="Print no progress.")
    ] = False

    @property
    def shows_progress(self) -> bool:
        """Whether progress is printed."""
        return not (self.quiet or self.no_progress)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LogFlags:
    """Logging and progress on standard error."""

    verbose: Annotated[
        bool,
        Parameter(name=("--verbose", "-v"), group=OUTPUT, help="Log retries and decisions too."),
    ] = False
    trace: Annotated[
        bool,
        Parameter(group=OUTPUT, help="Log every request: method, path, status, time; no secrets."),
    ] = False
    log_format: Annotated[
        LogFormat,
        Parameter(
            group=OUTPUT,
            converter=choice(*get_args(LogFormat)),
            help="The format of log lines. Default: text.",
        ),
    ] = "text"


def names_of_targets(_: object) -> list[str]:
    """Complete the names in the file with targets."""
    from aioappsapi.fleet.targets_file import target_names

    return target_names()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TargetFlags:
    """Target and login. Default: the environment, else the `cf` command."""

    targets: Annotated[
        tuple[str, ...],
        Parameter(
            name="--target",
            group=_TARGET,
            metavar="NAME",
            completer=names_of_targets,
            help="A named target, or a glob of names such as 'eu-*'. Repeatable.",
        ),
    ] = ()
    all_targets: Annotated[
        bool, Parameter(name="--all-targets", group=_TARGET, help="All named targets.")
    ] = False
    sandbox: Annotated[
        int | None,
        Parameter(
            group=_TARGET,
            metavar="N",
            converter=count(1, 100_000),
            help="Use an embedded Cloud Controller with N apps instead of a real target.",
        ),
    ] = None
    profile: Annotated[
        Profile | None,
        Parameter(
            group=_TARGET,
            converter=choice(*get_args(Profile)),
            help="Which faults the sandbox has. Default: demo.",
        ),
    ] = None
    seed: Annotated[
        int | None,
        Parameter(
            group=_TARGET,
            metavar="N",
            converter=count(0),
            help="Which apps of the sandbox fail. Default: 0.",
        ),
    ] = None
    ca_file: Annotated[
        Path | None,
        Parameter(
            group=_TARGET, metavar="FILE", help="Trust the certificate authorities of a PEM file."
        ),
    ] = None
    insecure: Annotated[
        bool, Parameter(group=_TARGET, help="Do not check the server's certificate.")
    ] = False
