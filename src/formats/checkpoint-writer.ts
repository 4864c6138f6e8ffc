/** Writing a checkpoint folder's weights in the Hugging Face layout: one file, or shards with an index. */
import { join, makeFolder, namesIn, removeAll, type StagedFile, stageFile } from '../platform/files.js';
import { checkSources, type Metadata, safetensorsContent, sourceBytes, type TensorSource } from './writer.js';

/** How {@link writeCheckpoint} lays out its files. */
export interface CheckpointOptions {
  /** Most tensor bytes per file; a larger tensor gets a file of its own. Default 5 GB, as transformers 4 does. */
  readonly maxShardBytes?: number;
  /** Name before `.safetensors`; default `model`. */
  readonly base?: string;
  /** `__metadata__` of every file; default `{format: 'pt'}`, without which transformers refuses to load. */
  readonly metadata?: Metadata;
}

/** What {@link writeCheckpoint} wrote. */
export interface WrittenCheckpoint {
  /** Names of the safetensors files, in order. */
  readonly files: readonly string[];
  /** Name of the index, if there are several files. */
  readonly index: string | undefined;
  readonly totalBytes: number;
}

const DEFAULT_SHARD_BYTES = 5_000_000_000;

/**
 * Writes tensors into a folder as `model.safetensors`, or, when they exceed `maxShardBytes`, as
 * `model-00001-of-0000N.safetensors` and `model.safetensors.index.json`.
 *
 * No file gets its name before all are complete; then weights of an earlier, differently sharded save go, since a reader
 * could take them for the new ones. To replace a folder's weights at one instant, write into `replaceFolder`.
 */
export async function writeCheckpoint(
  dir: string,
  tensors: Iterable<TensorSource>,
  options: CheckpointOptions = {},
): Promise<WrittenCheckpoint> {
  const { maxShardBytes = DEFAULT_SHARD_BYTES, base = 'model', metadata = { format: 'pt' } } = options;
  if (!(maxShardBytes > 0))
    throw new RangeError(`maxShardBytes is ${maxShardBytes}; it is a positive number of bytes`);
  const sources = checkSources(dir, tensors);
  const groups = shard(sources, maxShardBytes);
  const files = groups.map((_, i) => shardName(base, i, groups.length));
  const totalBytes = sources.reduce((sum, source) => sum + sourceBytes(source), 0);
  const index = groups.length > 1 ? `${base}.safetensors.index.json` : undefined;

  await makeFolder(dir);
  const staged: StagedFile[] = [];
  try {
    for (const [i, group] of groups.entries()) {
      const path = join(dir, files[i]);
      staged.push(await stageFile(path, safetensorsContent(path, group, metadata)));
    }
    if (index !== undefined)
      staged.push(await stageFile(join(dir, index), encodeIndex(groups, files, totalBytes)));
    for (const file of staged) await file.commit();
  } finally {
    await Promise.all(staged.map((file) => file.discard()));
  }
  await removeStale(dir, base, new Set([...files, ...(index === undefined ? [] : [index])]));
  return { files, index, totalBytes };
}

/** Fills shards in the order given, as transformers does; there is always at least one. */
function shard(sources: readonly TensorSource[], maxBytes: number): TensorSource[][] {
  const groups: TensorSource[][] = [[]];
  let filled = 0;
  for (const source of sources) {
    const bytes = sourceBytes(source);
    if (filled > 0 && filled + bytes > maxBytes) {
      groups.push([]);
      filled = 0;
    }
    (groups.at(-1) as TensorSource[]).push(source);
    filled += bytes;
  }
  return groups;
}

function shardName(base: string, i: number, count: number): string {
  const number = (n: number) => String(n).padStart(5, '0');
  return count === 1 ? `${base}.safetensors` : `${base}-${number(i + 1)}-of-${number(count)}.safetensors`;
}

/** Keys sorted, two spaces, final newline: what transformers writes, so that a rewritten index shows no diff. */
function encodeIndex(
  groups: readonly TensorSource[][],
  files: readonly string[],
  totalBytes: number,
): string {
  const rows = groups
    .flatMap((group, i) => group.map(({ name }) => [name, files[i]] as const))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`);
  return `{\n  "metadata": {\n    "total_size": ${totalBytes}\n  },\n  "weight_map": {\n${rows.join(',\n')}\n  }\n}\n`;
}

async function removeStale(dir: string, base: string, keep: ReadonlySet<string>): Promise<void> {
  for (const name of await namesIn(dir)) {
    if (keep.has(name) || !name.startsWith(base)) continue;
    if (/^(-\d{5}-of-\d{5})?\.safetensors$|^\.safetensors\.index\.json$/.test(name.slice(base.length))) {
      await removeAll(join(dir, name));
    }
  }
}
