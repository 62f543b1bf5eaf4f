// What electron-builder.cjs and forge.config.cjs know of the bundle that they pack. Used at build time only.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { HERE, NAME, folderName } = require("./sidecar-path.cjs");

const MACH_O = new Set(["feedface", "feedfacf", "cefaedfe", "cffaedfe", "cafebabe", "cafebabf"]);

/**
 * The bundle to pack: `{folder, name, target}`. The target is this machine's, or SIDECAR_TARGET (as darwin-x64).
 * A build packs one target: each is frozen on a machine of its own.
 */
function findBundle({ dist = "sidecar-dist", name = NAME, target = process.env.SIDECAR_TARGET || HERE } = {}) {
  const folder = path.resolve(dist, folderName(target, name));
  if (!fs.existsSync(path.join(folder, "manifest.json"))) {
    throw new Error(
      `${folder} is no bundle. Build it on ${target} (python packaging/build.py), or unpack its archive there.`,
    );
  }
  return { folder, name, target };
}

/**
 * The folder of the bundle by its path within the app's project ("dist/", or "" for the project itself), or null where
 * it is elsewhere. Packers put the whole project into the app: the bundle would be in it twice (electron-builder 26 had
 * it so).
 */
function folderInProject({ folder }) {
  const dist = path.relative(process.cwd(), path.dirname(folder)).split(path.sep);
  return dist[0] === ".." || path.isAbsolute(dist[0]) ? null : dist.map((part) => part && `${part}/`).join("");
}

/** Throws where an app for one target would get the sidecar of another. */
function checkTarget(bundle, platform, arch) {
  const packed = `${platform === "mas" ? "darwin" : platform}-${arch}`;
  if (packed !== bundle.target) {
    throw new Error(
      `The app is packed for ${packed}, and ${bundle.folder} is for ${bundle.target}. Pack one target at a time, ` +
        "with SIDECAR_TARGET set to it.",
    );
  }
}

/** The paths within the bundle, from its manifest, of the files that macOS wants signed, the deepest first. */
function machO(folder) {
  const { files } = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8"));
  const depth = (file) => file.split("/").length;
  return files
    .map((file) => file.path)
    .filter((file) => isMachO(path.join(folder, file)))
    .sort((one, other) => depth(other) - depth(one));
}

function isMachO(file) {
  const start = Buffer.alloc(4);
  const descriptor = fs.openSync(file, "r");
  try {
    fs.readSync(descriptor, start);
  } finally {
    fs.closeSync(descriptor);
  }
  return MACH_O.has(start.toString("hex"));
}

/** The same as paths within the app, for electron-builder's `mac.binaries`. */
function binaries(folder) {
  return machO(folder).map((file) => path.posix.join("Contents/Resources", path.basename(folder), file));
}

module.exports = { binaries, checkTarget, findBundle, folderInProject, machO };
