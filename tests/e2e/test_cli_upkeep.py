"""Upkeep on the command line: what is found wrong is told without doing what it says."""

from pathlib import Path

import asyncpg

from assay_serve.embedded import control
from assay_serve.embedded.data_folder import DataFolder
from tests.e2e.conftest import Assay

EVIL = "safe\u202egnp.exe\u009b2J"


async def test_a_difference_is_told_with_its_characters_visible(
    assay: Assay, tmp_path: Path
) -> None:
    (tmp_path / "w").write_text("w")
    assay.run("register", "tampered", str(tmp_path / "w"))
    assay.run("lineage", "up", "tampered/1")  # the row is there
    told = control.wiring(DataFolder(assay.data)).owner_env("lineage")
    db = await asyncpg.connect(told["ASSAY_POSTGRES_OWNER_URL"])
    name = "namespaces/default/models/tampered/versions/1"
    try:
        changed = "UPDATE lineage.node SET display_name = $1 WHERE name = $2"
        assert await db.execute(changed, EVIL, name) == "UPDATE 1"
    finally:
        await db.close()
    found = assay.run("check", "lineage", status=1)
    assay.run("rebuild", "lineage")
    assert "safe\\u{202e}gnp.exe" in found.stdout
    assert all(c.isprintable() or c == "\n" for c in found.stdout + found.stderr)
    assert assay.run("check", "lineage").stdout == "The read model lineage equals its rebuild.\n"
