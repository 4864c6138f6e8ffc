/** Looks for software Vulkan drivers that are installed on the machine, under Vulkan's usual folders or inside browsers. */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A software driver, and the environment that selects it. */
export interface InstalledDriver {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Where Vulkan's loader looks for drivers. */
const DRIVER_FOLDERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];

/** Chromium brings SwiftShader, and mostly a Vulkan loader beside it. */
const BROWSER_FOLDERS = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  '/usr/lib64/chromium-browser',
  '/opt/google/chrome',
  '/opt/chromium.org/chromium',
  '/opt/microsoft/msedge',
  '/snap/chromium/current/usr/lib/chromium-browser',
];

/** Lists candidates, the fastest kind first; whether Dawn accepts one is for a probe to tell. */
export function installedDrivers(env: NodeJS.ProcessEnv = process.env): InstalledDriver[] {
  if (process.platform !== 'linux') return [];
  const files = searchedFolders(env).flatMap((folder) =>
    list(folder).filter((file) => file.endsWith('.json')),
  );
  const lavapipe = files.filter((file) => /lvp/.test(path.basename(file)));
  const swiftshader = files.filter((file) => /swiftshader/i.test(path.basename(file)));
  return [
    ...lavapipe.map((file) => driver('Mesa lavapipe', file, env)),
    ...swiftshader.map((file) => driver('SwiftShader', file, env)),
  ];
}

/** All folders that may hold drivers. */
export function searchedFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  return [...DRIVER_FOLDERS, ...dataFolders(env), ...BROWSER_FOLDERS, ...playwrightFolders(env)];
}

function driver(name: string, file: string, env: NodeJS.ProcessEnv): InstalledDriver {
  const folder = path.dirname(file);
  const vars: Record<string, string> = { VK_DRIVER_FILES: file, VK_ICD_FILENAMES: file };
  if (fs.existsSync(path.join(folder, 'libvulkan.so.1'))) {
    // Behind what is there: the system's own loader, if any, is the better one.
    vars.LD_LIBRARY_PATH = [env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':');
  }
  return { name: `${name} (${file})`, env: vars };
}

function dataFolders(env: NodeJS.ProcessEnv): string[] {
  const folders = [env.XDG_DATA_HOME, ...(env.XDG_DATA_DIRS ?? '').split(':')];
  return folders
    .filter((folder) => folder && path.isAbsolute(folder))
    .map((folder) => `${folder}/vulkan/icd.d`);
}

function playwrightFolders(env: NodeJS.ProcessEnv): string[] {
  const root = env.PLAYWRIGHT_BROWSERS_PATH ?? path.join(env.HOME || os.homedir(), '.cache', 'ms-playwright');
  return list(root)
    .filter((folder) => /chromium/.test(path.basename(folder)))
    .flatMap((folder) => list(folder));
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).map((name) => path.join(folder, name));
  } catch {
    return [];
  }
}
