"""What the conformance tests share: starting the upstream and the gateway, and stopping them."""
import contextlib
import pathlib
import re
import signal
import subprocess
import tempfile

READY = re.compile(r"ready listen=(\S+)")

# Everything passes: it is the protocol that is tested. Autobahn sends 16 MiB in one message, and
# 4 MiB in frames of 64 bytes.
CONFIGURATION = """
mode = "observe"
[gateway]
message_bytes_max = "64 MiB"
fragments_max = 1000000
connections_per_address_max = 0
"""


@contextlib.contextmanager
def started(*command):
    """A program that says where it listens on its first line; gives HOST:PORT."""
    program = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    try:
        while True:
            line = program.stdout.readline()
            if not line:
                raise RuntimeError(f"{command[0]} ended before it was ready ({program.wait()})")
            if match := READY.search(line):
                yield match.group(1)
                break
    finally:
        program.send_signal(signal.SIGTERM)
        try:
            program.wait(15)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


@contextlib.contextmanager
def gateway(liminal, upstream):
    """`liminal serve` in front of an upstream; gives HOST:PORT of the gateway."""
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder) / "liminal.toml"
        configuration.write_text(CONFIGURATION)
        with started(liminal, "serve", "--config", configuration, "--listen", "127.0.0.1:0",
                     "--api", "127.0.0.1:0", "--upstream", f"ws://{upstream}",
                     "--data", pathlib.Path(folder) / "data") as address:
            yield address
