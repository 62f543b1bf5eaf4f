"""The names of a target in Rust, Electron and Python, and which of them an interpreter is for."""

from __future__ import annotations

import subprocess
import sys
import sysconfig

import pytest
from bundle.targets import TARGETS, Target, UnsupportedTarget, target_of, this_target

BY_RUST = {target.rust: target for target in TARGETS}


@pytest.mark.parametrize("name", Target._fields)
def test_every_name_is_of_one_target(name: str) -> None:
    assert len({getattr(target, name) for target in TARGETS}) == len(TARGETS) == 6


@pytest.mark.parametrize(
    ("python_platform", "machine", "rust"),
    [
        ("linux-x86_64", "x86_64", "x86_64-unknown-linux-gnu"),
        ("linux-aarch64", "aarch64", "aarch64-unknown-linux-gnu"),
        ("macosx-10.9-x86_64", "x86_64", "x86_64-apple-darwin"),
        ("macosx-14.0-arm64", "arm64", "aarch64-apple-darwin"),
        ("macosx-11.0-universal2", "arm64", "aarch64-apple-darwin"),
        ("macosx-10.13-universal2", "x86_64", "x86_64-apple-darwin"),  # on Intel, or under Rosetta
        ("win-amd64", "AMD64", "x86_64-pc-windows-msvc"),
        ("win-arm64", "ARM64", "aarch64-pc-windows-msvc"),
        ("win-amd64", "ARM64", "x86_64-pc-windows-msvc"),  # emulated: the bundle is for what the interpreter is for
    ],
)
def test_what_an_interpreter_is_for(python_platform: str, machine: str, rust: str) -> None:
    assert target_of(python_platform, machine, is_glibc=True, is_64_bit=True) == BY_RUST[rust]


@pytest.mark.parametrize(
    ("python_platform", "is_glibc", "is_64_bit", "says"),
    [
        pytest.param("linux-x86_64", False, True, "musl", id="musl"),
        pytest.param("linux-x86_64", True, False, "linux-x86_64, 32 bits", id="32 bits on a 64-bit kernel"),
        pytest.param("win32", False, False, "win32, 32 bits", id="32 bits on Windows"),
        pytest.param("linux-riscv64", True, True, "linux-riscv64", id="another processor"),
        pytest.param("freebsd-14.1-RELEASE-amd64", False, True, "freebsd", id="another system"),
        pytest.param("macosx-10.6-intel", False, True, "macosx-10.6-intel", id="an old fat binary"),
    ],
)
def test_what_is_not_supported_is_named(python_platform: str, is_glibc: bool, is_64_bit: bool, says: str) -> None:
    with pytest.raises(UnsupportedTarget) as caught:
        target_of(python_platform, "x86_64", is_glibc, is_64_bit)
    assert says in str(caught.value)
    assert all(target.rust in str(caught.value) for target in TARGETS)


def test_this_interpreter_is_for_the_system_that_runs_it() -> None:
    start = {"linux": "linux-", "darwin": "macosx-", "win32": "win-"}[sys.platform]
    assert this_target().python.startswith(start)
    assert this_target().python.partition("-")[0] == sysconfig.get_platform().partition("-")[0]


def test_rust_knows_the_names() -> None:
    try:
        command = ["rustc", "--print", "target-list"]
        known = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):  # rustup's rustc is there without a toolchain, and fails
        pytest.skip("rustc is not installed")
    assert set(BY_RUST) <= set(known.split())
