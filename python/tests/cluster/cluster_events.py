"""A made-up log: people who talk from a few addresses, one who floods, one whose messages fail."""
import random

START = 1_800_000_000


def recorded(seconds: int, users: int = 60, seed: int = 3) -> list[dict]:
    draw = random.Random(seed)
    # The first at a whole second: from there on seconds are counted.
    lines = [{"t": START, "user": "user-0", "kind": "connect", "ip": "10.0.0.0"}]
    for second in range(seconds):
        for _ in range(draw.randrange(4)):
            user = draw.randrange(users)
            lines.append({"t": START + second + draw.random() * .99, "user": f"user-{user}",
                          "kind": "message", "bytes": 20 + draw.randrange(80),
                          "ip": f"10.0.0.{user % 7}", "channel": f"room-{user % 5}"})
        if second > seconds // 2:
            for i in range(5):
                lines.append({"t": START + second + i * .19, "user": "mallory", "kind": "message",
                              "bytes": 40, "ip": "10.0.0.99", "channel": "room-0", "hash": 7})
            lines.append({"t": START + second + .5, "user": "failing", "kind": "error", "bytes": 9})
    return sorted(lines, key=lambda line: line["t"])
