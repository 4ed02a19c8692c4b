"""A forwarder of TCP connections from ::1 to 127.0.0.1: the provider's server, granian, listens at one IP address."""

from __future__ import annotations

import asyncio
import socket
import threading

from .loopback import IPV4, IPV6, bind

MAX_CONNECTIONS = 500  # at the same time; further connections wait
CHUNK = 65_536  # bytes


def forward_ipv6(port: int) -> None:
    """Forward connections from ::1 to the same port of 127.0.0.1, in a thread, until this process ends."""
    listener = bind(IPV6, port)
    listener.listen()
    threading.Thread(target=asyncio.run, args=[_forward(listener, port)], daemon=True).start()


async def _forward(listener: socket.socket, port: int) -> None:
    slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with slots:
            await _forward_connection(reader, writer, port)

    server = await asyncio.start_server(accept, sock=listener)
    await server.serve_forever()


async def _forward_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        provider_reader, provider_writer = await asyncio.open_connection(IPV4, port)
    except OSError:  # the provider is starting or ending
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
    """Copy until the source ends. When one connection breaks, abort the other too."""
    try:
        while chunk := await source.read(CHUNK):
            target.write(chunk)
            await target.drain()
        target.write_eof()
    except OSError:
        target.transport.abort()
