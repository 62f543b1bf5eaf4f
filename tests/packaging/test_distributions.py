"""Which distribution a file belongs to, and what is taken for the texts of its licence."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest
from bundle.component import Component
from bundle.distributions import Distributions

from .conftest import Install


def found(site: Path, file: str) -> Component:
    component = Distributions([str(site)]).component_of(site / file)
    assert component is not None
    return component


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        pytest.param("License-Expression: MIT OR Apache-2.0\nLicense: old\n", "MIT OR Apache-2.0", id="expression"),
        pytest.param("License: BSD 3-Clause\nClassifier: License :: OSI Approved\n", "BSD 3-Clause", id="a line"),
        pytest.param(
            "License: Copyright (c) Somebody\n        \n        All that follows\n"
            "Classifier: License :: OSI Approved :: MIT License\nClassifier: Typing :: Typed\n",
            "MIT License",
            id="the whole text, so the classifier",
        ),
        pytest.param(
            "Classifier: License :: OSI Approved :: A\nClassifier: License :: B\n", "A, B", id="two classifiers"
        ),
        pytest.param("", "", id="nothing"),
    ],
)
def test_what_the_licence_is_called(install: Install, metadata: str, licence: str) -> None:
    site = install("thing", metadata, {"thing.py": ""})
    assert found(site, "thing.py")[:3] == ("thing", "1.0", licence)


def test_the_texts_of_a_wheel(install: Install) -> None:
    """In both places for them, and those of what it has copied in; not modules that have such a name."""
    files = {
        "INFO/licenses/LICENSE-MIT": "mit",
        "INFO/licenses/vendored/terms.md": "vendored",
        "INFO/NOTICE.txt": "notice",
        "INFO/top_level.txt": "thing",
        "thing/LICENSE.txt": "mit",
        "thing/native/COPYING.LESSER": "lesser",
        "thing/ThirdPartyNotices.txt": "third",
        "thing/empty/LICENSE": "\n \n",
        "thing/licenses.py": "code",
        "thing/licenses/__init__.py": "code",
        "thing/licensed.txt": "no",
        "thing/licences/rows.txt": "no",
    }
    assert found(install("thing", files=files), "thing/licenses.py").texts == (
        ("NOTICE.txt", "notice"),
        ("LICENSE-MIT", "mit"),
        ("vendored/terms.md", "vendored"),
        ("thing/ThirdPartyNotices.txt", "third"),
        ("thing/native/COPYING.LESSER", "lesser"),
    )


def test_the_bill_of_materials_is_told(install: Install) -> None:
    """In each of the ways in which CycloneDX names licences."""
    parts = [
        {"name": "zeta", "version": "2", "licenses": [{"license": {"name": "Own terms"}}, {"license": {"id": "MIT"}}]},
        {"name": "alpha", "version": "1", "licenses": [{"expression": "MIT OR Zlib"}]},
        {"name": "nameless"},
    ]
    site = install("thing", files={"thing.py": "", "INFO/sboms/it.cyclonedx.json": json.dumps({"components": parts})})
    assert found(site, "thing.py").texts == (
        (
            "it.cyclonedx.json",
            "Built in, as its bill of materials declares it:\n"
            "alpha 1: MIT OR Zlib\nnameless : no licence declared\nzeta 2: Own terms, MIT",
        ),
    )


def test_an_editable_distribution_owns_its_folder(install: Install, tmp_path: Path) -> None:
    """Not the environment within it, nor what lies beside it."""
    project = tmp_path / "a project"
    origin = {"url": project.as_uri(), "dir_info": {"editable": True}}
    site = install("thing", files={"INFO/direct_url.json": json.dumps(origin), "INFO/licenses/LICENSE": "terms"})
    distributions = Distributions([str(site)])
    component = distributions.component_of(project / "src" / "thing" / "module.py")
    assert component is not None
    assert component == Component("thing", "1.0", "", (("LICENSE", "terms"),))
    assert distributions.component_of(project / ".venv" / "site-packages" / "other.py") is None
    assert distributions.component_of(tmp_path / "another" / "module.py") is None


def test_a_project_that_somebody_works_on_is_no_installed_one(tmp_path: Path) -> None:
    """setuptools leaves its notes in the folder."""
    info = tmp_path / "thing.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n", encoding="utf-8")
    (info / "SOURCES.txt").write_text("thing.py\n", encoding="utf-8")
    assert Distributions([str(tmp_path)]).component_of(tmp_path / "thing.py") is None


def test_one_that_was_installed_from_a_folder_does_not(install: Install, tmp_path: Path) -> None:
    origin = {"url": (tmp_path / "project").as_uri(), "dir_info": {}}
    site = install("thing", files={"INFO/direct_url.json": json.dumps(origin)})
    assert Distributions([str(site)]).component_of(tmp_path / "project" / "thing.py") is None


def test_the_first_on_the_path_is_meant(install: Install, tmp_path: Path) -> None:
    site = install("thing", "License-Expression: MIT\n", {"thing.py": ""})
    site.rename(tmp_path / "later")
    site = install("thing", "License-Expression: Zlib\n", {"thing.py": ""})
    distributions = Distributions([str(site), str(tmp_path / "later")])
    component = distributions.component_of(site / "thing.py")
    assert component is not None
    assert component.licence == "Zlib"
    assert distributions.component_of(tmp_path / "later" / "thing.py") is None


@pytest.mark.parametrize(
    ("name", "file", "titles"),
    [
        ("pyarrow", "pyarrow/__init__.py", {"LICENSE.txt", "NOTICE.txt"}),
        ("polars", "polars/__init__.py", {"LICENSE"}),
        ("polars-runtime-32", "_polars_runtime_32/__init__.py", {"LICENSE", "polars-runtime-32.cyclonedx.json"}),
        ("msgspec", "msgspec/__init__.py", {"LICENSE"}),
    ],
)
def test_the_libraries_that_are_shipped(name: str, file: str, titles: set[str]) -> None:
    component = Distributions().component_of(Path(str(distribution(name).locate_file(file))))
    assert component is not None
    assert component.name == name
    assert component.version == distribution(name).version
    assert component.licence
    assert {title for title, _ in component.texts} == titles
