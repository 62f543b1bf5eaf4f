"""Nothing in a bundle is without a licence, and the notice has each text once, in one order."""

from __future__ import annotations

import os
from importlib.metadata import distribution
from pathlib import Path

import pytest
from bundle.component import Component
from bundle.licences import LicencesMissing, component_of, components, finders, notice

import sidecar

from .conftest import Install

KNOWN = Component("known", "1", "MIT", (("LICENSE", "terms"),))
SILENT = Component("silent", "2", "", ())
SOURCES = {"_internal/known.so": Path("known.so"), "known": Path("known.py"), "known.part": Path("known.py")}


def made_up(source: Path) -> Component | None:
    return {"known": KNOWN, "silent": SILENT}.get(source.stem)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        pytest.param(Path(os.__file__), "CPython", id="the standard library"),
        pytest.param(Path(sidecar.__file__), "arrow-sidecar", id="this project"),
        pytest.param(Path(__file__).parents[2] / "packaging" / "entry.py", "arrow-sidecar", id="its entry point"),
        pytest.param(Path(pytest.__file__), "pytest", id="a distribution"),
    ],
)
def test_whose_a_file_is(source: Path, name: str) -> None:
    found = component_of(source)
    assert found is not None
    assert found.name == name
    assert found.version
    assert found.licence
    assert found.texts


def test_the_bootloader_is_of_pyinstaller() -> None:
    """It is the executable: GPL, with the exception that lets it be part of one."""
    pytest.importorskip("PyInstaller", reason="PyInstaller is not installed")
    loader = next(path for path in distribution("pyinstaller").files or () if "bootloader" in path.parts)
    found = component_of(Path(str(loader.locate())))
    assert found is not None
    assert found.name == "pyinstaller"
    assert any("Bootloader Exception" in text for _, text in found.texts)


def test_a_distribution_in_a_folder_of_the_developer_s(install: Install) -> None:
    """As `pip install --target` puts it there."""
    site = install("thing", "License-Expression: MIT\n", {"thing.py": "", "INFO/licenses/LICENSE": "terms"})
    vendor = site.rename(site.with_name("vendor"))
    assert component_of(vendor / "thing.py") is None
    found = component_of(vendor / "thing.py", finders([str(vendor)]))
    assert found == Component("thing", "1.0", "MIT", (("LICENSE", "terms"),))


def test_a_file_of_nobody(tmp_path: Path) -> None:
    assert component_of(tmp_path / "file.so") is None


def test_everything_has_its_component() -> None:
    assert components(SOURCES, asked=[made_up]) == dict.fromkeys(sorted(SOURCES), KNOWN)


def test_all_that_has_none_is_listed_at_once(install: Install, tmp_path: Path) -> None:
    sources = {
        **SOURCES,
        "_internal/b.so": Path("/of/nobody/b.so"),
        "a": Path("/of/nobody/a.py"),
        "silent": Path("silent.py"),
        "silent.part": Path("silent.py"),
    }
    with pytest.raises(LicencesMissing) as caught:
        components(sources, asked=[made_up])
    assert caught.value.problems == (
        f"_internal/b.so: of no known package, made of {Path('/of/nobody/b.so')}",
        f"a: of no known package, made of {Path('/of/nobody/a.py')}",
        "silent 2: has no text of its licence; of it are silent, silent.part",
    )
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    assert "--licence NAME=FILE" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "name", "source", "found"),
    [
        pytest.param("mine", "mine", "mine.py", ("mine", "", "", (("TERMS", "given"),)), id="a module"),
        pytest.param("mine", "mine.part", "part.py", ("mine", "", "", (("TERMS", "given"),)), id="of a package"),
        pytest.param("a/b", "a/b/c.so", "c.so", ("a/b", "", "", (("TERMS", "given"),)), id="a folder"),
        pytest.param("silent", "x.so", "silent.so", ("silent", "2", "", (("TERMS", "given"),)), id="a component"),
        pytest.param(
            "a.so", "a.so", "known.so", ("known", "1", "MIT", (*KNOWN.texts, ("TERMS", "given"))), id="more of one"
        ),
    ],
)
def test_a_licence_can_be_given(
    tmp_path: Path, key: str, name: str, source: str, found: tuple[str, str, str, tuple[tuple[str, str], ...]]
) -> None:
    (tmp_path / "TERMS").write_text("given\n")
    assert components({name: Path(source)}, {key: tmp_path / "TERMS"}, [made_up]) == {name: Component(*found)}


def test_the_nearer_of_two_is_taken(tmp_path: Path) -> None:
    (tmp_path / "far").write_text("far")
    (tmp_path / "near").write_text("near")
    given = {"mine": tmp_path / "far", "mine.part": tmp_path / "near"}
    found = components({"mine.part.one": Path("x"), "mine.other": Path("y")}, given, [made_up])
    assert [found[name].texts for name in ("mine.part.one", "mine.other")] == [
        (("near", "near"),),
        (("far", "far"),),
    ]


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        pytest.param("knowm", "terms", "knowm: is not in the bundle", id="mistyped"),
        pytest.param("know", "terms", "know: is not in the bundle", id="half a name"),
        pytest.param("known", None, "is not there or is empty", id="no file"),
        pytest.param("known", " \n", "is not there or is empty", id="an empty file"),
    ],
)
def test_what_is_given_for_nothing_is_refused(tmp_path: Path, key: str, text: str | None, says: str) -> None:
    file = tmp_path / "TERMS"
    if text is not None:
        file.write_text(text)
    with pytest.raises(LicencesMissing) as caught:
        components(SOURCES, {key: file}, [made_up])
    assert len(caught.value.problems) == 1
    assert says in caught.value.problems[0]
    assert str(file) in caught.value.problems[0]


def test_the_notice() -> None:
    """Each text once, under all that it is of; the order of components does not matter, nor how often they come."""
    parts = [
        Component("zlib1g", "1.2.13", "", (("copyright", "Zlib terms"), ("GPL-2", "GPL"))),
        KNOWN,
        Component("Gcc", "12", "GPL-3", (("copyright", "gcc"), ("GPL-2", "GPL"))),
        KNOWN,
    ]
    text = notice(parts)
    assert notice(reversed(parts)) == text
    assert "Gcc        12       GPL-3\nknown      1        MIT\nzlib1g     1.2.13   see below\n" in text
    rule = "=" * 100
    assert f"{rule}\nGcc: GPL-2\nzlib1g: GPL-2\n{rule}\n\nGPL\n" in text
    assert [text.count(f"\n{it}\n") for it in ("GPL", "terms", "gcc", "Zlib terms")] == [1, 1, 1, 1]


def test_one_component_with_more_text_for_a_file_is_one_row() -> None:
    text = notice([KNOWN, KNOWN._replace(texts=(*KNOWN.texts, ("more", "more terms")))])
    assert text.count("known  ") == 1
    assert text.count("known: LICENSE") == 1
    assert "known: more" in text
