"""What makes the machine quicker for tests, and for the processes that they start."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

#: A file system in memory, on Linux.
MEMORY = Path("/dev/shm")
#: What servers, the databases of SQLite and revision files need for each worker.
NEEDED = 768 << 20


def keep_files_in_memory(workers: int) -> None:
    """Let temporary files be in memory if there is room, unless ``TMPDIR`` is set.

    Each change of a table on MariaDB syncs a file otherwise, whatever its settings, as
    does each commit on SQLite.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return

    if shutil.disk_usage(MEMORY).free > NEEDED * workers:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def load_no_certificates() -> None:
    """PyMySQL loads all that the machine trusts for each connection, in 30 ms. No
    server of the tests has one.
    """
    os.environ["SSL_CERT_FILE"] = os.devnull
    os.environ["SSL_CERT_DIR"] = os.devnull


def heed_interrupts() -> None:
    """Let Ctrl-C end what is started. A shell lets those it runs in the background
    ignore it, and they pass that on.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
