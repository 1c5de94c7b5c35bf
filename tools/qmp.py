"""A minimal QMP client: enough to stop a guest and to ask the human monitor for its registers. Used by qemu.py."""

import json
import socket


class Error(Exception):
    """The monitor refused a command or hung up."""


class Client:
    def __init__(self, path: str, timeout: float = 10.0):
        self.path = path
        self.timeout = timeout

    def __enter__(self) -> "Client":
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(self.timeout)
        self.socket.connect(self.path)
        self.stream = self.socket.makefile("rw", encoding="utf-8")
        self._receive()  # the greeting
        self.command("qmp_capabilities")
        return self

    def __exit__(self, *_) -> None:
        self.stream.close()
        self.socket.close()

    def _receive(self) -> dict:
        line = self.stream.readline()
        if not line:
            raise Error("the monitor hung up")
        return json.loads(line)

    def command(self, name: str, **arguments):
        request = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        self.stream.write(json.dumps(request) + "\n")
        self.stream.flush()
        while True:
            answer = self._receive()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Error(f"{name}: {answer['error'].get('desc', answer['error'])}")
            # anything else is an event

    def human(self, line: str) -> str:
        return self.command("human-monitor-command", **{"command-line": line}).replace("\r", "")
