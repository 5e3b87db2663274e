"""Health check of a container: exit code 0 if a path on this machine's port answers 200; without imports that cost."""

import socket
import sys

TIMEOUT_SECONDS = 3.0


def answers(port: int, path: str) -> bool:
    """Whether the path answers 200 within three seconds."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            status_line = connection.recv(64)
            while connection.recv(4096):
                pass  # to the end: who answers must not meet a closed connection
            return b" 200 " in status_line
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(0 if answers(int(sys.argv[1]), sys.argv[2]) else 1)
