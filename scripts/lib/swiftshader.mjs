/** SwiftShader out of Debian's packages of Chromium, without installing it. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { cacheFolder } from '../../dist/platform/launcher/paths.js';

const FILES = ['libvk_swiftshader.so', 'libvulkan.so.1', 'vk_swiftshader_icd.json'];

/** Returns the environment that selects it, or in a few words why it cannot be had. */
export function fetchSwiftShader() {
  const folder = path.join(cacheFolder(), 'swiftshader');
  if (!FILES.every((file) => fs.existsSync(path.join(folder, file)))) {
    const problem = fetchInto(folder);
    if (problem) return problem;
  }
  const icd = path.join(folder, 'vk_swiftshader_icd.json');
  return { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: folder };
}

function fetchInto(folder) {
  fs.mkdirSync(folder, { recursive: true });
  const work = fs.mkdtempSync(path.join(folder, 'work-'));
  try {
    // Checks signatures, needs no root, and takes the lists of the last `apt-get update`.
    if (!run(work, 'apt-get', '-q', 'download', 'chromium-common'))
      return "apt cannot fetch Debian's chromium-common";
    const archive = fs.readdirSync(work).find((file) => file.endsWith('.deb'));
    if (!archive || !run(work, 'dpkg-deb', '-x', archive, 'files'))
      return 'chromium-common cannot be unpacked';
    const from = path.join(work, 'files', 'usr', 'lib', 'chromium');
    if (!FILES.every((file) => fs.existsSync(path.join(from, file)))) {
      return 'this chromium brings no SwiftShader';
    }
    for (const file of FILES) fs.renameSync(path.join(from, file), path.join(folder, file));
    return undefined;
  } finally {
    fs.rmSync(work, { recursive: true });
  }
}

function run(cwd, command, ...args) {
  return spawnSync(command, args, { cwd, stdio: ['ignore', 2, 2] }).status === 0;
}
