/** The KV cache of a layer. */
import { check } from '../../gpu/index.js';
import { FLOATS, type Tensor } from '../../tensor/index.js';
import { checkDtype, checkShapeIs } from '../support.js';
import { checkHeads } from './shapes.js';

/**
 * Keys and values of one layer: [slots, Hkv, D], f32, f16 or bf16. A slot holds one token; who uses which slots is up to the
 * caller. Sequences that share a prompt name the same slots as their prefix.
 */
export interface KvCache {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** Rejects what is no cache, or cannot be bound. */
export function checkCache(op: string, { k, v }: KvCache): void {
  checkDtype(op, 'the cache of keys', k, ...FLOATS);
  checkDtype(op, 'the cache of values', v, k.dtype);
  checkShapeIs(op, 'the cache of keys', k, [-1, -1, -1]);
  checkShapeIs(op, 'the cache of values', v, k.shape);
  checkHeads(op, k.shape[1], k.shape[1], k.shape[2]);
  check(k.bytes <= k.gpu.maxBindingBytes, 'limit', () => {
    return `${op}: a cache of ${k.bytes} bytes exceeds what this adapter can bind (${k.gpu.maxBindingBytes}); use fewer slots or a 16-bit dtype`;
  });
}
