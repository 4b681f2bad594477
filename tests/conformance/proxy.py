#!/usr/bin/env python3
"""Holds the gateway to what a WebSocket proxy must do, byte by byte from outside.

  proxy.py LIMINAL ECHO_UPSTREAM

What is malformed or could be read in two ways is refused before the upstream sees it; what is in order
passes unchanged, however it is cut. Needs nothing but Python's own library.
"""
import argparse
import os
import socket
import struct
import sys

import programs

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE_S = 20
FIN, TEXT, BINARY, CLOSE, PING, PONG = 0x80, 1, 2, 8, 9, 10
NOT_IN_ORDER = 1002
TOO_BIG = 1009

REQUEST = ["GET /chat HTTP/1.1", "Host: a.example", "Connection: Upgrade", "Upgrade: websocket",
           f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13"]


def request(*more, line=None, without=None):
    lines = [line or REQUEST[0]]
    lines += [field for field in REQUEST[1:] if not (without and field.startswith(without))]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode("latin-1")


def frame(opcode, payload=b"", fin=True, mask=b"\x12\x34\x56\x78", length=None, reserved=0):
    """A client's frame, in order or, by `length` (7, 16 or 64 bits), `mask` and `reserved`, not."""
    size = len(payload)
    bits = length or (7 if size < 126 else 16 if size < 65536 else 64)
    masked = 0x80 if mask else 0
    first = (FIN if fin else 0) | reserved | opcode
    head = {7: lambda: bytes([first, masked | size]),
            16: lambda: struct.pack("!BBH", first, masked | 126, size),
            64: lambda: struct.pack("!BBQ", first, masked | 127, size)}[bits]()
    if not mask:
        return head + payload
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


class Client:
    """A connection that sends what it is told and reads what a server sends."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, byte_by_byte=False):
        try:
            for piece in ([data[i:i + 1] for i in range(len(data))] if byte_by_byte else [data]):
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before the end: what was answered tells

    def read(self, size):
        while len(self.buffer) < size:
            try:
                got = self.socket.recv(65536)
            except ConnectionResetError:
                got = b""
            if not got:
                raise EOFError(f"ended with {self.buffer!r}")
            self.buffer += got
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(1)
        return head.decode("latin-1")

    def status(self):
        return int(self.head().split(" ")[1])

    def upgrade(self, *more, line=None, byte_by_byte=False):
        self.send(request(*more, line=line), byte_by_byte)
        head = self.head()
        assert " 101 " in head.split("\r\n")[0], head
        return head

    def frame(self):
        """The next frame: (first byte, payload)."""
        first, second = self.read(2)
        assert not second & 0x80, "a server's frame is masked"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self.read(8))
        return first, self.read(size)

    def close_code(self):
        """The code of the close frame that comes, whatever comes before it."""
        while True:
            first, payload = self.frame()
            if first & 0x0F == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else None


def refused_requests():
    """What is sent instead of a request → the status that refuses it."""
    key = REQUEST[4]
    yield "bare line feeds", request().replace(b"\r\n", b"\n"), 400
    yield "a bare carriage return", request("X: a\rb"), 400
    yield "NUL in a value", request("X: a\0b"), 400
    yield "a folded field", request("X: a", " b"), 400
    yield "a space before the colon", request("Content-Length : 5"), 400
    yield "two hosts", request("Host: b.example"), 400
    yield "no host", request(without="Host"), 400
    yield "two keys", request(key), 400
    yield "two versions", request("Sec-WebSocket-Version: 13"), 400
    yield "two upgrades", request("Upgrade: websocket"), 400
    yield "a choice of upgrades", request("Upgrade: h2c", without="Upgrade"), 400
    yield "a body", request("Content-Length: 5") + b"hello", 400
    yield "two lengths", request("Content-Length: 0", "Content-Length: 5"), 400
    yield "a chunked body", request("Transfer-Encoding: chunked") + b"0\r\n\r\n", 400
    yield "an obscured chunked body", request("Transfer-Encoding: x, \x0bchunked"), 400
    yield "a connection that names a field", request("Connection: X-Forwarded-For"), 400
    yield "the absolute form", request(line="GET http://b.example/ HTTP/1.1"), 400
    yield "a fragment in the target", request(line="GET /a#b HTTP/1.1"), 400
    yield "two requests in a row", request() + request(), 400
    yield "frames before the answer", request() + frame(TEXT, b"early"), 400
    yield "a short key", request("Sec-WebSocket-Key: YWJj", without="Sec-WebSocket-Key"), 400
    yield "an old protocol", request(line="GET /chat HTTP/1.0"), 505
    yield "a new protocol", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505
    yield "another method", request(line="POST /chat HTTP/1.1"), 405
    yield "no upgrade", request(without="Upgrade"), 426
    yield "an old version", request("Sec-WebSocket-Version: 8", without="Sec-WebSocket-Version"), 426
    yield "a long target", request(line=f"GET /{'x' * 5000} HTTP/1.1"), 414
    yield "a large head", request(*[f"X-{i}: {'x' * 1000}" for i in range(20)]), 431
    yield "many fields", request(*[f"X-{i}: x" for i in range(100)]), 431


def refused_frames():
    """What is sent after the upgrade → the code that the connection is closed with."""
    yield "a frame without a mask", frame(TEXT, b"hello", mask=None), NOT_IN_ORDER
    yield "16 bits for a length of 5", frame(TEXT, b"hello", length=16), NOT_IN_ORDER
    yield "64 bits for a length of 5", frame(TEXT, b"hello", length=64), NOT_IN_ORDER
    yield "64 bits for a length of 200", frame(TEXT, b"x" * 200, length=64), NOT_IN_ORDER
    for bit in (0x40, 0x20, 0x10):
        yield f"reserved bit {bit:#x}", frame(TEXT, b"hello", reserved=bit), NOT_IN_ORDER
    for opcode in (3, 7, 11, 15):
        yield f"reserved opcode {opcode}", frame(opcode), NOT_IN_ORDER
    yield "a fragmented ping", frame(PING, b"", fin=False), NOT_IN_ORDER
    yield "a ping of 126 bytes", frame(PING, b"x" * 126), NOT_IN_ORDER
    yield "a continuation of nothing", frame(0, b"hello"), NOT_IN_ORDER
    yield "a message inside a message", frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), NOT_IN_ORDER
    yield ("a length with the top bit",
           struct.pack("!BBQ", FIN | BINARY, 0xFF, 1 << 63) + b"mask", NOT_IN_ORDER)
    yield ("a message of a terabyte",
           struct.pack("!BBQ", FIN | BINARY, 0xFF, 1 << 40) + b"mask", TOO_BIG)
    # These two are the upstream's to judge, unless the gateway is told to.
    yield "text that is not UTF-8", frame(TEXT, b"\xff"), 1007
    yield "a close code that may not be sent", frame(CLOSE, struct.pack("!H", 1005)), NOT_IN_ORDER


def check_refusals(gateway):
    for what, data, status in refused_requests():
        for byte_by_byte in (False, True):
            # What follows a whole head may come after the answer when it comes alone.
            if byte_by_byte and data.find(b"\r\n\r\n") not in (-1, len(data) - 4):
                continue
            with Client(gateway) as client:
                client.send(data, byte_by_byte and len(data) < 1500)
                got = client.status()
                yield f"refuse {what}", got == status, f"status {got}, not {status}"
    for what, data, code in refused_frames():
        for byte_by_byte in (False, True):
            with Client(gateway) as client:
                client.upgrade()
                client.send(data, byte_by_byte)
                got = client.close_code()
                yield f"refuse {what}", got == code, f"code {got}, not {code}"


def check_passing(gateway):
    for size in (0, 1, 125, 126, 127, 65535, 65536, 1_000_000):
        payload = os.urandom(size)
        with Client(gateway) as client:
            client.upgrade()
            client.send(frame(BINARY, payload))
            yield f"pass {size} bytes", client.frame() == (FIN | BINARY, payload), "another message"
    for byte_by_byte in (False, True):
        with Client(gateway) as client:
            client.upgrade("Sec-WebSocket-Extensions: permessage-deflate", byte_by_byte=byte_by_byte)
            client.send(frame(TEXT, "caf".encode(), fin=False) + frame(PING, b"beat") +
                        frame(0, "é".encode()[:1], fin=False) + frame(PONG, b"?") +
                        frame(0, "é".encode()[1:]) + frame(CLOSE, struct.pack("!H", 3999) + b"bye"),
                        byte_by_byte)
            got = [client.frame() for _ in range(3)]
            expected = [(FIN | PONG, b"beat"), (FIN | TEXT, "café".encode()),
                        (FIN | CLOSE, struct.pack("!H", 3999))]
            yield "pass fragments with control frames between them", got == expected, repr(got)
    with Client(gateway) as client:
        client.upgrade()
        client.send(b"".join(frame(TEXT, str(i).encode()) for i in range(1000)))
        got = [client.frame()[1] for _ in range(1000)]
        yield "keep the order of many messages", got == [str(i).encode() for i in range(1000)], "mixed"


def check_head(gateway):
    """What the upstream gets to see of the request."""
    with Client(gateway) as client:
        answer = client.upgrade("Sec-WebSocket-Extensions: permessage-deflate", "Keep-Alive: 5",
                                "Content-Length: 0", "X-Kept: yes", line="GET /a?head&b=%20 HTTP/1.1")
        head = client.frame()[1].decode("latin-1").split("\r\n")
    names = [line.split(":")[0].lower() for line in head[1:] if line]
    yield "keep the target", head[0] == "GET /a?head&b=%20 HTTP/1.1", head[0]
    yield "keep other fields", "X-Kept: yes" in head, repr(head)
    yield "name the client's address", "x-forwarded-for" in names, repr(head)
    for name in ("sec-websocket-extensions", "keep-alive", "content-length"):
        yield f"strip {name}", name not in names, repr(head)
    yield "send no field twice", len(names) == len(set(names)), repr(names)
    yield "choose no extension", "extensions" not in answer.lower(), answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("liminal")
    parser.add_argument("echo_upstream")
    options = parser.parse_args()
    checks = failures = 0
    with programs.started(options.echo_upstream) as upstream, \
         programs.gateway(options.liminal, upstream) as gateway:
        for group in (check_refusals, check_passing, check_head):
            running = group(gateway)
            while True:
                try:
                    what, held, otherwise = next(running)
                except StopIteration:
                    break
                except (EOFError, OSError, AssertionError) as problem:
                    what, held, otherwise = group.__name__, False, repr(problem)
                checks += 1
                if not held:
                    failures += 1
                    print(f"does not {what}: {otherwise}")
    print(f"{checks} checks, {failures} failed")
    return 1 if failures or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
