/**
 * What a frozen tower gave for pictures, kept for the next pass, step or epoch. An entry is found by the digest of the
 * picture's patches, its grid and the state of the tower's weights, so one cache serves several models, and weights that
 * change need not tell it. Results are those of encoding again, bit for bit: a frozen tower encodes each picture alone.
 */
import type { Gpu } from '../../gpu/index.js';
import { fromHost, type Tensor } from '../../tensor/index.js';
import { digestOf } from './digest.js';
import { gridPatches } from './grid.js';
import type { ImagePatches } from './patches.js';

/** Where features are kept, and how many bytes of them. */
export interface FeatureCacheOptions {
  /** On the host they are read back once and written again for each pass; on the device they stay. */
  readonly place: 'host' | 'device';
  /** Nothing is kept with 0, and pictures are counted all the same. */
  readonly bytes: number;
}

/** Pictures that went through the tower, and that were found. */
export interface FeatureCounts {
  readonly encoded: number;
  readonly found: number;
}

/** Features of one picture, as many tensors as the decoder takes. */
interface Entry {
  readonly bytes: number;
  /** On the device; on the host's way there until it has arrived. */
  device: readonly Tensor[] | null;
  host: readonly HostFeatures[] | null;
}

interface HostFeatures {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** See above. The one used longest ago goes first. */
export class FeatureCache {
  readonly #options: FeatureCacheOptions;
  /** In the order of their last use. */
  readonly #entries = new Map<string, Entry>();
  /** Keys of the pictures of patches that were seen before. */
  readonly #digests = new WeakMap<Float32Array, readonly string[]>();
  #bytes = 0;
  #encoded = 0;
  #found = 0;
  #disposed = false;

  /** Belongs to whoever made it: a model does not dispose it. */
  constructor(options: FeatureCacheOptions) {
    this.#options = options;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether looking is of any use. */
  get keeps(): boolean {
    return this.#options.bytes > 0;
  }

  /** What was counted since the last call. */
  take(): FeatureCounts {
    const counts = { encoded: this.#encoded, found: this.#found };
    this.#encoded = 0;
    this.#found = 0;
    return counts;
  }

  /** Counts pictures that went through a tower. */
  count(encoded: number): void {
    this.#encoded += encoded;
  }

  /** Names of the pictures in some patches: equal for equal pictures alone. */
  digests({ pixels, grids }: ImagePatches): readonly string[] {
    let found = this.#digests.get(pixels);
    if (!found) {
      const values = pixels.length / grids.reduce((sum, grid) => sum + gridPatches(grid), 0);
      let first = 0;
      found = grids.map((grid) => {
        const own = pixels.subarray(first, first + gridPatches(grid) * values);
        first += own.length;
        return `${grid.join('x')}:${digestOf(own)}`;
      });
      this.#digests.set(pixels, found);
    }
    return found;
  }

  /** Features kept under a key, as tensors of the caller's; null where there are none. */
  find(key: string, gpu: Gpu): readonly Tensor[] | null {
    const entry = this.#entries.get(key);
    if (!entry) return null;
    this.#found++;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (entry.device) return entry.device.map((tensor) => tensor.alias());
    return (entry.host ?? []).map(({ data, shape }) => fromHost(gpu, data, shape, 'f32'));
  }

  /** Keeps features, which remain the caller's as well. */
  keep(key: string, features: readonly Tensor[]): void {
    const bytes = features.reduce((sum, tensor) => sum + tensor.bytes, 0);
    if (bytes > this.#options.bytes || this.#entries.has(key)) return;
    for (const [oldest, { bytes: own }] of this.#entries) {
      if (this.#bytes + bytes <= this.#options.bytes) break;
      this.#drop(oldest);
      this.#bytes -= own;
    }
    const entry: Entry = { bytes, device: features.map((tensor) => tensor.alias().keep()), host: null };
    this.#entries.set(key, entry);
    this.#bytes += bytes;
    if (this.#options.place === 'host') void this.#bringHome(key, entry);
    else for (const { gpu, storage } of features) gpu.relabel(storage.buffer, 'weights');
  }

  /** Frees everything. */
  dispose(): void {
    this.#disposed = true;
    for (const key of [...this.#entries.keys()]) this.#drop(key);
    this.#bytes = 0;
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    // What is being read is disposed when it has been.
    if (this.#options.place === 'device') for (const tensor of entry?.device ?? []) tensor.dispose();
  }

  async #bringHome(key: string, entry: Entry): Promise<void> {
    const tensors = entry.device as readonly Tensor[];
    try {
      const data = await Promise.all(tensors.map((tensor) => tensor.data()));
      entry.host = tensors.map(({ shape }, i) => ({ data: data[i], shape }));
    } catch {
      // Whoever reads next hears of what happened to the device; nothing can be kept of it.
      if (this.#entries.get(key) === entry && !this.#disposed) {
        this.#drop(key);
        this.#bytes -= entry.bytes;
      }
    } finally {
      entry.device = null;
      for (const tensor of tensors) tensor.dispose();
    }
  }
}
