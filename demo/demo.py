"""The whole job of Assay on a real model, told as a story: `make demo`.

Starts the stack in a folder of its own, registers two versions of Magika with files, run and data,
founds the deployment, has one version approved by two people under a policy, asks as an auditor,
revokes it, drops and rebuilds every table, and stops.
"""

import asyncio
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
from people import approve, let_people_in, revoke
from story import DemoFailed, Story, console, expect, items

SERVICES = ("metadata", "artifact", "lineage", "approval", "audit")


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
    revoke(story)
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


if __name__ == "__main__":
    sys.exit(main())
