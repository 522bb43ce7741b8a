"""A balancer before several nodes: each connection goes to the next of them."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


@contextmanager
def balancing(address: str, nodes: Sequence[str]) -> Iterator[Counter[str]]:
    """Serve at the address what the nodes answer; how many connections each has had."""
    connections, turns = Counter(dict.fromkeys(nodes, 0)), cycle(nodes)
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while content := await reader.read(65_536):
                writer.write(content)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node = next(turns)
        connections[node] += 1
        from_node, to_node = await asyncio.open_connection("127.0.0.1", _port(node))
        await asyncio.gather(pass_on(reader, to_node), pass_on(from_node, writer))

    async def serve() -> None:
        await asyncio.start_server(accept, "127.0.0.1", _port(address))
        started.set()

    def run() -> None:
        loop.create_task(serve())
        loop.run_forever()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(30)
        yield connections
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
