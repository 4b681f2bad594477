"""ONNX files that Liminal leaves to ONNX Runtime, written with nothing but Python's own library."""
import struct


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def number(place, value):
    return varint(place << 3) + varint(value)


def block(place, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(place << 3 | 2) + varint(len(content)) + content


def tensor(name, shape, values):
    return (b"".join(number(1, axis) for axis in shape) + number(2, 1)
            + block(4, struct.pack(f"<{len(values)}f", *values)) + block(8, name))


def port(name, columns):
    rows = block(1, block(2, "rows"))
    shape = block(2, rows + block(1, number(1, columns)))
    return block(1, name) + block(2, block(1, number(1, 1) + shape))


def node(kind, inputs, output):
    return b"".join(block(1, each) for each in inputs) + block(2, output) + block(4, kind)


def network(weights, bias, more=()):
    """Sigmoid(x·weights + bias), and the nodes `more` between the sum and the sigmoid, each a kind
    of operator of one input."""
    nodes = [node("MatMul", ["x", "weights"], "t0"), node("Add", ["t0", "bias"], "t1")]
    last = "t1"
    for i, kind in enumerate(more, 2):
        nodes.append(node(kind, [last], f"t{i}"))
        last = f"t{i}"
    nodes.append(node("Sigmoid", [last], "y"))
    graph = (b"".join(block(1, each) for each in nodes) + block(2, "network")
             + block(5, tensor("weights", [len(weights), 1], weights))
             + block(5, tensor("bias", [1], [bias]))
             + block(11, port("x", len(weights))) + block(12, port("y", 1)))
    return number(1, 8) + block(2, "a test") + block(8, number(2, 17)) + block(7, graph)
