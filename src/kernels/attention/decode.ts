/** The KV cache and attention over it. */
import { check } from '../../gpu/index.js';
import { empty, FLOATS, type Tensor } from '../../tensor/index.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold } from '../support.js';
import { type AttentionVariant, checkHeads, chooseScale } from './shapes.js';

/**
 * Keys and values of one layer: [slots, Hkv, D], f32, f16 or bf16. A slot holds one token; who uses which slots is up to the
 * caller. Sequences that share a prompt name the same slots as their prefix.
 */
export interface KvCache {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** Options of {@link decodeAttention}. */
export interface DecodeOptions {
  /** The most keys (prefix and own) that a sequence may come to have; decides how the work is split. */
  readonly maxKeys: number;
  /** What scores are multiplied with; 1 / sqrt(D) by default. */
  readonly scale?: number;
  /** Forces the kernel of hardware GPUs or of software adapters. */
  readonly variant?: AttentionVariant;
  /** Over how many workgroups the keys of a sequence are spread; chosen from `maxKeys` by default. */
  readonly splits?: number;
}

/** A slot that means "do not keep this row" to {@link kvAppend}. */
export const NO_SLOT = 0xffffffff;

/** Workgroups that keep the device busy, and the fewest keys worth a workgroup. */
const BUSY = { tile: 512, wide: 8 };
const KEYS_PER_SPLIT = 256;

function checkCache(op: string, { k, v }: KvCache): void {
  checkDtype(op, 'the cache of keys', k, ...FLOATS);
  checkDtype(op, 'the cache of values', v, k.dtype);
  checkShapeIs(op, 'the cache of keys', k, [-1, -1, -1]);
  checkShapeIs(op, 'the cache of values', v, k.shape);
  checkHeads(op, k.shape[1], k.shape[1], k.shape[2]);
  check(k.bytes <= k.gpu.maxBindingBytes, 'limit', () => {
    return `${op}: a cache of ${k.bytes} bytes exceeds what this adapter can bind (${k.gpu.maxBindingBytes}); use fewer slots or a 16-bit dtype`;
  });
}

/**
 * Writes rows k, v [N, Hkv, D] (f32) into the cache, rounding to its dtype: row n goes to slot `slots[n]` (u32 [N]), or
 * nowhere if that is {@link NO_SLOT}. Slots are read on the GPU, so a recorded step can be replayed with other ones; rows
 * of one call must not share a slot.
 */
export function kvAppend(cache: KvCache, k: Tensor, v: Tensor, slots: Tensor): void {
  const op = 'kvAppend';
  checkCache(op, cache);
  const gpu = checkDevice(op, cache.k, cache.v, k, v, slots);
  const [capacity, kvHeads, dim] = cache.k.shape;
  checkShapeIs(op, 'k', k, [-1, kvHeads, dim]);
  checkShapeIs(op, 'v', v, k.shape);
  checkDtype(op, 'k', k, 'f32');
  checkDtype(op, 'v', v, 'f32');
  const rows = k.shape[0];
  checkShapeIs(op, 'slots', slots, [rows]);
  checkDtype(op, 'slots', slots, 'u32');
  const fours = (kvHeads * dim) / 4;
  gpu.launch(
    'attention/cache-append',
    { k, v, slots, kCache: cache.k, vCache: cache.v },
    { rows, fours, capacity },
    {
      groups: fold(gpu, ceilDiv(rows * fours, 64)),
      defines: { STORED: cache.k.dtype },
      constants: { WORKGROUP: 64 },
    },
  );
}

/**
 * Attention of the newest tokens of S sequences over a KV cache (to which {@link kvAppend} has already added them):
 * q [S * n, H, D] holds the last n tokens of each sequence, in order. `sequences` is u32 [S, 4] with, per sequence, the slots
 * of its prefix (start, end) and its own (start, end); it is read on the GPU, so a recorded step can be replayed with
 * longer sequences. Returns [S * n, H, D]; zeros for a token that has no keys.
 */
export function decodeAttention(
  q: Tensor,
  cache: KvCache,
  sequences: Tensor,
  options: DecodeOptions,
): Tensor {
  const op = 'decodeAttention';
  checkCache(op, cache);
  const gpu = checkDevice(op, q, cache.k, cache.v, sequences);
  const [, kvHeads, dim] = cache.k.shape;
  checkDtype(op, 'q', q, 'f32');
  checkShapeIs(op, 'q', q, [-1, -1, dim]);
  checkDtype(op, 'sequences', sequences, 'u32');
  checkShapeIs(op, 'sequences', sequences, [-1, 4]);
  const [tokens, heads] = q.shape;
  const count = sequences.shape[0];
  checkHeads(op, heads, kvHeads, dim);
  check(tokens % count === 0, 'shape', () => {
    return `${op}: q has ${tokens} tokens for ${count} sequences; give the same number for each`;
  });
  const { maxKeys, variant = gpu.info.software ? 'wide' : 'tile' } = options;
  check(Number.isInteger(maxKeys) && maxKeys > 0, 'value', () => `${op}: maxKeys is ${maxKeys}`);
  const queries = tokens / count;
  const rowsPerKvHead = (queries * heads) / kvHeads;
  const wide = variant === 'wide';
  const ROWS = Math.min(rowsPerKvHead, wide ? (dim <= 64 ? 4 : 2) : 8);
  const blocks = ceilDiv(rowsPerKvHead, ROWS);
  const wanted = Math.min(ceilDiv(BUSY[variant], count * blocks * kvHeads), ceilDiv(maxKeys, KEYS_PER_SPLIT));
  const splits = options.splits ?? wanted;
  check(Number.isInteger(splits) && splits > 0, 'value', () => `${op}: splits is ${splits}`);
  const partCount = splits * (wide ? 16 : 1);
  const rows = tokens * heads;
  const parts = empty(gpu, [rows, partCount, dim], { purpose: 'scratch' });
  const marks = empty(gpu, [rows, partCount, 2], { purpose: 'scratch' });
  const out = empty(gpu, q.shape);
  const scale = chooseScale(op, options.scale, dim);
  gpu.launch(
    wide ? 'attention/decode-wide' : 'attention/decode-tile',
    { q, kCache: cache.k, vCache: cache.v, sequences, parts, marks },
    { heads, kvHeads, queries, splits, blocks, scale },
    {
      groups: [splits, kvHeads, count * blocks],
      defines: { FORMAT: cache.k.dtype, WIDTH: 4, ROWS, D4: dim / 4 },
    },
  );
  gpu.launch(
    'attention/decode-combine',
    { parts, marks, out },
    { rows, count: partCount, fours: dim / 4 },
    { groups: fold(gpu, ceilDiv((rows * dim) / 4, 64)), constants: { WORKGROUP: 64 } },
  );
  parts.dispose();
  marks.dispose();
  return out;
}
