/** What an unpacked Mesa looks like on disk. */
import * as fs from 'node:fs';
import path from 'node:path';
import type { AptRecipe } from './apt.js';

/** An unpacked Mesa. */
export interface Mesa {
  readonly folder: string;
  /**
   * Starts Node under this Mesa's C library and loader; takes Node's arguments. `OSLER_PRELOAD` names a library of the folder
   * to load first.
   */
  readonly node: string;
  /** What `VK_DRIVER_FILES` must name, by driver. */
  readonly icds: Readonly<Record<string, string>>;
}

/** What a private Mesa is made of. */
export interface MesaBundle {
  /** What it is, for people. */
  readonly what: string;
  /** Ends the name of its folder; changes whenever the content would. */
  readonly suffix: string;
  readonly packages: readonly string[];
  /** Vulkan drivers that are kept, as their libraries are called. */
  readonly drivers: readonly string[];
}

/** The software Vulkan driver. */
export const SOFTWARE_MESA: MesaBundle = {
  what: 'a current software Vulkan driver',
  suffix: '',
  packages: ['mesa-vulkan-drivers', 'libvulkan1', 'libstdc++6'],
  drivers: ['lvp'],
};

/** Debian's architecture names, and where each keeps libraries and the dynamic linker. */
export const ARCHITECTURES: Readonly<Record<string, { name: string; triplet: string; linker: string }>> = {
  x64: { name: 'amd64', triplet: 'x86_64-linux-gnu', linker: 'ld-linux-x86-64.so.2' },
  arm64: { name: 'arm64', triplet: 'aarch64-linux-gnu', linker: 'ld-linux-aarch64.so.1' },
};
/** Written last into an unpacked folder: what is in it. */
const MANIFEST = 'osler-mesa.json';

/** Keeps of the unpacked packages what the drivers need, and adds the script that starts Node under them. */
export function arrange(
  root: string,
  made: string,
  recipe: AptRecipe,
  archives: readonly string[],
  { drivers }: MesaBundle,
): void {
  const { triplet, linker } = ARCHITECTURES[process.arch];
  fs.mkdirSync(path.join(made, 'bin'), { recursive: true });
  const lib = path.join(made, 'lib');
  fs.renameSync(path.join(root, 'usr', 'lib', triplet), lib);
  for (const file of fs.readdirSync(lib)) {
    // The other drivers are half of the folder, and hardware is left to the machine's own.
    const driver = /^lib(?:vulkan|VkLayer)_(\w+)\.so$/.exec(file)?.[1];
    if (driver && !drivers.includes(driver)) fs.rmSync(path.join(lib, file));
  }
  const icds = path.join(root, 'usr', 'share', 'vulkan', 'icd.d');
  for (const driver of drivers) {
    const name = fs.readdirSync(icds).find((file) => new RegExp(`^${driver}_icd.*\\.json$`).test(file));
    const icd = JSON.parse(fs.readFileSync(path.join(icds, name ?? `${driver}_icd.json`), 'utf8'));
    // A bare name, found through the linker's library path wherever this folder lies.
    icd.ICD.library_path = libraryOf(driver);
    fs.writeFileSync(path.join(made, icdOf(driver)), JSON.stringify(icd));
  }
  fs.writeFileSync(path.join(made, 'bin', 'node'), nodeScript(linker), { mode: 0o755 });
  fs.writeFileSync(path.join(made, 'exec-path.cjs'), EXEC_PATH);
  const packages = archives.map((file) => path.basename(file, '.deb')).sort();
  const manifest = { recipe: recipe.id, mirror: recipe.mirror, packages };
  fs.writeFileSync(path.join(made, MANIFEST), JSON.stringify(manifest, null, 2));
}

function nodeScript(linker: string): string {
  return `#!/bin/sh
# Node under the C library and the Vulkan loader of this folder. OSLER_NODE names the Node binary, OSLER_PRELOAD a library.
here=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd) || exit 127
node=\${OSLER_NODE:-$(command -v node)}
exec "$here/lib/${linker}" --library-path "$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" --argv0 "$0" \\
  \${OSLER_PRELOAD:+--preload "$here/lib/$OSLER_PRELOAD"} "$node" --require "$here/exec-path.cjs" "$@"
`;
}

/** Under an explicit linker Node takes the linker for itself; child_process.fork and worker pools start execPath. */
const EXEC_PATH = `'use strict';
process.execPath = process.argv[0] = require('node:path').join(__dirname, 'bin', 'node');
const at = process.execArgv.indexOf(__filename);
if (at > 0) process.execArgv.splice(at - 1, 2);
`;

/** The Mesa in a folder, if all that is needed is there. */
export function mesaIn(folder: string, { drivers }: MesaBundle): Mesa | undefined {
  const { linker } = ARCHITECTURES[process.arch];
  const files = [
    MANIFEST,
    'bin/node',
    'exec-path.cjs',
    ...drivers.map(icdOf),
    `lib/${linker}`,
    ...drivers.map((driver) => `lib/${libraryOf(driver)}`),
  ];
  if (!files.every((file) => fs.existsSync(path.join(folder, file)))) return undefined;
  const icds = Object.fromEntries(drivers.map((driver) => [driver, path.join(folder, icdOf(driver))]));
  return { folder, node: path.join(folder, 'bin', 'node'), icds };
}

function icdOf(driver: string): string {
  return `${driver}_icd.json`;
}

function libraryOf(driver: string): string {
  return `libvulkan_${driver}.so`;
}

/** The packages that a Mesa was unpacked from, with their versions. */
export function packagesOf({ folder }: Mesa): string[] {
  return JSON.parse(fs.readFileSync(path.join(folder, MANIFEST), 'utf8')).packages;
}
