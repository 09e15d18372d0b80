"""The commands by name. A command's module is imported when that command is typed, not before."""

from __future__ import annotations

from typing import Final

from cyclopts import App, Group, Parameter

from aioappsapi._version import __version__
from aioappsapi.cli.flags import ARGUMENTS

_LOGIN: Final = """\
Target and login come from the environment: CF_API, with CF_USERNAME and CF_PASSWORD, or
CF_CLIENT_ID and CF_CLIENT_SECRET, or CF_ACCESS_TOKEN. Without CF_API they come from the cf command
(`cf login`). --target NAME takes a target from the file of named targets, AIOAPPSAPI_CONFIG or
~/.config/aioappsapi/config.toml. --sandbox N needs none of them."""
_STATUS: Final = """\
Exit status: 0 every app is in the requested state, 1 some are not, 2 wrong usage, 3 could not
begin, 4 a report or the output could not be written, 130/143/129 ended by Ctrl-C, SIGTERM or
SIGHUP."""

_TARGETS_FILE: Final = """\
The file is AIOAPPSAPI_CONFIG, or else ~/.config/aioappsapi/config.toml (below XDG_CONFIG_HOME, if
that is set). It may hold no secret: it names environment variables, or the CF_HOME of a cf login.
A target without a login uses the one that goes with CF_API.
"""

_MANY: Final = Group("Many apps", sort_key=1)
_OTHER: Final = Group("One app, reports, testing", sort_key=2)
_THIS: Final = Group("This program", sort_key=3)
_COMMANDS: Final = Group("Commands")
_OPTIONS: Final = Group("Options", sort_key=9)


def _epilogue(*paragraphs: str, examples: str = "") -> str:
    lines = [f"  {line}" for line in examples.splitlines()]
    parts = ["\n".join(["Examples:", *lines])] if lines else []
    return "\n\n".join([*parts, *(" ".join(one.split()) for one in paragraphs)])


def _app(name: str, text: str, **settings: object) -> App:
    return App(
        name=name,
        help=text,
        help_flags=("--help", "-h"),
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=False),
        group_arguments=ARGUMENTS,
        group_commands=_COMMANDS,
        group_parameters=_OPTIONS,
        suppress_keyboard_interrupt=False,
        **settings,  # type: ignore[arg-type]
    )


app = _app(
    "aioappsapi",
    "Start, stop and restart many Cloud Foundry apps, and know what happened to each.",
    version=f"aioappsapi {__version__}",
    help_epilogue=_epilogue(
        _LOGIN,
        _STATUS,
        examples="aioappsapi start --all --sandbox 500\naioappsapi start --help",
    ),
)
app["--help"].group = _THIS
app["--version"].group = _THIS
app["--version"].help = "Print the version."
app["--help"].help = "Print this help; after a command, the help of that command."


def _add(
    parent: App,
    name: str,
    path: str,
    text: str,
    *,
    usage: str,
    examples: str,
    notes: tuple[str, ...] = (_LOGIN, _STATUS),
    group: Group | None = None,
) -> None:
    whole = f"{parent.name[0]} {name}" if parent is app else f"aioappsapi {parent.name[0]} {name}"
    parent.command(
        f"aioappsapi.cli.commands.{path}",
        name=name,
        help=text,
        usage=f"Usage: {whole} {usage}".rstrip(),
        help_epilogue=_epilogue(*notes, examples=examples),
        help_format="plaintext",
        default_parameter=Parameter(negative=(), show_default=False),
        group=group,
    )


# -- many apps

for _name, _text, _more in (
    ("start", "Start many apps.", ""),
    ("stop", "Stop many apps.", ""),
    ("restart", "Restart many apps, each at most once.", " --strategy rolling"),
):
    _add(
        app,
        _name,
        f"bulk:{_name}",
        _text,
        usage="[APP...] [OPTIONS]",
        examples=f"aioappsapi {_name} --org acme --space prod --name 'web-*' --wait all\n"
        f"aioappsapi {_name} @run.json{_more} --report again.json --deadline 15m",
        group=_MANY,
    )
_add(
    app,
    "restage",
    "bulk:restage",
    "Build the newest package of many apps, and run the new droplets.",
    usage="[APP...] [OPTIONS]",
    examples="aioappsapi restage --stack cflinuxfs3 --to-stack cflinuxfs4 --canary 5%\n"
    "aioappsapi restage --org acme --max-building 10 --journal restage.journal",
    group=_MANY,
)
_add(
    app,
    "scale",
    "bulk:scale",
    "Set instances, memory and disk of many apps; apps that have these numbers are skipped.",
    usage="[APP...] [OPTIONS]",
    examples="aioappsapi scale --org acme --name 'web-*' --instances 2 --wait all\n"
    "aioappsapi scale --label-selector tier=small --memory-mb 512 --process worker",
    group=_MANY,
)
_add(
    app,
    "snapshot",
    "window:snapshot",
    "Write the states and instance counts of apps to a file, so that `restore` can bring them "
    "back.",
    usage="FILE [APP...] [OPTIONS]",
    examples="aioappsapi snapshot before.json --all\n"
    "aioappsapi snapshot before.json --org acme --exclude 'batch-*'",
    notes=(_LOGIN,),
    group=_MANY,
)
_add(
    app,
    "restore",
    "window:restore",
    "Bring apps back to a snapshot: their states and instances, and memory and droplets if asked.",
    usage="FILE [OPTIONS]",
    examples="aioappsapi restore before.json --wait all --journal restore.journal\n"
    "aioappsapi restore before.json --dry-run",
    group=_MANY,
)

