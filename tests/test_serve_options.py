"""The options of `serve`: what is read without argparse is what argparse makes of it; the rest is left to argparse."""

from __future__ import annotations

import argparse

import pytest

from sidecar.serve_options import OPTIONS, attribute, read


def parsed(words: list[str]) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    for name, settings in OPTIONS.items():
        parser.add_argument(name, **settings)
    return vars(parser.parse_args(words))


READ = [
    [],
    ["--evict"],
    ["--no-warm", "--evict"],
    ["--memory-limit", "512M"],
    ["--memory-limit=1g", "--memory-limit", "2g"],
    ["--allow-path", "/a b", "--allow-path=/c=d", "--allow-path=ü"],
    ["--service", "a:b", "--service=c:d"],
    ["--max-header", "4096", "--max-payload", "2k", "--max-pending", "3M"],
    ["--max-streams=0", "--stream-idle", "5"],
    ["--host-pid", "0"],
    ["--host-pid", str(2**31 - 1)],
    ["--host-pid", "007"],
    ["--max-payload", str(2**63 - 1)],
    *(["--log-level", level] for level in OPTIONS["--log-level"]["choices"]),
]


def short(words: list[str]) -> str:
    """An id for a test."""
    return " ".join(words)[:60]


@pytest.mark.parametrize("words", READ, ids=short)
def test_what_is_read_is_what_argparse_makes_of_it(words: list[str]) -> None:
    assert read(words) == parsed(words)


LEFT = [
    ["--help"],
    ["-h"],
    ["--max-pay", "2G"],
    ["--what"],
    ["stray"],
    ["--"],
    ["--evict=yes"],
    ["--evict="],
    ["--memory-limit"],
    ["--memory-limit", "lots"],
    ["--memory-limit="],
    ["--memory-limit", "--evict"],
    ["--allow-path", ""],
    ["--max-streams", "-1"],
    ["--host-pid", "-1"],
    ["--host-pid", "me"],
    ["--host-pid", " 7 "],
    ["--host-pid", str(2**31)],
    ["--host-pid", "9" * 5000],
    ["--max-header", "0"],
    ["--max-header", "4095"],
    ["--max-header", "9" * 4000 + "G"],
    ["--max-payload", str(2**63)],
    ["--max-payload", "8589934592G"],
    ["--max-pending", "9" * 5000],
    ["--max-payload", "²"],
    ["--max-streams", str(2**63)],
    ["--stream-idle", "9" * 5000],
    ["--log-level", "loud"],
    ["--service"],
    ["--evict", "--what"],
]


@pytest.mark.parametrize("words", LEFT, ids=short)
def test_what_argparse_alone_understands_or_refuses_is_left_to_it(words: list[str]) -> None:
    assert read(words) is None


REFUSED = [words for words in LEFT if words not in (["--"], ["--max-pay", "2G"])]


@pytest.mark.parametrize("words", REFUSED, ids=short)
def test_what_is_left_to_argparse_it_does_not_take_either(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(words)


SAID = {
    "a negative process": (["--host-pid", "-1"], "'-1' is no process id: give a number from 0 to 2147483647"),
    "a large process": (
        ["--host-pid", str(2**31)],
        "'2147483648' is no process id: give a number from 0 to 2147483647",
    ),
    "many digits": (["--host-pid", "9" * 5000], f"'{'9' * 40}…' is no process id"),
    "a small header": (["--max-header", "0"], "'0' is too small: give 4096 bytes or more"),
    "a large size": (["--max-header", "9" * 4000 + "G"], f"'{'9' * 40}…' is more than 9223372036854775807 bytes"),
}


@pytest.mark.parametrize(("words", "said"), SAID.values(), ids=SAID)
def test_a_refusal_says_what_would_do(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(words)
    assert said in capsys.readouterr().err


def test_one_reading_leaves_nothing_for_the_next() -> None:
    read(["--service", "a:b", "--allow-path", "/a"])
    assert read([]) == parsed([])


def test_every_option_has_what_both_ways_need() -> None:
    assert set(parsed([])) == {attribute(name) for name in OPTIONS}
    for settings in OPTIONS.values():
        assert settings.get("action") == "store_true" or callable(settings["type"])
        assert settings["help"]
