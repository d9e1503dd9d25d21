"""A token from standard input: by a pipe, or typed without being shown."""

import os
import threading
from contextlib import suppress
from typing import Final

import click

from adapters.tokens.compact import MAX_LENGTH

PATIENCE: Final = 5.0
"""Seconds that a program in front of the pipe is given."""

_STDIN: Final = 0  # not sys.stdin: its lock, held by a thread that waits, would be missed at the end


def read_token(patience: float = PATIENCE) -> str:
    """The first line, without its end; empty where standard input is.

    Raises:
        ClickException: nothing comes in time.
    """
    if os.isatty(_STDIN):
        return str(click.prompt("Token", hide_input=True, err=True))
    came = bytearray()
    reader = threading.Thread(target=_read, args=(came,), daemon=True)
    reader.start()
    reader.join(patience)
    if reader.is_alive():
        raise click.ClickException(f"no line came on standard input within {patience:g} s: end it, or give --token T")
    return came.decode("utf-8", "replace").partition("\n")[0].removesuffix("\r")


def _read(came: bytearray) -> None:
    # As much as is enough to tell that it is too long.
    with suppress(OSError):
        while len(came) <= MAX_LENGTH and b"\n" not in came and (chunk := os.read(_STDIN, MAX_LENGTH)):
            came += chunk
