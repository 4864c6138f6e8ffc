/** Attention in float64, straight from its definition. */
import type { Segment } from '../../src/kernels/attention.js';
import { random } from './compare.js';

/** Sizes of a reference problem. */
export interface AttentionSizes {
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly dim: number;
}

/** Inputs and the gradient of the output. */
export interface AttentionInputs {
  readonly q: Float32Array;
  readonly k: Float32Array;
  readonly v: Float32Array;
  readonly gradOut: Float32Array;
}

/** Random inputs; queries are large enough that the softmax is not flat. */
export function attentionInputs({ tokens, heads, kvHeads, dim }: AttentionSizes, seed = 1): AttentionInputs {
  return {
    q: random(tokens * heads * dim, seed).map((x) => 3 * x),
    k: random(tokens * kvHeads * dim, seed + 1),
    v: random(tokens * kvHeads * dim, seed + 2),
    gradOut: random(tokens * heads * dim, seed + 3),
  };
}

/** Output, log-sum-exp (0 for padding) and gradients. */
export function referenceAttention(
  { tokens, heads, kvHeads, dim }: AttentionSizes,
  { q, k, v, gradOut }: AttentionInputs,
  segments: readonly Segment[],
  causal: boolean,
  scale = 1 / Math.sqrt(dim),
  window = Number.POSITIVE_INFINITY,
) {
  const out = new Float64Array(q.length);
  const lse = new Float64Array(tokens * heads);
  const [dq, dk, dv] = [q, k, v].map((x) => new Float64Array(x.length));
  const dot = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number) => {
    let sum = 0;
    for (let d = 0; d < dim; d++) sum += a[i + d] * b[j + d];
    return sum;
  };
  const add = (to: Float64Array, i: number, weight: number, from: ArrayLike<number>, j: number) => {
    for (let d = 0; d < dim; d++) to[i + d] += weight * from[j + d];
  };
  for (const { start, end, prefixStart = 0, prefixEnd = prefixStart, whole = false } of segments) {
    for (let row = start; row < end; row++) {
      const keys: number[] = [];
      for (let j = prefixStart; j < prefixEnd; j++) if (row - start + prefixEnd - j < window) keys.push(j);
      for (let j = start; j < (causal && !whole ? row + 1 : end); j++) if (row - j < window) keys.push(j);
      for (let h = 0; h < heads; h++) {
        const at = (row * heads + h) * dim;
        const places = keys.map((j) => (j * kvHeads + Math.floor((h * kvHeads) / heads)) * dim);
        const scores = places.map((j) => scale * dot(q, at, k, j));
        const top = scores.reduce((a, b) => Math.max(a, b));
        const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
        const p = scores.map((s) => Math.exp(s - top) / total);
        lse[row * heads + h] = top + Math.log(total);
        for (const [n, j] of places.entries()) add(out, at, p[n], v, j);
        const delta = dot(gradOut, at, out, at);
        for (const [n, j] of places.entries()) {
          const ds = scale * p[n] * (dot(gradOut, at, v, j) - delta);
          add(dv, j, p[n], gradOut, at);
          add(dk, j, ds, q, at);
          add(dq, at, ds, k, j);
        }
      }
    }
  }
  return { out, lse, dq, dk, dv };
}
