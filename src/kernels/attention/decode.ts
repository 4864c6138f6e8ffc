/** Attention over a KV cache. */
import { check } from '../../gpu/index.js';
import { empty, type Tensor } from '../../tensor/index.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold } from '../support.js';
import { checkCache, type KvCache } from './cache.js';
import {
  type AttentionVariant,
  checkHeads,
  checkVariant,
  chooseScale,
  chooseWindow,
  vectorVariant,
  windowConstants,
} from './shapes.js';

/** Options of {@link decodeAttention}. */
export interface DecodeOptions {
  /** The most keys (prefix and own) that a sequence may come to have; decides how the work is split. */
  readonly maxKeys: number;
  /** How many tokens a token looks back on, itself among them; on all of them by default. */
  readonly window?: number | undefined;
  /** What scores are multiplied with; 1 / sqrt(D) by default. */
  readonly scale?: number | undefined;
  /** Forces the kernel of hardware GPUs or of software adapters. */
  readonly variant?: AttentionVariant;
  /** Over how many workgroups the keys of a sequence are spread; chosen from `maxKeys` by default. */
  readonly splits?: number;
}

/** Workgroups that keep the device busy, and the fewest keys worth a workgroup. */
const BUSY = { tile: 512, wide: 8 };
const KEYS_PER_SPLIT = 256;

/**
 * Attention of the newest tokens of S sequences over a KV cache (to which `kvAppend` or `rotateAppend` has already added them):
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
  const { maxKeys, variant = vectorVariant(gpu, dim) } = options;
  checkVariant(op, variant, dim);
  const window = chooseWindow(op, options.window);
  check(Number.isInteger(maxKeys) && maxKeys > 0, 'value', () => `${op}: maxKeys is ${maxKeys}`);
  const queries = tokens / count;
  const rowsPerKvHead = (queries * heads) / kvHeads;
  const wide = variant === 'wide';
  const ROWS = Math.min(rowsPerKvHead, wide ? (dim <= 64 ? 4 : 2) : 8);
  const blocks = ceilDiv(rowsPerKvHead, ROWS);
  const seen = window > 0 ? Math.min(maxKeys, window + queries - 1) : maxKeys;
  const wanted = Math.min(ceilDiv(BUSY[variant], count * blocks * kvHeads), ceilDiv(seen, KEYS_PER_SPLIT));
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
      defines: { FORMAT: cache.k.dtype, WIDTH: 4, ROWS, D4: dim / 4, WINDOWED: window > 0 },
      constants: windowConstants(window),
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
