"""`python -m assay_serve.embedded up|down|status|run --data DIR`: the stack on one machine."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from assay_serve.embedded import (
    contexts,
    control,
    credentials,
    data_folder,
    files,
    objects,
    record,
    services,
)
from assay_serve.embedded.data_folder import DataFolder
from assay_serve.embedded.failures import Failed, Refused
from assay_serve.embedded.supervisor import Supervisor


def main() -> int:
    """Do what the command line asks; return the exit code."""
    arguments = _parser().parse_args()
    folder = data_folder.find(arguments.data)
    verbs: dict[str, Callable[[DataFolder, argparse.Namespace], int]] = {
        "up": _up, "down": _down, "status": _status, "run": _run, "supervise": _supervise,
    }  # fmt: skip
    try:
        return verbs[arguments.verb](folder, arguments)
    except Failed as failure:
        _say_why(str(failure), failure.log, failure.tail(), as_json=arguments.json)
    except Refused as refusal:
        _say_why(str(refusal), None, "", as_json=arguments.json)
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m assay_serve.embedded", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data", type=Path, default=Path(".assay"), help="the data folder")
    common.add_argument("--json", action="store_true", help="answer as JSON")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", parents=[common], help="start everything, and wait until it works")
    verbs.add_parser("down", parents=[common], help="stop everything")
    verbs.add_parser("status", parents=[common], help="say how each process fares")
    run = verbs.add_parser("run", parents=[common], help="run a service's entry point by hand")
    run.add_argument("service", choices=contexts.SERVICES)
    run.add_argument("argv", nargs=argparse.REMAINDER, help="such as `rebuild` or `check`")
    supervise = verbs.add_parser("supervise", parents=[common])  # what `up` leaves behind
    supervise.add_argument("--tell", type=int, required=True)
    return parser


def _up(folder: DataFolder, arguments: argparse.Namespace) -> int:
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # either ends what was begun

    def tell(name: str, address: str) -> None:
        if not arguments.json:
            print(f"  {name:<10} {address:<16} {time.monotonic() - begun:5.1f} s", flush=True)

    endpoints = control.up(folder, tell)
    seconds = time.monotonic() - begun
    if arguments.json:
        print(json.dumps({"endpoints": endpoints, "seconds": round(seconds, 2)}))
    else:
        print(f"Assay is up in {folder.path} ({seconds:.1f} s).")
    return 0


def _down(folder: DataFolder, arguments: argparse.Namespace) -> int:
    stopped = control.down(folder)
    if arguments.json:
        print(json.dumps({"stopped": stopped}))
    else:
        print(f"Assay is down in {folder.path}." if stopped else f"Nothing ran in {folder.path}.")
    return 0


def _status(folder: DataFolder, arguments: argparse.Namespace) -> int:
    lines = control.status(folder)
    is_healthy = control.is_healthy(lines)
    if arguments.json:
        print(json.dumps({"healthy": is_healthy, "processes": [asdict(line) for line in lines]}))
    elif lines:
        print(f"{'NAME':<11}{'PID':>8}{'PORT':>7}  {'STATE':<14}{'RESTARTS':>8}{'UPTIME':>10}")
        for line in lines:
            port = line.port or ""
            print(
                f"{line.name:<11}{line.pid:>8}{port:>7}  {line.state:<14}"
                f"{line.restarts:>8}{line.uptime_seconds:>8.0f} s"
            )
    else:
        print(f"Assay is not running in {folder.path}.")
    return 0 if is_healthy else 1


def _run(folder: DataFolder, arguments: argparse.Namespace) -> int:
    wiring = control.wiring(folder)
    name = arguments.service
    command = services.python((wiring.modules.services[name], *arguments.argv))
    os.execve(command[0], command, {**os.environ, **wiring.owner_env(name)})


def _supervise(folder: DataFolder, arguments: argparse.Namespace) -> int:
    os.set_inheritable(arguments.tell, False)  # noqa: FBT003 - named so by the standard library
    held = control.hold_supervisor_lock(folder)
    with os.fdopen(arguments.tell, "w") as pipe:

        def tell(**message: object) -> None:
            with contextlib.suppress(BrokenPipeError):  # who asked may have gone
                print(json.dumps(message), file=pipe, flush=True)

        try:
            _supervise_until_told_to_stop(folder, tell)
        except Failed as failure:
            tell(failed=str(failure), log=str(failure.log))
            return 1
        except Refused as refusal:
            tell(refused=str(refusal))
            return 1
        finally:
            (folder.run / "supervisor.pid").unlink(missing_ok=True)
            os.close(held)
    return 0


def _supervise_until_told_to_stop(folder: DataFolder, tell: Callable[..., None]) -> None:
    files.write(folder.run / "supervisor.pid", f"{os.getpid()}\n")
    record.end_all(folder)
    secrets, modules = credentials.load_or_make(folder), services.Modules.from_environ()
    names = ("nats", "postgres", *objects.PORTS, *modules.services)
    names += tuple(map(services.internal, modules.services))
    seconds = float(os.environ.get("ASSAY_UP_SECONDS", "60"))
    assigned = control.assign_ports(folder, names)
    wiring = services.Wiring(folder, secrets, assigned, modules, seconds)

    def when_up(late: list[Failed]) -> None:
        if late:
            tell(failed=str(late[0]), log=str(late[0].log))
        else:
            tell(done=True)

    supervisor = Supervisor(wiring, lambda name: tell(up=name, at=wiring.address(name)))
    asyncio.run(supervisor.run(when_up))


def _say_why(sentence: str, log: Path | None, tail: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": sentence, "log": str(log or ""), "tail": tail}))
        return
    print(sentence, file=sys.stderr)
    if tail:
        print(f"The end of {log}:\n{tail}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