# -- one app

apps = _app(
    "apps",
    "Work on one app, or list apps.",
    group=_OTHER,
    help_epilogue=_epilogue(
        _LOGIN,
        examples="aioappsapi apps list --org acme\naioappsapi apps start web --wait all",
    ),
)
app.command(apps)

_REFUSED: Final = (
    "Exit status: 0 done, 1 the server refused, 2 wrong usage, 3 could not begin, 4 the output "
    "could not be written."
)
_add(
    apps,
    "list",
    "apps:list_apps",
    "List the apps that this login may see, or those that are selected.",
    usage="[OPTIONS]",
    examples="aioappsapi apps list --org acme --droplet-older-than 90d\n"
    "aioappsapi apps list --state stopped --output jsonl | jq -r .guid",
    notes=(_LOGIN, _REFUSED),
)
for _name, _text, _options in (
    ("get", "Show an app.", "--include space.organization"),
    ("env", "Show the environment of an app. It contains secrets.", "--output json"),
    ("features", "Show the features of an app, and whether they are on.", "--output json"),
    ("permissions", "Show what this login may read of an app.", "--output json"),
    ("ssh", "Show whether ssh into an app works.", "--output json"),
    ("droplet", "Show the droplet that an app runs.", "--output json"),
    ("start", "Start an app.", "--wait routable --deadline 5m"),
    ("stop", "Stop an app.", "--wait all"),
    ("restart", "Restart an app, at most once.", "--wait all --deadline 5m"),
    ("delete", "Delete an app with all that belongs to it, and wait until it is gone.", "--yes"),
):
    _add(
        apps,
        _name,
        f"apps:{_name}",
        _text,
        usage="APP [OPTIONS]",
        examples=f"aioappsapi apps {_name} web\naioappsapi apps {_name} web {_options}",
        notes=(_LOGIN, _REFUSED),
    )

# -- reports and testing

reports = _app(
    "report",
    "Look at the reports of earlier runs.",
    group=_OTHER,
    help_epilogue=_epilogue(
        "Reports are files; no target and no login are needed.",
        examples="aioappsapi report show run.json\naioappsapi report compare monday.json run.json",
    ),
)
app.command(reports)
_add(
    reports,
    "show",
    "report:show",
    "Print what happened to the apps of each run.",
    usage="FILE... [OPTIONS]",
    examples="aioappsapi report show run.json\naioappsapi report show *.json --output json",
    notes=(
        "Reports are files; no target and no login are needed.",
        "Exit status: 0, or 2 if a file is not a report.",
    ),
)
_add(
    reports,
    "compare",
    "report:compare",
    "Compare two runs: apps whose status differs, times, requests.",
    usage="BEFORE AFTER [OPTIONS]",
    examples="aioappsapi report compare monday.json tuesday.json --report changes.html\n"
    "aioappsapi report compare eu.json us.jsonl --output json",
    notes=(
        "Reports are files; no target and no login are needed.",
        "Exit status: 0, 1 if an app got worse, 2 if a file is not a report.",
    ),
)
_add(
    reports,
    "merge",
    "report:merge",
    "Make one report of several: of one action, and of different apps or targets.",
    usage="FILE... [OPTIONS]",
    examples="aioappsapi report merge eu.json us.json --report all.html\n"
    "aioappsapi report merge part-*.jsonl --report all.json --output json",
    notes=(
        "Reports are files; no target and no login are needed.",
        "Exit status: 0, 2 if the reports cannot be merged, 4 if a file could not be written.",
    ),
)
_add(
    app,
    "targets",
    "targets:targets",
    "Show named targets: where, who, until when, with which roles, and what does not work there.",
    usage="[NAME...] [OPTIONS]",
    examples="aioappsapi targets\naioappsapi targets 'eu-*' --output json",
    notes=(
        _TARGETS_FILE,
        "Exit status: 0 all of them can be used, 1 some cannot, 2 wrong usage or a broken file.",
    ),
    group=_OTHER,
)
_add(
    app,
    "sandbox",
    "sandbox:sandbox",
    "Serve an embedded Cloud Controller until Ctrl-C. Its user is admin / admin.",
    usage="[OPTIONS]",
    examples="aioappsapi sandbox --port 8080 --apps 500\n"
    "aioappsapi sandbox --profile chaos --seed 7 --rate-limit 1000",
    notes=(
        "The address is the first line of the output. No target and no login are needed.",
        "Clients log in as admin / admin, or with the client admin-client / admin-secret.",
        "Exit status: 0 after Ctrl-C or SIGTERM, 2 wrong usage, 3 could not listen.",
    ),
    group=_OTHER,
)
_add(
    app,
    "--install-completion",
    "completion:install",
    "Install completion of commands and options for your shell.",
    usage="[OPTIONS]",
    examples="aioappsapi --install-completion\n"
    "aioappsapi --install-completion --shell zsh --file ~/.zfunc/_aioappsapi",
    notes=("Completion needs no target and no login. Exit status: 0, 2 or 4.",),
    group=_THIS,
)
