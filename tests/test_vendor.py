"""What static/vendor keeps is exactly what its VERSIONS.txt says."""

import hashlib
import re
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
LINES = [
    line.split()
    for line in (VENDOR / "VERSIONS.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
LISTED = [line[0] for line in LINES]
KEPT = sorted(
    path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file() and path.name != "VERSIONS.txt"
)


def test_every_line_is_file_version_hash():
    for line in LINES:
        assert len(line) == 3, line
        assert re.fullmatch(r"\d+\.\d+\.\d+", line[1]), line
        assert re.fullmatch(r"[0-9a-f]{64}", line[2]), line


def test_every_kept_file_is_listed_once_and_every_listed_file_is_kept():
    assert sorted(LISTED) == KEPT


@pytest.mark.parametrize(("file", "version", "sha256"), LINES, ids=LISTED)
def test_the_file_is_the_one_that_was_pinned(file, version, sha256):
    assert hashlib.sha256((VENDOR / file).read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize("file", KEPT)
def test_no_file_points_at_a_source_map(file):
    # The manifest storage looks up what such a comment names, and there is none.
    assert b"sourceMappingURL" not in (VENDOR / file).read_bytes()


@pytest.mark.parametrize("folder", sorted({file.split("/")[0] for file in KEPT}))
def test_every_package_keeps_its_licence_and_one_version(folder):
    assert f"{folder}/LICENSE" in KEPT
    assert len({version for file, version, _ in LINES if file.startswith(f"{folder}/")}) == 1
