"""Free ports on loopback."""

import secrets
import socket

HOST = "127.0.0.1"
# Below the range from which Linux takes ports for outgoing connections, so that a port
# of a stopped stack is still free when it starts again.
LOWEST, HIGHEST = 15_000, 32_000


def is_free(port: int) -> bool:
    """Say whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def answers(port: int) -> bool:
    """Say whether something listens on `port`."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def free(taken: set[int]) -> int:
    """Return a free port that is not among `taken`, and add it to them."""
    while True:
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if port not in taken and is_free(port):
            taken.add(port)
            return port


def assign(names: tuple[str, ...], remembered: dict[str, int]) -> dict[str, int]:
    """Return a free port for each name, the remembered one where it is still free."""
    kept = {name: port for name, port in remembered.items() if name in names and is_free(port)}
    taken = set(kept.values())
    return {name: kept[name] if name in kept else free(taken) for name in names}
