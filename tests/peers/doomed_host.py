"""A host that will be killed. `doomed_host.py MODE PATH COMMAND…` starts a sidecar and says which processes there are.

idle      the sidecar has nothing to do
loading   it loads PATH
leaking   a third process holds the writing end of its input, so that the input never ends
streaming it serves PATH, which is `tests.peers.streaming:make`, and streams of all sorts are open; its standard error
          is this host's
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.peers.raw import RawHost
from tests.peers.stream_host import ROOT, StreamHost

THIRD = [sys.executable, "-c", "import signal; signal.pause()"]


def main(mode: str, path: str, command: list[str]) -> None:
    """Never ends by itself."""
    if mode == "streaming":
        stream(path, command)
    with RawHost.spawn(command, process_group=0) as host:
        host.hello()
        host.call(0, "ping")
        pids = [host.process.pid]
        if mode == "loading":
            host.request("load", "load", {"path": path})
            host.request("ping", "ping")
            while host.answer()["id"] != "ping":
                pass
        if mode == "leaking":
            third = subprocess.Popen(
                THIRD, pass_fds=[host.input_fd], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            pids.append(third.pid)
        os.write(1, f"{' '.join(map(str, pids))}\n".encode())
        signal.pause()


def stream(service: str, command: list[str]) -> None:
    """The mode `streaming`."""
    with StreamHost.spawn(command, "--service", service, process_group=0, stderr=None, cwd=ROOT) as host:
        host.hello()
        host.open("waiting producer", "count", credit_bytes=0)
        host.open("busy producer", "count", credit_bytes=2**40)
        host.open("exchange", "scale")
        host.open("never", "obey")
        host.do("never", "never a")
        host.serve("started", name="a")
        os.write(1, f"{host.process.pid}\n".encode())
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
