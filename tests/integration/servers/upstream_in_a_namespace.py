"""Become COMMAND where api.mistral.ai is a server of this script: ``FOLDER COMMAND ARGS``.

Runs in user, network and mount namespaces of its own (``unshare -rnm``), so that nothing is reached by
accident. The server answers every workflow that has the key "right", and ends when COMMAND has ended.
"""

import fcntl
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

HOST = "api.mistral.ai"
IFF_UP, SIOCSIFFLAGS = 1, 0x8914
STARTED = {
    "workflow_name": "report",
    "execution_id": "execution-1",
    "root_execution_id": "execution-1",
    "status": "RUNNING",
    "start_time": "2026-11-20T08:00:00Z",
    "end_time": None,
    "result": None,
}


class Workflows(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        allowed = self.headers["Authorization"] == "Bearer right"
        body = json.dumps(STARTED if allowed else {"detail": "Unauthorized"}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Leave stderr to the server under test."""


def serve(certificate: trustme.LeafCert, alive: int) -> None:
    """Answer until the other end of the pipe ``alive`` is closed."""
    server = ThreadingHTTPServer(("127.0.0.1", 443), Workflows)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.close(0)
    os.close(1)
    os.write(ready_for_use, b".")
    select.select([alive], [], [])
    os._exit(0)


folder, command = Path(sys.argv[1]), sys.argv[2:]
hosts = folder / "hosts"
hosts.write_text(f"127.0.0.1 {HOST} localhost\n", encoding="utf-8")
subprocess.run(["/bin/mount", "--bind", str(hosts), "/etc/hosts"], check=True)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
authority = trustme.CA()
authority.cert_pem.write_to_path(str(folder / "ca.pem"))
alive, held = os.pipe()
ready, ready_for_use = os.pipe()
if os.fork() == 0:
    os.close(held)
    serve(authority.issue_cert(HOST), alive)
os.read(ready, 1)
os.set_inheritable(held, True)  # closed by the system when the command has ended
os.environ["NODE_EXTRA_CA_CERTS"] = str(folder / "ca.pem")
os.execvp(command[0], command)  # noqa: S606  # it is the very server that is diagnosed
