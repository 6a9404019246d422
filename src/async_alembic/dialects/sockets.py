from __future__ import annotations

import os
import socket


def shut_down(fileno: int) -> None:
    """End a network connection from this side, without waiting for the other one.
    Whoever waits for an answer gets an error.

    :param fileno: The file descriptor of its socket.
    """
    with socket.socket(fileno=os.dup(fileno)) as sock:
        sock.shutdown(socket.SHUT_RDWR)
