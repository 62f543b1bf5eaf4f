// Settings of electron-builder that pack the sidecar, beside the app.asar, and have it signed. In an app:
//
//     // electron-builder.config.cjs
//     const sidecar = require("./packaging/electron/electron-builder.cjs")({ dist: "sidecar-dist" });
//     module.exports = { ...sidecar, appId: "com.example.my", mac: { ...sidecar.mac, category: "…" } };
//
// Not ${os}/${arch} in a path: those are electron-builder's own words (mac, win, linux; x64, arm64), and the folder has
// the Rust triple in its name, as it is built and as sidecar-path.cjs finds it.
"use strict";

const path = require("node:path");
const { binaries, checkTarget, findBundle, folderInProject } = require("./sidecar-bundle.cjs");

const ARCHITECTURES = ["ia32", "x64", "armv7l", "arm64", "universal"]; // the order of builder-util's enum Arch

module.exports = function sidecar(options) {
  const bundle = findBundle(options);
  const { folder, name, target } = bundle;
  const dist = folderInProject(bundle);
  return {
    files: dist === null ? ["**/*"] : ["**/*", `!${dist}${name}-*{,/**/*}`],
    extraResources: [{ from: folder, to: path.basename(folder) }],
    beforePack: async (context) => checkTarget(bundle, context.electronPlatformName, ARCHITECTURES[context.arch]),
    mac: {
      hardenedRuntime: true,
      entitlementsInherit: path.join(__dirname, "entitlements.inherit.plist"),
      binaries: target.startsWith("darwin-") ? binaries(folder) : [],
    },
    // .exe files are signed without being listed.
    win: { signExts: [".dll", ".pyd"] },
  };
};
