"""Writes requests of Prometheus' remote-write 1.0 for tests: no more than is needed."""
import struct


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def delimited(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def block(message):
    """A Snappy block that compresses nothing."""
    out = varint(len(message))
    for start in range(0, len(message), 60):
        part = message[start:start + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out


def request(series):
    """The body of a request; `series` are (labels, samples) of (name, value) and (value, ms)."""
    message = b""
    for labels, samples in series:
        one = b"".join(delimited(1, delimited(1, name.encode()) + delimited(2, value.encode()))
                       for name, value in labels)
        one += b"".join(
            delimited(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(at % 2**64))
            for value, at in samples)
        message += delimited(1, one)
    return block(message)
