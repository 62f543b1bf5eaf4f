"""What an Electron app takes from packaging/electron, run in node: the executable's place, how it is spawned, what
electron-builder and Forge are told. Neither packer is run."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bundle.manifest import executable_name
from bundle.targets import TARGETS, Target

ROOT = Path(__file__).parents[2]
ELECTRON = ROOT / "packaging" / "electron"
MAC = next(target for target in TARGETS if target.electron == "darwin-arm64")
CODE = {
    "arrow-sidecar": bytes.fromhex("cffaedfe"),
    "_internal/libpython3.11.dylib": bytes.fromhex("cafebabe"),
    "_internal/pyarrow/lib.so": bytes.fromhex("cffaedfe"),
    "_internal/polars/a/runtime.abi3.so": bytes.fromhex("feedfacf"),
}
TEXT = {"THIRD_PARTY_LICENSES.txt": b"MIT", "_internal/base_library.zip": b"PK\x03\x04", "_internal/empty": b""}

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
by_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.electron)


def node(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["node", *map(str, arguments)]
    everything = {**os.environ, "PACKAGING": str(ELECTRON), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=everything, timeout=60)


def value(code: str, *arguments: object, **environment: str) -> Any:
    """Of a piece of JavaScript that returns something; it may `need` a file and has `words`, or the message of what it
    throws."""
    script = f"""
        const need = (name) => require(process.env.PACKAGING + "/" + name);
        const words = process.argv.slice(1);
        const run = async () => {{ {code} }};
        run().then((value) => console.log(JSON.stringify({{ value }})), ({{ message }}) => console.log(message));
    """
    done = node("-e", script, "--", *arguments, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    try:
        return json.loads(done.stdout).get("value")
    except json.JSONDecodeError:
        return done.stdout.strip()


def put(dist: Path, target: Target, name: str = "arrow-sidecar") -> Path:
    """A bundle, with the part of its manifest that is read."""
    folder = dist / f"{name}-{target.rust}"
    files = {**CODE, **TEXT}
    files[executable_name(name, target)] = files.pop("arrow-sidecar")
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps({"name": name, "files": [{"path": path} for path in files]}))
    return folder


# -- in the app --------------------------------------------------------------------------------------------------


def test_the_targets_are_those_of_the_build() -> None:
    assert value('return need("sidecar-path.cjs").TARGETS') == {target.electron: target.rust for target in TARGETS}


@by_target
@pytest.mark.parametrize("name", ["arrow-sidecar", "my-sidecar"])
def test_the_executable_is_found(tmp_path: Path, target: Target, name: str) -> None:
    folder = put(tmp_path / "My App", target, name)
    found = value('return need("sidecar-path.cjs").executable(...words)', tmp_path / "My App", target.electron, name)
    assert Path(found) == folder / executable_name(name, target)


def test_an_executable_that_is_missing_is_named(tmp_path: Path) -> None:
    message = value('return need("sidecar-path.cjs").executable(...words)', tmp_path, "win32-x64")
    assert str(tmp_path / "arrow-sidecar-x86_64-pc-windows-msvc" / "arrow-sidecar.exe") in message
    assert "extraResources" in message


@pytest.mark.parametrize("target", ["linux-ia32", "freebsd-x64", "constructor"])
def test_a_target_without_a_sidecar(target: str) -> None:
    message = value('return need("sidecar-path.cjs").folderName(...words)', target)
    assert message.startswith(f"There is no sidecar for {target}. ")
    assert all(known.electron in message for known in TARGETS)


SPAWN = """
    const { spawn } = require("node:child_process");
    const sidecar = spawn(words[0], words.slice(1), need("sidecar-path.cjs").spawnOptions());
    sidecar.stderr.resume();
    let received = Buffer.alloc(0);
    for await (const chunk of sidecar.stdout) {
        received = Buffer.concat([received, chunk]);
        if (received.length >= 4 && received.length >= 4 + received.readInt32LE(0)) break;
    }
    const ended = new Promise((resolve) => sidecar.on("close", (code) => resolve(code)));
    const group = process.platform === "win32" ? null : process.kill(-sidecar.pid, 0);
    sidecar.stdin.end();
    return { hello: JSON.parse(received.subarray(4).toString()), group, code: await ended, pid: sidecar.pid };
