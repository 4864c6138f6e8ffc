/** `model.safetensors.index.json`: which shard holds which tensor. */
import { openFile, readExactly } from '../platform/files.js';
import { SafetensorsError } from './errors.js';
import { MAX_HEADER_BYTES } from './header.js';
import { JsonProblem, parseJsonObject } from './json.js';
import { describe, quote } from './quote.js';
import type { SafetensorsFile } from './safetensors-file.js';

/** A checked index; shards are sorted by name. */
export interface ShardIndex {
  readonly shards: readonly string[];
  readonly weightMap: ReadonlyMap<string, string>;
  /** `metadata.total_size`, if the index has one. */
  readonly totalSize: number | undefined;
}

/** Reads and checks an index file. */
export async function readShardIndex(path: string): Promise<ShardIndex> {
  const opened = await openFile(path);
  const bytes = opened.byteLength;
  let text: Uint8Array;
  try {
    if (bytes > MAX_HEADER_BYTES) {
      throw new SafetensorsError(
        path,
        `has ${bytes} bytes, over the limit of ${MAX_HEADER_BYTES} for an index`,
      );
    }
    text = new Uint8Array(bytes);
    await readExactly(opened, path, text, 0);
  } finally {
    await opened.close();
  }
  try {
    return checkIndex(parseJsonObject(text), path);
  } catch (error) {
    throw error instanceof JsonProblem ? new SafetensorsError(path, error.message) : error;
  }
}

function checkIndex(index: Record<string, unknown>, path: string): ShardIndex {
  const map = index.weight_map;
  if (map === null || typeof map !== 'object' || Array.isArray(map)) {
    throw new SafetensorsError(
      path,
      `has ${describe(map)} for weight_map; it maps tensor names to shard files`,
    );
  }
  const weightMap = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string') {
      throw new SafetensorsError(path, `has ${describe(shard)} for its shard; it is a file name`, {
        tensor: name,
      });
    }
    if (!isPlainFileName(shard)) {
      throw new SafetensorsError(
        path,
        `has the shard name ${quote(shard)}; a shard is a .safetensors file beside the index, named without a folder`,
        { tensor: name },
      );
    }
    weightMap.set(name, shard);
  }
  return { shards: [...new Set(weightMap.values())].sort(), weightMap, totalSize: totalSize(index.metadata) };
}

/** Shard names come from whoever made the checkpoint and must not lead out of its folder, on any system. */
function isPlainFileName(name: string): boolean {
  return name.endsWith('.safetensors') && !/[/\\:\0]/.test(name);
}

function totalSize(metadata: unknown): number | undefined {
  if (metadata === null || typeof metadata !== 'object') return undefined;
  const size = (metadata as Record<string, unknown>).total_size;
  return typeof size === 'number' ? size : undefined;
}

/** Checks that index and shards name the same tensors in the same places. */
export function checkShards(
  path: string,
  index: ShardIndex,
  shards: ReadonlyMap<string, SafetensorsFile>,
): void {
  for (const [name, shard] of index.weightMap) {
    if (!shards.get(shard)?.header.tensors.has(name)) {
      throw new SafetensorsError(
        path,
        `is not in ${quote(shard)}, where the index puts it; fetch both files again`,
        {
          tensor: name,
        },
      );
    }
  }
  for (const [shard, file] of shards) {
    for (const name of file.header.tensors.keys()) {
      const home = index.weightMap.get(name);
      if (home === shard) continue;
      const where = home === undefined ? 'does not list it' : `puts it in ${quote(home)}`;
      throw new SafetensorsError(
        path,
        `is in ${quote(shard)}, but the index ${where}; fetch both files again`,
        {
          tensor: name,
        },
      );
    }
  }
}
