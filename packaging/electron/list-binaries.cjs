// Prints, as JSON, what belongs into electron-builder's `mac.binaries`: every Mach-O file that the manifest of a bundle
// lists. electron-builder.cjs does without this; it is for settings that are written as JSON or YAML.
//
//     node packaging/electron/list-binaries.cjs sidecar-dist/arrow-sidecar-aarch64-apple-darwin
"use strict";

const { binaries } = require("./sidecar-bundle.cjs");

const [folder, ...rest] = process.argv.slice(2);
if (!folder || rest.length) {
  console.error("usage: node list-binaries.cjs BUNDLE");
  process.exit(64);
}
try {
  console.log(JSON.stringify(binaries(folder), null, 2));
} catch (fault) {
  console.error(`list-binaries.cjs: ${fault.message}`);
  process.exit(66);
}
