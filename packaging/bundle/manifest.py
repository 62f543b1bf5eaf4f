"""The manifest of a bundle: what it is, what it is made of, and each file with its hash."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .component import Component
from .contents import INNER, LICENCES, MANIFEST, File, files
from .faults import BuildFault
from .linkage import glibc
from .settings import Settings
from .targets import Target

START_TIMEOUT_S = 60


def write(folder: Path, settings: Settings, target: Target, parts: Mapping[str, Component]) -> dict[str, Any]:
    """Write the manifest of a bundle that is otherwise complete. `parts` has the component of each file."""
    found = [*files(folder)]
    manifest = {
        "name": settings.name,
        **_versions(folder / executable_name(settings.name, target)),
        "services": settings.services,
        "target": target._asdict(),
        "glibc": glibc(folder),
        "bytes": sum(file.size for file in found),
        "components": sorted({f"{part.name} {part.version}" for part in parts.values()}, key=str.lower),
        "files": [{**file._asdict(), "component": _component(file, parts, settings.name)} for file in found],
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return manifest


def executable_name(name: str, target: Target) -> str:
    """Windows knows an executable by its ending."""
    return f"{name}.exe" if "windows" in target.rust else name


def _component(file: File, parts: Mapping[str, Component], own: str) -> str:
    """What the build itself writes, and what is the developer's own, goes by the bundle's name."""
    name = file.path.removeprefix(f"{INNER}/")
    return parts[name].name if name in parts and file.path != LICENCES else own


def sizes(manifest: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Bytes by component, the largest first. The executable holds the modules of all."""
    counted: Counter[str] = Counter()
    for file in manifest["files"]:
        is_within = file["path"].startswith(f"{INNER}/")
        counted[file["component"] if is_within else file["path"]] += file["size"]
    return counted.most_common()


def _versions(executable: Path) -> dict[str, Any]:
    """What the executable says of itself, so that a bundle that does not start is none."""
    from sidecar.client import Host, HostFault

    command = [str(executable), "--version", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False)
    if done.returncode:
        raise BuildFault(f"{executable.name} --version ended with exit code {done.returncode}: {done.stderr.strip()}")
    try:
        with Host.spawn([str(executable)], hello_timeout_s=START_TIMEOUT_S) as host:
            digest = host.methods_digest
    except HostFault as fault:
        hint = "a file beside your modules gets in with --data FILE=FOLDER, a module that is missing with --include"
        raise BuildFault(f"{executable.name} serve does not start ({hint}): {fault}") from None
    return {**json.loads(done.stdout), "methods_digest": digest}
