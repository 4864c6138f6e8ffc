/** The KV cache of all layers: slabs of slots, one token each, shared by all sequences in flight. */
import type { Gpu } from '../gpu/index.js';
import type { KvCache } from '../kernels/attention.js';
import type { TextConfig } from '../models/core/config.js';
import { bytesOf, empty, type FloatDType, type Tensor } from '../tensor/index.js';
import { SlotAllocator } from './slots.js';

/** Bytes that one token takes in the cache. */
export function kvBytesPerToken({ layers, kvHeads, headDim }: TextConfig, dtype: FloatDType): number {
  return 2 * layers * bytesOf(dtype, kvHeads * headDim);
}

/** Keys and values of every layer, and who has which slots. */
export class KvSlab {
  readonly dtype: FloatDType;
  #slots = new SlotAllocator(0);
  readonly #gpu: Gpu;
  readonly #config: TextConfig;
  #layers: readonly KvCache[] = [];

  constructor(gpu: Gpu, config: TextConfig, dtype: FloatDType) {
    this.#gpu = gpu;
    this.#config = config;
    this.dtype = dtype;
  }

  /** Who has which slots. */
  get slots(): SlotAllocator {
    return this.#slots;
  }

  /** The caches by layer. Growing replaces them. */
  get layers(): readonly KvCache[] {
    return this.#layers;
  }

  /** Bytes of keys and values. */
  get bytes(): number {
    return this.#slots.capacity * kvBytesPerToken(this.#config, this.dtype);
  }

  /** Most slots that one binding can cover. */
  get largest(): number {
    const { kvHeads, headDim } = this.#config;
    return Math.floor(this.#gpu.maxBindingBytes / bytesOf(this.dtype, kvHeads * headDim));
  }

  /** Makes room for more slots; what is in the cache stays where it is. */
  grow(capacity: number): void {
    const { layers, kvHeads, headDim } = this.#config;
    const rows = () =>
      empty(this.#gpu, [capacity, kvHeads, headDim], { dtype: this.dtype, purpose: 'kv' }).keep();
    const moved = (old: Tensor | undefined) => {
      const made = rows();
      if (old) {
        this.#gpu.copy(old.range, made.range, old.bytes);
        old.dispose();
      }
      return made;
    };
    this.#layers = Array.from({ length: layers }, (_, i) => {
      const old = this.#layers[i];
      return { k: moved(old?.k), v: moved(old?.v) };
    });
    this.#slots.grow(capacity);
  }

  /** Frees everything; growing begins again from nothing. */
  dispose(): void {
    for (const { k, v } of this.#layers) {
      k.dispose();
      v.dispose();
    }
    this.#layers = [];
    this.#slots = new SlotAllocator(0);
  }
}
