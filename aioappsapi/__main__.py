"""``python -m aioappsapi`` is the command line."""

from aioappsapi.cli import main

main()
