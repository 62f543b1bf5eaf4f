"""What Windows shows of an executable: its publisher, description and version, in the file's properties, the task
manager and an antivirus program's report."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PRE_RELEASE = 0x2
"""VS_FF_PRERELEASE of Windows' VS_FIXEDFILEINFO."""

LANGUAGE, CODE_PAGE = 0x0409, 1200
"""US English, UTF-16: what a resource in one language is filed under."""

MAX_PART = 0xFFFF
"""Each of the four numbers has 16 bits."""


def version_resource(name: str, version: str, company: str, description: str) -> str:
    """The text of a file for PyInstaller's `EXE(version=…)`.

    `name` is the executable's, without `.exe`; `version` starts with one to four numbers (`1.2.0`, `1.2.0rc1`): what
    comes after them is shown, and marks the file as a pre-release. Raises `ValueError` for another version.
    """
    numbers, is_final = _numbers(version)
    strings = {
        "CompanyName": company,
        "FileDescription": description,
        "FileVersion": version,
        "InternalName": name,
        "OriginalFilename": f"{name}.exe",
        "ProductName": name,
        "ProductVersion": version,
    }
    entries = ",\n".join(f"            StringStruct({key!r}, {value!r})" for key, value in strings.items())
    return f"""VSVersionInfo(
    ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}, mask=0x3F, flags={0 if is_final else PRE_RELEASE:#x}),
    kids=[
        StringFileInfo([StringTable('{LANGUAGE:04X}{CODE_PAGE:04X}', [
{entries},
        ])]),
        VarFileInfo([VarStruct('Translation', [{LANGUAGE}, {CODE_PAGE}])]),
    ],
)
"""


def version_file(name: str, work: Path, platform: str = sys.platform) -> str | None:
    """The path of that text, for this version of the sidecar, written into the folder `work`. None where executables
    have no such resource: everywhere but on Windows."""
    if platform != "win32":
        return None
    from sidecar.version import VERSION

    file = work / "version_resource.txt"
    file.write_text(version_resource(name, VERSION, name, f"{name}: tables and services for its app"), encoding="utf-8")
    return str(file)


def _numbers(version: str) -> tuple[tuple[int, ...], bool]:
    """The four of Windows, and whether they are the whole version."""
    found = re.match(r"\d+(?:\.\d+){0,3}", version, re.ASCII)
    parts = [int(part) for part in found[0].split(".")] if found else []
    if not found or max(parts) > MAX_PART:
        raise ValueError(
            f"The version {version!r} does not fit Windows, which has four numbers of at most {MAX_PART}. Start it "
            "with one to four such numbers, as 1.2.0 or 1.2.0rc1 do."
        )
    return (*parts, *[0] * (4 - len(parts))), found[0] == version
