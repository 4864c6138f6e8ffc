/** Pictures of a report: small, and each only once. */

import { toBase64 } from '../formats/base64.js';
import { isWithin, readWholeFile } from '../platform/files.js';
import { bytesPicture, encodedPicture, ImageError } from '../vision/index.js';

/** Longest sides to choose from, largest first. */
const SIDES = [384, 320, 256, 192, 128] as const;
/** Pictures that are tried to estimate what all of them will need. */
const PROBES = 16;
const QUALITY = 70;

/** Pictures as data URLs, and which of them each path got. */
export interface PackedPictures {
  /** Data URLs; null for a picture that there was no room for. */
  readonly sources: readonly (string | null)[];
  /** Index into `sources` by path index; undefined where the file could not be read. */
  readonly index: readonly (number | undefined)[];
  readonly missing: number;
  readonly leftOut: number;
}

/** Finds the files of pictures; undefined where there is none. */
export type FindPicture = (path: string) => Promise<Uint8Array | undefined>;

/**
 * A finder that looks below folders in order, and takes absolute paths as they are.
 *
 * @param within folders that pictures must be in, wherever a path or a link leads; anywhere by default. What a run names is
 *   its author's word: a report that is passed on must not carry pictures that the reader of the run has elsewhere.
 */
export function pictureFinder(roots: readonly string[], within?: readonly string[]): FindPicture {
  return async (path) => {
    const places = /^(?:\/|[A-Za-z]:[/\\])/.test(path) ? [path] : roots.map((root) => `${root}/${path}`);
    for (const place of places) {
      if (within !== undefined && !(await isWithinAny(place, within))) continue;
      const bytes = await readWholeFile(place).catch(() => undefined);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  };
}

async function isWithinAny(path: string, folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) if (await isWithin(path, folder)) return true;
  return false;
}

/** A picture as a small WebP file; undefined when it cannot be decoded. */
export async function thumbnail(bytes: Uint8Array, side: number): Promise<Uint8Array | undefined> {
  try {
    return await encodedPicture(bytesPicture('a picture', bytes), { format: 'webp', quality: QUALITY, side });
  } catch (error) {
    if (error instanceof ImageError) return undefined;
    throw error;
  }
}

/**
 * Makes the pictures of a report, as large as fits.
 *
 * @param budget bytes of the report that all pictures together may take.
 */
export async function packPictures(
  paths: readonly string[],
  find: FindPicture,
  budget: number,
): Promise<PackedPictures> {
  const side = await chooseSide(paths, find, budget);
  const sources: (string | null)[] = [];
  const known = new Map<string, number>();
  let room = budget;
  let missing = 0;
  let leftOut = 0;
  const index = await inOrder(paths, 4, async (path) => {
    const bytes = await find(path);
    if (bytes === undefined) return undefined;
    const small = await thumbnail(bytes, side);
    return small && dataUrl(small);
  }).then((urls) =>
    urls.map((url) => {
      if (url === undefined) {
        missing++;
        return undefined;
      }
      const before = known.get(url);
      if (before !== undefined) return before;
      const fits = url.length <= room;
      if (fits) room -= url.length;
      else leftOut++;
      known.set(url, sources.length);
      return sources.push(fits ? url : null) - 1;
    }),
  );
  return { sources, index, missing, leftOut };
}

/** The largest side with which some pictures of the set promise that all of them fit. */
async function chooseSide(paths: readonly string[], find: FindPicture, budget: number): Promise<number> {
  const stride = Math.max(1, Math.floor(paths.length / PROBES));
  const probes = await Promise.all(paths.filter((_, i) => i % stride === 0).map(find));
  for (const side of SIDES) {
    let bytes = 0;
    let count = 0;
    for (const probe of probes) {
      const small = probe && (await thumbnail(probe, side));
      if (small === undefined) continue;
      bytes += (small.length * 4) / 3;
      count++;
    }
    // A tenth of the room is kept, since probes are only a sample.
    if (count === 0 || (bytes / count) * paths.length <= budget * 0.9) return side;
  }
  return SIDES.at(-1) as number;
}

function dataUrl(webp: Uint8Array): string {
  return `data:image/webp;base64,${toBase64(webp)}`;
}

/** `work` on each item, `width` at a time; results in order. */
async function inOrder<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const out = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) out[i] = await work(items[i] as T);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return out;
}
