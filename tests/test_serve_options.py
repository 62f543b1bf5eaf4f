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
    ["--max-header", "1", "--max-payload", "2k", "--max-pending", "3M"],
    ["--max-streams=0", "--stream-idle", "5"],
    ["--host-pid", "0"],
    ["--host-pid", " 7 "],
    *(["--log-level", level] for level in OPTIONS["--log-level"]["choices"]),
]


@pytest.mark.parametrize("words", READ, ids=" ".join)
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
    ["--log-level", "loud"],
    ["--service"],
    ["--evict", "--what"],
]


@pytest.mark.parametrize("words", LEFT, ids=" ".join)
def test_what_argparse_alone_understands_or_refuses_is_left_to_it(words: list[str]) -> None:
    assert read(words) is None


def test_one_reading_leaves_nothing_for_the_next() -> None:
    read(["--service", "a:b", "--allow-path", "/a"])
    assert read([]) == parsed([])


def test_every_option_has_what_both_ways_need() -> None:
    assert set(parsed([])) == {attribute(name) for name in OPTIONS}
    for settings in OPTIONS.values():
        assert settings.get("action") == "store_true" or callable(settings["type"])
        assert settings["help"]
