/** Folders that the launcher uses. */
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Where Osler keeps what it can fetch again: `$OSLER_CACHE`, else `$XDG_CACHE_HOME/osler`, else `~/.cache/osler`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.OSLER_CACHE) return path.resolve(env.OSLER_CACHE);
  // The XDG specification has relative paths ignored.
  if (env.XDG_CACHE_HOME && path.isAbsolute(env.XDG_CACHE_HOME))
    return path.join(env.XDG_CACHE_HOME, 'osler');
  return path.join(env.HOME || os.homedir(), '.cache', 'osler');
}

/** A folder for `XDG_RUNTIME_DIR`, without which Vulkan's loader and Mesa complain on stderr. */
export function runtimeFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.XDG_RUNTIME_DIR) return env.XDG_RUNTIME_DIR;
  const folder = path.join(cacheFolder(env), 'runtime');
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch {
    return os.tmpdir();
  }
}
