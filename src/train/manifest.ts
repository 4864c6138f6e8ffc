/**
 * `manifest.json` of a checkpoint: what it was made with, and the digest of every file in it. Two equal runs write equal
 * manifests, so nothing in it depends on the time or the place.
 */
import { z } from 'zod';
import type { Gpu } from '../gpu/index.js';
import { atomicWrite, fileDigest, isFolder, join, namesIn, readIfThere } from '../platform/files.js';
import type { Origin } from './origin.js';

/** The file's name. */
export const MANIFEST = 'manifest.json';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const SCHEMA = z.object({
  version: z.literal(1),
  step: z.int().positive(),
  task: z.string(),
  /** Adapter, driver and feature tier: other ones round otherwise. */
  device: z.object({ adapter: z.string(), driver: z.string(), tier: z.string() }),
  /** The run's {@link Origin}, which the first manifests lack. */
  osler: z.string().optional(),
  config: sha256.optional(),
  inputs: z.record(z.string(), sha256).optional(),
  /** SHA-256 by path. */
  files: z.record(z.string(), sha256),
});

/** See above. */
export type Manifest = z.output<typeof SCHEMA>;

/** Writes the manifest of a checkpoint whose other files are complete. */
export async function writeManifest(
  dir: string,
  made: { readonly step: number; readonly task: string; readonly gpu: Gpu; readonly origin: Origin },
): Promise<void> {
  const { info, tier } = made.gpu;
  const files: Record<string, string> = {};
  for (const path of await pathsBelow(dir)) files[path] = (await fileDigest(join(dir, path))) as string;
  const manifest: Manifest = {
    version: 1,
    step: made.step,
    task: made.task,
    device: { adapter: info.name, driver: info.driver, tier },
    ...made.origin,
    files,
  };
  await atomicWrite(join(dir, MANIFEST), `${JSON.stringify(manifest, null, 1)}\n`);
}

/** What is known of a checkpoint's files. */
export type Verdict =
  | { readonly kind: 'intact'; readonly manifest: Manifest }
  /** Written before there were manifests, or by others. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'damaged'; readonly problems: readonly string[] };

/** Compares a checkpoint with its manifest. Further files, such as people add, are no damage. */
export async function verifyCheckpoint(dir: string): Promise<Verdict> {
  const manifest = await readManifest(dir);
  if (manifest === undefined) return { kind: 'unknown' };
  if (manifest === 'damaged') return { kind: 'damaged', problems: [`${MANIFEST} cannot be read`] };
  const problems: string[] = [];
  for (const [path, expected] of Object.entries(manifest.files)) {
    const actual = await fileDigest(join(dir, path));
    if (actual === undefined) problems.push(`${path} is missing`);
    else if (actual !== expected) problems.push(`${path} is not as it was written`);
  }
  return problems.length > 0 ? { kind: 'damaged', problems } : { kind: 'intact', manifest };
}

/** The manifest of a checkpoint; undefined where it has none. */
export async function readManifest(dir: string): Promise<Manifest | 'damaged' | undefined> {
  const bytes = await readIfThere(join(dir, MANIFEST));
  if (bytes === undefined) return undefined;
  try {
    const parsed = SCHEMA.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
    return parsed.success ? parsed.data : 'damaged';
  } catch {
    return 'damaged';
  }
}

/** Paths of all files below a folder but the manifest, with `/` between names whatever the machine's own sign is. */
export async function pathsBelow(dir: string): Promise<string[]> {
  const paths: string[] = [];
  for (const name of await namesIn(dir)) {
    const path = join(dir, name);
    if (await isFolder(path)) paths.push(...(await pathsBelow(path)).map((below) => `${name}/${below}`));
    else if (name !== MANIFEST) paths.push(name);
  }
  return paths;
}
