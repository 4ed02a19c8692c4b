"""What comes to ::1 is passed on to 127.0.0.1: granian, which the provider runs in, listens at one address alone."""

from __future__ import annotations

import asyncio
import socket
import threading

from .loopback import IPV4, IPV6, bind

MAX_CONNECTIONS = 500  # forwarded at the same time; more wait for their turn
CHUNK = 65_536  # bytes


def forward_ipv6(port: int) -> None:
    """Pass on what comes to ::1 to the same port of 127.0.0.1, in a thread, until this process ends."""
    listener = bind(IPV6, port)
    listener.listen()
    threading.Thread(target=asyncio.run, args=[_forward(listener, port)], daemon=True).start()


async def _forward(listener: socket.socket, port: int) -> None:
    turns = asyncio.Semaphore(MAX_CONNECTIONS)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with turns:
            await _pass_on(reader, writer, port)

    server = await asyncio.start_server(take, sock=listener)
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        provider_reader, provider_writer = await asyncio.open_connection(IPV4, port)
    except OSError:  # it has not come up yet, or is about to end
        writer.transport.abort()
        return
    requests = asyncio.create_task(_copy(reader, provider_writer))
    try:
        await _copy(provider_reader, writer)
    finally:
        requests.cancel()
        provider_writer.close()
        writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy until the source ends. A connection that was broken off is broken off on the other side too."""
    try:
        while chunk := await source.read(CHUNK):
            target.write(chunk)
            await target.drain()
        target.write_eof()
    except OSError:
        target.transport.abort()
