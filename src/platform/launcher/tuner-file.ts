/** Measured kernel choices on disk: one file per adapter, driver and engine version, in the cache folder. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AdapterInfo } from '../../gpu/index.js';
import { cacheFolder } from './paths.js';

/** Loads and saves choices; what the tuner takes as its store. */
export interface TunerFile {
  readonly path: string;
  load(): Promise<Record<string, unknown>>;
  save(choices: Readonly<Record<string, unknown>>): Promise<void>;
}

/** False where `OSLER_TUNER=off` asks for rules of thumb only. */
export function tunerEnabled(env: NodeJS.ProcessEnv = process.env): boolean {
  return !/^(off|0|false|no)$/i.test(env.OSLER_TUNER ?? '');
}

/** The file of an adapter under an engine version; a cache that cannot be read counts as empty. */
export function tunerFile(info: AdapterInfo, version: string, folder = cacheFolder()): TunerFile {
  const made = { adapter: info.name, driver: info.driver, engine: version };
  const id = createHash('sha256').update(JSON.stringify(made)).digest('hex').slice(0, 16);
  const file = path.join(folder, 'tuner', `${id}.json`);
  const load = async (): Promise<Record<string, unknown>> => {
    try {
      const { choices } = JSON.parse(await readFile(file, 'utf8')) as { choices?: Record<string, unknown> };
      return typeof choices === 'object' && choices !== null ? choices : {};
    } catch {
      return {};
    }
  };
  return {
    path: file,
    load,
    async save(choices) {
      // Another process may have measured other shapes meanwhile; losing its last few to a race costs only time.
      const all = { ...(await load()), ...choices };
      await mkdir(path.dirname(file), { recursive: true });
      const temporary = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
      try {
        await writeFile(temporary, `${JSON.stringify({ ...made, choices: all }, null, 1)}\n`);
        await rename(temporary, file);
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}
