#!/usr/bin/env python
"""Run a command of entsvc."""

import gc
import os
import sys


def main() -> None:
    """Run the command given on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "entsvc.settings")
    from django.core.management import execute_from_command_line

    # Starting makes objects that all stay, migrating by the thousand: fewer rounds of the collector.
    gc.set_threshold(50_000, 20, 50)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
