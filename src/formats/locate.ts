/** From the path a person gives to the safetensors file or index that it means. */
import { join, listFolder } from '../platform/files.js';
import { SafetensorsError } from './errors.js';

/** A checkpoint on disk: one file, or an index with its shards. */
export type Location = { readonly kind: 'file' | 'index'; readonly path: string };

const SHARD = /-\d{5}-of-(\d{5})\.safetensors$/;

/** Names tried in a folder, in order; where both exist transformers takes the single file, and so do we. */
const BASES = ['model', 'adapter_model'];

/**
 * Finds the checkpoint that `path` means: a safetensors file, an index, or a folder with either.
 */
export async function locate(path: string): Promise<Location> {
  const entries = await listFolder(path);
  if (entries === undefined) return { kind: path.endsWith('.json') ? 'index' : 'file', path };
  for (const base of BASES) {
    const single = `${base}.safetensors`;
    if (entries.includes(single)) return { kind: 'file', path: join(path, single) };
    if (entries.includes(`${single}.index.json`))
      return { kind: 'index', path: join(path, `${single}.index.json`) };
  }
  return chooseOther(path, entries);
}

/** The only index, or else the only safetensors file, whatever its name. */
function chooseOther(path: string, entries: readonly string[]): Location {
  const indexes = entries.filter((name) => name.endsWith('.safetensors.index.json'));
  const files = entries.filter((name) => name.endsWith('.safetensors'));
  const kind = indexes.length > 0 ? 'index' : 'file';
  const candidates = kind === 'index' ? indexes : files;
  const [only] = candidates;
  if (only === undefined) {
    const pickles = entries.some((name) => /\.(bin|pth?)$/.test(name));
    const fix = pickles ? '; it has PyTorch pickles, convert them with safetensors.torch.save_file' : '';
    throw new SafetensorsError(path, `has no .safetensors file${fix}`);
  }
  if (candidates.length > 1) {
    const what = kind === 'index' ? 'indexes' : '.safetensors files and no index';
    throw new SafetensorsError(path, `has ${candidates.length} ${what}; name the one to read`);
  }
  const shards = Number(SHARD.exec(only)?.[1] ?? 1);
  if (kind === 'file' && shards > 1) {
    throw new SafetensorsError(path, `has one of ${shards} shards and no index; fetch the missing files`);
  }
  return { kind, path: join(path, only) };
}
