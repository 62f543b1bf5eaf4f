"""notarize.sh uploads, waits, heeds the answer and staples what takes a ticket. `xcrun` and `ditto` are played."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .programs import StandIns

NOTARIZE = Path(__file__).parents[2] / "packaging" / "macos" / "notarize.sh"
ANSWER = '{"status":"%s","message":"Processing complete","id":"2efe2717-52ef"}'
DITTO = "Path(arguments[-1]).write_bytes(b'zip')"
XCRUN = """
if arguments[1] == "submit":
    assert Path(arguments[2]).exists()
    print({answer!r})
    sys.exit({code})
if arguments[1] == "log":
    print("the log of " + arguments[2])
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")


@pytest.fixture
def tools(tmp_path: Path) -> StandIns:
    tools = StandIns(tmp_path / "tools")
    tools.add("ditto", DITTO)
    tools.add("xcrun", XCRUN.format(answer=ANSWER % "Accepted", code=0))
    return tools


def made(path: Path) -> Path:
    if path.suffix in (".dmg", ".pkg"):
        path.write_bytes(b"image")
    else:
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "is_packed", "is_stapled"),
    [
        ("My App.app", True, True),
        ("My App.dmg", False, True),
        ("My App.pkg", False, True),
        ("arrow-sidecar-aarch64-apple-darwin", True, False),
    ],
)
def test_what_is_uploaded_and_what_takes_a_ticket(
    tools: StandIns, tmp_path: Path, name: str, is_packed: bool, is_stapled: bool
) -> None:
    path = made(tmp_path / name)
    done = tools.run(NOTARIZE, path, "my profile")
    assert (done.returncode, done.stderr) == (0, "")
    packed = tools.calls("ditto")
    upload = packed[0][-1] if is_packed else str(path)
    assert packed == ([["-c", "-k", "--keepParent", str(path), upload]] if is_packed else [])
    submitted, *stapled = tools.calls("xcrun")
    wanted = ["--keychain-profile", "my profile", "--wait", "--output-format", "json"]
    assert submitted == ["notarytool", "submit", upload, *wanted]
    assert stapled == ([["stapler", "staple", str(path)]] if is_stapled else [])
    assert ("takes no ticket" in done.stdout) is not is_stapled
    assert not is_packed or not Path(upload).exists()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        pytest.param("Invalid", 0, 65, id="refused, though notarytool ends with 0"),
        pytest.param("Invalid", 9, 9, id="refused"),
        pytest.param("In Progress", 2, 2, id="the wait was cut short"),
    ],
)
def test_what_is_not_accepted_shows_the_log(
    tools: StandIns, tmp_path: Path, status: str, code: int, expected: int
) -> None:
    tools.add("xcrun", XCRUN.format(answer=ANSWER % status, code=code))
    done = tools.run(NOTARIZE, made(tmp_path / "My.app"), "p")
    assert done.returncode == expected
    assert "the log of 2efe2717-52ef" in done.stderr
    assert f"not accepted: {status}" in done.stderr
    assert [call[:2] for call in tools.calls("xcrun")] == [["notarytool", "submit"], ["notarytool", "log"]]


@pytest.mark.parametrize(("code", "expected"), [(0, 69), (7, 7)])
def test_what_was_not_submitted(tools: StandIns, tmp_path: Path, code: int, expected: int) -> None:
    tools.add("xcrun", XCRUN.format(answer="Error: no such profile", code=code))
    done = tools.run(NOTARIZE, made(tmp_path / "My.app"), "p")
    assert done.returncode == expected
    assert "no such profile" in done.stderr
    assert len(tools.calls("xcrun")) == 1


def test_what_cannot_be_packed(tools: StandIns, tmp_path: Path) -> None:
    tools.add("ditto", "sys.exit(5)")
    done = tools.run(NOTARIZE, made(tmp_path / "My.app"), "p")
    assert done.returncode == 5
    assert "My.app" in done.stderr
    assert not tools.calls("xcrun")


def test_a_ticket_that_cannot_be_stapled(tools: StandIns, tmp_path: Path) -> None:
    fails = XCRUN.format(answer=ANSWER % "Accepted", code=0) + "if arguments[0] == 'stapler': sys.exit(73)"
    tools.add("xcrun", fails)
    done = tools.run(NOTARIZE, made(tmp_path / "My.app"), "p")
    assert done.returncode == 73
    assert "stapled" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["x"], ["x", ""], ["", "p"], ["x", "p", "y"]], ids=len)
def test_wrong_usage(tools: StandIns, arguments: list[str]) -> None:
    done = tools.run(NOTARIZE, *arguments)
    assert done.returncode == 64
    assert done.stderr.startswith("usage: notarize.sh PATH PROFILE")


def test_what_is_not_there(tools: StandIns, tmp_path: Path) -> None:
    done = tools.run(NOTARIZE, tmp_path / "nowhere.app", "p")
    assert done.returncode == 66
    assert "nowhere.app" in done.stderr
