"""The words of downloads that fail."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5

import pytest

from tests.messages.saying import says
from tests.truths.served import Served
from xsparks.core.download import check_kept, download
from xsparks.core.errors import WriteError

CONTENT = bytes(range(256)) * 5000


@pytest.fixture
def served() -> Iterator[Served]:
    found = Served()
    found.files["/a"] = CONTENT
    yield found
    found.close()


def test_no_network(tmp_path):
    says(
        ConnectionError,
        f"`http://127.0.0.1:9/a`: the file must be reachable, got [Errno 111] Connection refused. Call again to go on "
        f"where it ended, or put the file at {tmp_path}/a by hand.",
        lambda: download("http://127.0.0.1:9/a", tmp_path / "a"),
    )


def test_no_such_file(served, tmp_path):
    text = "the file must be reachable, got HTTP status 404, Not Found. Call again"
    says(ConnectionError, text, lambda: download(f"{served.address}/b", tmp_path / "b"))


def test_a_transfer_that_breaks_off(served, tmp_path):
    served.stop_after = 700_000
    text = "the file must be reachable, got 700000 of 1280000 bytes. Call again to go on where it ended, or put"
    says(ConnectionError, text, lambda: download(f"{served.address}/a", tmp_path / "a"))


def test_other_content_than_announced_is_not_kept(served, tmp_path):
    served.sum_of = b"other"
    text = f"got content of the MD5 sum {md5(CONTENT).hexdigest()}, where the server announced "
    says(ConnectionError, text + md5(b"other").hexdigest(), lambda: download(f"{served.address}/a", tmp_path / "a"))
    assert not (tmp_path / "a").exists() and not (tmp_path / "a.part").exists()


def test_a_kept_file_that_changed(served, tmp_path):
    path = download(f"{served.address}/a", tmp_path / "a")
    path.write_bytes(b"x" + CONTENT[1:])
    text = f"the one that was downloaded, got other content. Delete it, and it is fetched again from {served.address}"
    says(ValueError, text, lambda: check_kept(path))


def test_disks_that_refuse(served, tmp_path):
    address = f"{served.address}/a"
    remedy = "Free space, or set XSPARKS_CACHE to another folder."
    (tmp_path / "file").write_text("")
    says(WriteError, "the folder must be writable, got", lambda: download(address, tmp_path / "file" / "a"))
    (tmp_path / "b.json").mkdir()
    says(WriteError, f"got Is a directory. {remedy}", lambda: download(address, tmp_path / "b"))
    (tmp_path / "c.part").symlink_to("/dev/full")
    says(WriteError, f"got No space left on device. {remedy}", lambda: download(address, tmp_path / "c"))
