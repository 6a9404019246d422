"""A server that is further away: a proxy that keeps back what is sent, in a process of
its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from subprocess import PIPE
from subprocess import Popen

#: From the end of one direction to the begin of the other, in seconds.
ROUND_TRIP = 0.002


@contextlib.contextmanager
def distant(port: int) -> Iterator[int]:
    """Run a proxy before a server of this machine.

    :param port: The port of the server.
    :return: The port of the proxy.
    """
    command = [sys.executable, "-m", "benchmarks.distance", str(port)]

    with Popen(command, stdout=PIPE, text=True) as process:
        assert process.stdout is not None

        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def serve(port: int) -> None:
    async def connect(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()

    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            loop.call_later(ROUND_TRIP / 2, writer.write, data)

    loop.call_later(ROUND_TRIP / 2, writer.close)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
