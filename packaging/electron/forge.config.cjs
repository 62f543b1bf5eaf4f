// Settings of Electron Forge that pack the sidecar, beside the app.asar, and have it signed. In an app:
//
//     // forge.config.js
//     const sidecar = require("./packaging/electron/forge.config.cjs")({ dist: "sidecar-dist" });
//     module.exports = { ...sidecar, makers: [ … ] };
"use strict";

const path = require("node:path");
const { checkTarget, findBundle, folderInProject } = require("./sidecar-bundle.cjs");

const ENTITLEMENTS = path.join(__dirname, "..", "macos", "entitlements.plist");

module.exports = function sidecar(options) {
  const bundle = findBundle(options);
  const executable = path.join("Contents", "Resources", path.basename(bundle.folder), bundle.name);
  const dist = folderInProject(bundle);
  return {
    packagerConfig: {
      ignore: dist === null ? [] : [new RegExp(`^/${dist}${bundle.name}-`)],
      extraResource: [bundle.folder],
      osxSign: {
        // @electron/osx-sign finds every Mach-O file of the app and signs the deepest first. What is said here of a
        // file replaces its own default: {} leaves Electron's files, and the sidecar's libraries, as they are.
        optionsForFile: (file) => (file.endsWith(path.sep + executable) ? { entitlements: ENTITLEMENTS } : {}),
      },
    },
    hooks: {
      packageAfterCopy: async (_config, _path, _version, platform, arch) => checkTarget(bundle, platform, arch),
    },
  };
};
