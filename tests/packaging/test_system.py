"""The packages that a system's libraries belong to: what dpkg and rpm print, where each keeps its licences."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from bundle.component import Component
from bundle.system import Run, component_of, run


def printing(answers: Mapping[str, str]) -> Run:
    """A runner that knows some commands, without their formats; others fail."""

    def run(command: Sequence[str]) -> str:
        return answers.get(" ".join(word for word in command if "%{" not in word and "${" not in word), "")

    return run


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library, found through a link, as the loader finds it."""
    file = tmp_path / "usr" / "lib" / "libthing.so.1.2"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    return file


def put(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param("libthing1:amd64: PATH\n", id="of an architecture"),
        pytest.param("libthing1: PATH\n", id="of all"),
        pytest.param("libthing1:amd64, libthing1:i386: PATH\n", id="of two"),
        pytest.param(
            "diversion by other from: PATH\ndiversion by other to: PATH.x\nlibthing1:amd64: PATH\n", id="diverted"
        ),
    ],
)
def test_dpkg(library: Path, tmp_path: Path, printed: str) -> None:
    put(tmp_path, "usr/share/doc/libthing1/copyright", "It is under /usr/share/common-licenses/GPL-3.\nAnd LGPL-2.1.")
    put(tmp_path, "usr/share/common-licenses/GPL-3", "the GPL")
    put(tmp_path, "usr/share/common-licenses/LGPL-2.1", "the LGPL")
    name = "libthing1:amd64" if "amd64" in printed else "libthing1"
    answers = {f"dpkg-query -S {library.as_posix()}": printed, f"dpkg-query -W -f {name}": "1.2-3"}
    found = component_of(library, printing(answers), tmp_path)
    assert found is not None
    assert found[:3] == ("libthing1", "1.2-3", "")
    assert [text for _, text in found.texts] == [
        "It is under /usr/share/common-licenses/GPL-3.\nAnd LGPL-2.1.",
        "the GPL",
    ]


@pytest.mark.parametrize(
    ("real", "packed"),
    [("/usr/lib/libz.so.1.2.13", "/lib/libz.so.1.2.13"), ("/lib/libz.so.1.2.13", "/usr/lib/libz.so.1.2.13")],
)
@pytest.mark.skipif(not Path("/lib").is_dir(), reason="of systems with a /usr")
def test_dpkg_knows_a_file_by_the_name_it_was_packed_with(tmp_path: Path, real: str, packed: str) -> None:
    if Path(real).resolve() != Path(real):
        real, packed = str(Path(real).resolve()), real
    found = component_of(Path(real), printing({f"dpkg-query -S {packed}": f"zlib1g:amd64: {packed}\n"}), tmp_path)
    assert found == Component("zlib1g", "", "", ())


def test_rpm(library: Path, tmp_path: Path) -> None:
    put(tmp_path, "usr/share/licenses/libthing/COPYING", "terms")
    put(tmp_path, "elsewhere/LICENSE", "more terms")
    answers = {
        f"rpm -qf --queryformat {library.as_posix()}": "libthing\t1.2-3.el9\tLGPLv2+\tthing-1.2-3.el9.src.rpm\n",
        "rpm -q --licensefiles libthing": "/elsewhere/LICENSE\n",
    }
    assert component_of(library, printing(answers), tmp_path) == Component(
        "libthing",
        "1.2-3.el9",
        "LGPLv2+",
        (("elsewhere/LICENSE", "more terms"), ("usr/share/licenses/libthing/COPYING", "terms")),
    )


def test_rpm_whose_licence_is_with_another_of_the_same_source(library: Path, tmp_path: Path) -> None:
    put(tmp_path, "usr/share/licenses/libgcc/COPYING.RUNTIME", "the exception")
    put(tmp_path, "usr/share/licenses/another/LICENSE", "of something else")
    answers = {
        f"rpm -qf --queryformat {library.as_posix()}": "libstdc++\t11\tGPLv3+\tgcc.src.rpm\n",
        "rpm -qa --queryformat": "another\t1\tMIT\tanother.src.rpm\nlibstdc++\t11\tX\tgcc.src.rpm\n"
        "libgcc\t11\tX\tgcc.src.rpm\n",
    }
    found = component_of(library, printing(answers), tmp_path)
    assert found is not None
    assert found.texts == (("usr/share/licenses/libgcc/COPYING.RUNTIME", "the exception"),)


def test_homebrew(tmp_path: Path) -> None:
    keg = tmp_path / "Cellar" / "openssl@3" / "3.4.0"
    put(keg, "LICENSE.txt", "terms")
    put(keg, "README.md", "hello")
    put(keg, "lib/libssl.3.dylib", "")
    (tmp_path / "opt").mkdir()
    link = tmp_path / "opt" / "openssl@3"
    try:
        link.symlink_to(keg, target_is_directory=True)
    except OSError:  # links need a right on Windows, where there is no Homebrew
        link = keg
    found = component_of(link / "lib" / "libssl.3.dylib", printing({}), tmp_path)
    assert found == Component("openssl@3", "3.4.0", "", (("LICENSE.txt", "terms"),))


def test_nobody_knows_it(library: Path, tmp_path: Path) -> None:
    assert component_of(library, printing({}), tmp_path) is None


@pytest.mark.parametrize("command", [["no-such-program-is-here"], ["git", "no-such-command"]])
def test_a_program_that_fails_says_nothing(command: list[str]) -> None:
    assert run(command) == ""


@pytest.mark.parametrize("name", ["libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"])
def test_a_library_of_this_system(name: str) -> None:
    folders = [Path("/lib/x86_64-linux-gnu"), Path("/lib/aarch64-linux-gnu"), Path("/usr/lib64")]
    file = next((folder / name for folder in folders if (folder / name).exists()), None)
    if file is None or not (shutil.which("dpkg-query") or shutil.which("rpm")):
        pytest.skip(f"{name} is not installed here as a package")
    found = component_of(file)
    assert found is not None
    assert found.version
    assert any("GPL" in text or "zlib" in text for _, text in found.texts)
