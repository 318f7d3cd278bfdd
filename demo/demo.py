"""The whole job of Assay on a real model, told as a story: `make demo`.

Starts the stack in a folder of its own, registers two versions of Magika with files, run and data,
has one approved by two people, asks as an auditor, drops and rebuilds every table, and stops.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import measure
import tables
import yaml
from rich.console import Console

SERVICES = ("metadata", "artifact", "lineage", "approval", "audit")
PEOPLE = {"ann": "Ann Author", "bob": "Bob Validator", "eve": "Eve Owner"}
POLICY = """\
name: production-needs-two
description: Two people other than the submitter let a model into production.
models: ["*"]
stages: [production]
quorum: 2
"""

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(Exception):
    """Something did not go as the story says."""


class Story:
    """Runs commands as a user would, shows them, and checks how they end."""

    def __init__(self, folder: Path) -> None:
        """Keep everything in `folder`."""
        self.folder = folder
        self.environment = os.environ | {
            "ASSAY_DATA": str(folder / "data"),
            "COLUMNS": os.environ.get("COLUMNS", "110"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        }
        self._chapter = 0

    def chapter(self, title: str) -> None:
        """Begin the next part of the story."""
        self._chapter += 1
        console.print(f"\n[bold]{self._chapter}. {title}[/bold]")

    def run(self, *words: str, who: str = "") -> str:
        """Run `assay …` and show what it says; it must succeed."""
        return self._run(words, who, refused_for="")

    def refused(self, *words: str, because: str, who: str = "") -> None:
        """Run `assay …`, which must be refused for a reason."""
        self._run(words, who, refused_for=because)

    def ask(self, *words: str) -> dict[str, object]:
        """Return the JSON answer of `assay … --json`, without showing it."""
        done = self._call((*words, "--json"))
        if done.returncode:
            raise DemoFailed(f"`assay {' '.join(words)}` failed: {done.stdout}{done.stderr}")
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    def _run(self, words: tuple[str, ...], who: str, refused_for: str) -> str:
        words = (*words, "--as", who) if who else words
        shown = " ".join(_quoted(word, self.folder) for word in words)
        console.print(f"[cyan]$ assay {shown}[/cyan]")
        done = self._call(words)
        said = (done.stdout + done.stderr).rstrip()
        console.print("\n".join(f"  {line}" for line in said.splitlines()), markup=False)
        if bool(done.returncode) != bool(refused_for):
            raise DemoFailed(f"`assay {shown}` ended with exit code {done.returncode}.")
        if refused_for:
            self._check_reason(words, refused_for)
        return said

    def _check_reason(self, words: tuple[str, ...], reason: str) -> None:
        """Ask again for the reason that programs see."""
        error = json.loads(self._call((*words, "--json")).stdout)["error"]
        if error["reason"] not in {reason, f"REASON_{reason}"}:
            raise DemoFailed(f"Refused for {error['reason']}, not for {reason}.")

    def _call(self, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "assay.cli", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
            timeout=180,
        )


def tell(story: Story) -> None:
    """Tell the story from the first start to the last stop."""
    story.chapter("Start the whole stack: NATS, Postgres, an S3 store and five services")
    story.run("up")
    files = measure.labelled_files()
    register(story, files)
    let_people_in(story)
    before = datetime.now(UTC)
    approve(story)
    audit(story, before)
    use(story, files)
    rebuild(story)


def register(story: Story, files: list[tuple[Path, str]]) -> None:
    """Register the real weights, and a version made from them, each with its run."""
    story.chapter(f"Measure real weights on {len(files)} files, and register them with their run")
    one, two = measure.weights(), story.folder / "optimised"
    measured = measure.measure(one, files)
    run = write_run(story, "baseline", files, measured, inputs=[])
    story.run("register", "magika", str(one), "--run", str(run), *metrics(measured))
    measure.optimise(one, two)
    measured = measure.measure(two, files)
    base = "namespaces/default/models/magika/versions/1"
    run = write_run(story, "optimise", files, measured, inputs=[base])
    story.run("register", "magika", str(two), "--run", str(run), *metrics(measured))
    story.run("versions", "magika")
    story.run("lineage", "up", "magika/2")


def let_people_in(story: Story) -> None:
    """Enrol three people with keys of their own, and let a policy govern production."""
    story.chapter("Three people enrol their keys; a policy asks for two of them")
    for login, printed_name in PEOPLE.items():
        passphrase = story.folder / f"{login}.passphrase"
        passphrase.write_text(f"correct horse {login}")
        passphrase.chmod(0o600)
        words = ("--name", printed_name, "--passphrase-file", str(passphrase))
        story.run("key", "enrol", *words, who=login)
    policy = story.folder / "policy.yaml"
    policy.write_text(POLICY)
    story.run("policy", "apply", str(policy))


def approve(story: Story) -> None:
    """Try the short ways, which are refused, then the right one."""
    story.chapter("Nobody gets a model into production alone")
    story.refused("stage", "set", "magika", "production", "2", because="APPROVAL_REQUIRED")
    why = ("--reason", "Same accuracy, smaller graph.")
    story.run("approval", "request", "magika/2", "--stage", "production", *why, who="ann")
    (approval,) = items(story.ask("inbox", "--as", "bob"), "approvals")
    name = str(approval["name"])
    story.refused(*sign(story, name, "ann"), because="SELF_APPROVAL", who="ann")
    story.run(*sign(story, name, "bob"), who="bob")
    story.run(*sign(story, name, "eve"), who="eve")
    wait_for_stage(story)
    story.run("show", "magika@production")


def audit(story: Story, before: datetime) -> None:
    """Ask what an auditor asks, as of now and as of before."""
    story.chapter("The auditor asks: what is in production, and who let it in?")
    question = ("audit", "who-approved", "magika", "--stage", "production")
    story.run(*question)
    story.run(*question, "--at", before.isoformat(timespec="microseconds"))
    story.run("history", "magika")
    now = story.ask(*question)
    signers = [str(signer["printed_name"]) for signer in items(now, "signers")]
    expect(str(now["version"]).endswith("/versions/2"), "the auditor was told another version")
    expect(sorted(signers) == ["Bob Validator", "Eve Owner"], f"the signers were {signers}")
    then = story.ask(*question, "--at", before.isoformat(timespec="microseconds"))
    expect(not then.get("version"), "something was in production before the approval")


def use(story: Story, files: list[tuple[Path, str]]) -> None:
    """Pull what is in production, verified, and run it."""
    story.chapter("Whoever deploys pulls exactly what was approved, and it runs")
    target = story.folder / "deployed"
    story.run("pull", "magika@production", str(target))
    measured = measure.measure(target, files[:20])
    console.print(f"  ran on {measured['files']:.0f} files, {measured['median_ms']} ms each")


def rebuild(story: Story) -> None:
    """Throw every table away and make it again from the stream."""
    story.chapter("Postgres is disposable: drop every schema, rebuild it from the stream, compare")
    data = story.folder / "data"
    before = asyncio.run(tables.digests(data))
    dropped = asyncio.run(tables.drop_all(data))
    console.print(f"  dropped the schemas of {', '.join(dropped)}")
    for service in SERVICES:
        story.run("rebuild", service)
    after = asyncio.run(tables.digests(data))
    changed = sorted(t for t in before.keys() | after.keys() if before.get(t) != after.get(t))
    expect(not changed, f"after the rebuild these tables differ: {', '.join(changed)}")
    rows = sum(count for count, _ in before.values())
    console.print(f"  {len(before)} tables, {rows} rows: equal before and after, digest by digest")
    story.run("check")


def items(answer: dict[str, object], field: str) -> list[dict[str, object]]:
    """Return the messages in a repeated field of an answer."""
    found = answer.get(field, [])
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def sign(story: Story, approval: str, login: str) -> tuple[str, ...]:
    """Return the command with which a person signs."""
    passphrase = str(story.folder / f"{login}.passphrase")
    return ("approval", "sign", approval, "--passphrase-file", passphrase, "--yes")


def wait_for_stage(story: Story) -> None:
    """Wait until the grant has moved the stage; it does so by itself."""
    for _ in range(50):
        done = story.ask("audit", "who-approved", "magika", "--stage", "production")
        if done.get("version"):
            return
        time.sleep(0.1)
    raise DemoFailed("The granted version did not enter production within five seconds.")


def write_run(
    story: Story,
    name: str,
    files: list[tuple[Path, str]],
    measured: dict[str, float],
    inputs: list[str],
) -> Path:
    """Write the file that tells how a version was made."""
    run = {
        "name": name,
        "params": {"graph": name, "runtime": "onnxruntime"},
        "metrics": {key: value for key, value in measured.items() if key != "files"},
        "code": {"repository": "demo/measure.py", "commit": commit()},
        "datasets": [{"name": "stdlib-files", "digest": measure.dataset_digest(files)}],
        "input_versions": inputs,
    }
    path = story.folder / f"run-{name}.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def metrics(measured: dict[str, float]) -> tuple[str, ...]:
    """Return the options that give the measured numbers."""
    chosen = ("accuracy", "median_ms")
    return tuple(word for key in chosen for word in ("--metric", f"{key}={measured[key]}"))


def commit() -> str:
    """Return the commit of this checkout, or `unknown` outside of one."""
    git = shutil.which("git") or "git"
    done = subprocess.run(
        [git, "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def expect(held: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Fail the demo with a sentence unless the condition held."""
    if not held:
        raise DemoFailed(f"The demo failed: {otherwise}.")


@contextmanager
def stack_folder() -> Iterator[Path]:
    """Give a folder for the demo, and stop its stack and remove it in the end."""
    folder = Path(tempfile.mkdtemp(prefix="assay-demo-"))
    story = Story(folder)
    try:
        yield folder
    finally:
        console.print("\n[bold]Stop everything[/bold]")
        story.run("down")
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run the demo; return the exit code."""
    start = time.monotonic()
    try:
        with stack_folder() as folder:
            tell(Story(folder))
    except (DemoFailed, subprocess.TimeoutExpired) as failure:
        console.print(f"[red]{failure}[/red]")
        return 1
    console.print(f"\n[green]All of it held, in {time.monotonic() - start:.0f} seconds.[/green]")
    console.print("Try it yourself: make up, then .venv/bin/assay --help")
    return 0


def _quoted(word: str, folder: Path) -> str:
    """Return a word as one would type it, with the demo's folder left out."""
    word = word.replace(f"{folder}/", "")
    return f'"{word}"' if " " in word else word


if __name__ == "__main__":
    sys.exit(main())
