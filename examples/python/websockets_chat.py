"""A chat by the library websockets that Liminal watches.

    python examples/python/websockets_chat.py [PORT]
"""
import asyncio
import sys

from websockets.asyncio.server import broadcast, serve

from liminal.watch import watched

connections = set()


async def chat(connection):
    connections.add(connection)
    try:
        async for message in connection:
            broadcast(connections, message)
    finally:
        connections.discard(connection)


def start(port):
    return serve(watched(chat), "127.0.0.1", port)


async def main():
    async with start(int(sys.argv[1]) if len(sys.argv) > 1 else 8765) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
