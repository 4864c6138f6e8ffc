/** Writing new keys and values into the KV cache, rotated before or on the way. */
import { check } from '../../gpu/index.js';
import { empty, type Tensor } from '../../tensor/index.js';
import type { RotaryTable } from '../rotary.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold } from '../support.js';
import { checkCache, type KvCache } from './cache.js';

/** A slot that means "do not keep this row" to {@link kvAppend} and {@link rotateAppend}. */
export const NO_SLOT = 0xffffffff;

const WORKGROUP = 64;

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
      groups: fold(gpu, ceilDiv(rows * fours, WORKGROUP)),
      defines: { STORED: cache.k.dtype },
      constants: { WORKGROUP },
    },
  );
}

/** Whether {@link rotateAppend} can turn heads of this width. */
export function rotatesHeads(dim: number): boolean {
  return dim % 8 === 0;
}

/**
 * Rotates the queries and keys of `joined` [N, H + 2 Hkv, D] (f32; queries, keys and values of each token) by the table, puts
 * keys and values where {@link kvAppend} would, and returns the queries [N, H, D].
 */
export function rotateAppend(cache: KvCache, joined: Tensor, table: RotaryTable, slots: Tensor): Tensor {
  const op = 'rotateAppend';
  checkCache(op, cache);
  const gpu = checkDevice(op, cache.k, cache.v, joined, table.cos, table.sin, slots);
  const [capacity, kvHeads, dim] = cache.k.shape;
  check(rotatesHeads(dim), 'shape', () => `${op}: head dimension ${dim} is not a multiple of 8`);
  checkDtype(op, 'joined', joined, 'f32');
  checkShapeIs(op, 'joined', joined, [-1, -1, dim]);
  const [rows, all] = joined.shape;
  const heads = all - 2 * kvHeads;
  check(heads > 0, 'shape', () => `${op}: joined ${joined.describe()} has no queries beside ${kvHeads} keys`);
  for (const angles of [table.cos, table.sin]) {
    checkDtype(op, 'the table', angles, 'f32');
    checkShapeIs(op, 'the table', angles, [rows, dim / 2]);
  }
  checkShapeIs(op, 'slots', slots, [rows]);
  checkDtype(op, 'slots', slots, 'u32');
  const turned = empty(gpu, [rows, heads, dim]);
  const half = dim / 8;
  gpu.launch(
    'attention/rotate-append',
    { joined, cosines: table.cos, sines: table.sin, slots, turned, kCache: cache.k, vCache: cache.v },
    { rows, heads, kvHeads, half, capacity },
    {
      groups: fold(gpu, ceilDiv(rows * all * half, WORKGROUP)),
      defines: { STORED: cache.k.dtype },
      constants: { WORKGROUP },
    },
  );
  return turned;
}