"""


def test_a_sidecar_is_spawned_and_ends_with_its_input() -> None:
    command = [sys.executable, "-B", "-P", "-m", "sidecar", "serve"]
    done = value(SPAWN, *command, PYTHONPATH=str(ROOT))
    assert done["hello"]["method"] == "hello"
    assert done["hello"]["params"]["pid"] == done["pid"]
    assert (done["group"], done["code"]) == (None if sys.platform == "win32" else True, 0)


def test_no_window_is_shown() -> None:
    options = value('return need("sidecar-path.cjs").spawnOptions()')
    assert options == {"stdio": ["pipe"] * 3, "windowsHide": True, "detached": sys.platform != "win32"}


# -- at build time -----------------------------------------------------------------------------------------------

BUILDER = 'return need("electron-builder.cjs")({ dist: words[0] })'
INSIDE = "Contents/Resources/arrow-sidecar-aarch64-apple-darwin/"


@by_target
def test_electron_builder_is_told_where_the_bundle_is(tmp_path: Path, target: Target) -> None:
    folder = put(tmp_path, target)
    told = value(BUILDER, tmp_path, SIDECAR_TARGET=target.electron)
    assert told["extraResources"] == [{"from": str(folder), "to": folder.name}]
    assert bool(told["mac"]["binaries"]) is target.electron.startswith("darwin")
    assert told["mac"]["hardenedRuntime"] is True


def test_every_mach_o_file_is_listed_the_deepest_first(tmp_path: Path) -> None:
    folder = put(tmp_path, MAC)
    listed = value(BUILDER, tmp_path, SIDECAR_TARGET=MAC.electron)["mac"]["binaries"]
    assert sorted(listed) == sorted(INSIDE + path for path in CODE)
    assert listed[-1] == INSIDE + "arrow-sidecar"
    depths = [path.count("/") for path in listed]
    assert depths == sorted(depths, reverse=True)
    printed = node(ELECTRON / "list-binaries.cjs", folder)
    assert (json.loads(printed.stdout), printed.returncode) == (listed, 0)


@pytest.mark.parametrize(
    ("dist", "within"),
    [("dist", "dist/"), ("a/b", "a/b/"), (".", ""), ("../out", None)],
)
def test_the_bundle_is_not_packed_a_second_time_with_the_project(tmp_path: Path, dist: str, within: str | None) -> None:
    app = tmp_path / "app"
    app.mkdir()
    folder = put(app / dist, MAC)
    code = """
        process.chdir(words[0]);
        const { files } = need("electron-builder.cjs")({ dist: words[1] });
        const { ignore } = need("forge.config.cjs")({ dist: words[1] }).packagerConfig;
        return { files, ignored: words.slice(2).map((file) => ignore.some((pattern) => pattern.test(file))) };
    """
    made = f"/{os.path.relpath(folder, app)}/x"
    told = value(code, app, dist, made, "/main.js", "/src/dist/arrow-sidecar-x", SIDECAR_TARGET=MAC.electron)
    left_out = [f"!{within}arrow-sidecar-*{{,/**/*}}"] if within is not None else []
    assert told["files"] == ["**/*", *left_out]
    assert told["ignored"] == [bool(left_out), False, False]


PACK = """
    const settings = need("electron-builder.cjs")({ dist: words[0] });
    return settings.beforePack({ electronPlatformName: words[1], arch: Number(words[2]) });
"""
FORGE = """
    const settings = need("forge.config.cjs")({ dist: words[0] });
    return settings.hooks.packageAfterCopy({}, "", "", words[1], words[2]);
"""
PACKED = [
    pytest.param("darwin", "arm64", None, id="the bundle's"),
    pytest.param("mas", "arm64", None, id="for the store"),
    pytest.param("darwin", "x64", "darwin-x64", id="another processor"),
    pytest.param("darwin", "universal", "darwin-universal", id="two processors"),
    pytest.param("win32", "arm64", "win32-arm64", id="another system"),
]
ARCH = {"ia32": 0, "x64": 1, "armv7l": 2, "arm64": 3, "universal": 4}


@pytest.mark.parametrize(("platform", "arch", "wrong"), PACKED)
@pytest.mark.parametrize("packer", ["electron-builder", "Forge"])
def test_an_app_gets_the_sidecar_of_its_own_target(
    tmp_path: Path, packer: str, platform: str, arch: str, wrong: str | None
) -> None:
    put(tmp_path, MAC)
    code, word = (FORGE, arch) if packer == "Forge" else (PACK, ARCH[arch])
    message = value(code, tmp_path, platform, word, SIDECAR_TARGET=MAC.electron)
    assert message is None if wrong is None else message.startswith(f"The app is packed for {wrong}, ")


@pytest.mark.parametrize("file", ["electron-builder.cjs", "forge.config.cjs"])
def test_a_bundle_that_is_not_there(tmp_path: Path, file: str) -> None:
    message = value(f'return need("{file}")({{ dist: words[0] }})', tmp_path, SIDECAR_TARGET="linux-arm64")
    assert message.startswith(f"{tmp_path / 'arrow-sidecar-aarch64-unknown-linux-gnu'} is no bundle. ")


def test_forge_is_told_where_the_bundle_is_and_what_the_executable_may(tmp_path: Path) -> None:
    folder = put(tmp_path, MAC)
    code = """
        const { extraResource, osxSign } = need("forge.config.cjs")({ dist: words[0] }).packagerConfig;
        return { extraResource, options: words.slice(1).map((file) => osxSign.optionsForFile(file)) };
    """
    files = [f"/out/My.app/{INSIDE}{path}" for path in CODE]
    told = value(code, tmp_path, *files, "/out/My.app", SIDECAR_TARGET=MAC.electron)
    assert told["extraResource"] == [str(folder)]
    (entitlements,) = [options["entitlements"] for options in told["options"] if options]
    assert told["options"][0] == {"entitlements": entitlements}
    assert Path(entitlements) == ROOT / "packaging" / "macos" / "entitlements.plist"


def test_what_all_of_the_app_inherits_has_what_the_sidecar_needs() -> None:
    """Electron's own processes need `allow-jit` besides."""
    needed = plistlib.loads((ROOT / "packaging" / "macos" / "entitlements.plist").read_bytes())
    inherited = plistlib.loads((ELECTRON / "entitlements.inherit.plist").read_bytes())
    assert inherited == {**needed, "com.apple.security.cs.allow-jit": True}


def test_a_file_that_the_manifest_lists_and_is_gone(tmp_path: Path) -> None:
    folder = put(tmp_path, MAC)
    (folder / "_internal" / "libpython3.11.dylib").unlink()
    done = node(ELECTRON / "list-binaries.cjs", folder)
    assert (done.returncode, done.stdout) == (66, "")
    assert "libpython3.11.dylib" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["one", "two"]])
def test_wrong_usage(arguments: list[str]) -> None:
    done = node(ELECTRON / "list-binaries.cjs", *arguments)
    assert (done.returncode, done.stderr) == (64, "usage: node list-binaries.cjs BUNDLE\n")
