// Finds the sidecar's executable, in development and in the packaged app, and says how to spawn it. Goes into the app:
//
//     const path = require("node:path");
//     const { app } = require("electron");
//     const { spawn } = require("node:child_process");
//     const { executable, spawnOptions } = require("./sidecar-path.cjs");
//     const folder = app.isPackaged ? process.resourcesPath : path.join(app.getAppPath(), "sidecar-dist");
//     const sidecar = spawn(executable(folder), ["serve"], spawnOptions());
//     sidecar.stderr.on("data", (text) => process.stderr.write(text)); // read it: a full pipe would stop the sidecar
//
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const NAME = "arrow-sidecar"; // build.py --name

// Electron's platform and architecture -> the triple in the folder's name
const TARGETS = {
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "darwin-x64": "x86_64-apple-darwin",
  "darwin-arm64": "aarch64-apple-darwin",
  "win32-x64": "x86_64-pc-windows-msvc",
  "win32-arm64": "aarch64-pc-windows-msvc",
};

const HERE = `${process.platform}-${process.arch}`;

/** Of the bundle, in sidecar-dist/ and among the app's resources alike. */
function folderName(target = HERE, name = NAME) {
  if (!Object.keys(TARGETS).includes(target)) {
    throw new Error(`There is no sidecar for ${target}. There is one for ${Object.keys(TARGETS).join(", ")}.`);
  }
  return `${name}-${TARGETS[target]}`;
}

function executableName(target = HERE, name = NAME) {
  return target.startsWith("win32-") ? `${name}.exe` : name;
}

/** Absolute, below the folder that holds the bundle. Throws where it is not. */
function executable(folder, target = HERE, name = NAME) {
  const file = path.resolve(folder, folderName(target, name), executableName(target, name));
  if (!fs.existsSync(file)) {
    throw new Error(
      `${file} is missing. In development: build it (python packaging/build.py) and put it into sidecar-dist/. In the packaged app: ` +
        "extraResources (electron-builder) or extraResource (Forge) has not put it there.",
    );
  }
  return file;
}

/** No window on Windows. Elsewhere a process group of its own, so that Ctrl-C in a terminal reaches the app alone. */
function spawnOptions() {
  return { stdio: ["pipe", "pipe", "pipe"], windowsHide: true, detached: process.platform !== "win32" };
}

module.exports = { HERE, NAME, TARGETS, executable, executableName, folderName, spawnOptions };
