/** Differentiable attention. */
import {
  type AttentionOptions,
  attentionBackward,
  attentionForward,
  type Segments,
} from '../../kernels/attention.js';
import type { Tensor } from '../../tensor/index.js';
import { differentiable } from '../graph.js';

/**
 * softmax(scale q k^T) v for packed sequences: q [T, H, D], k and v [T, Hkv, D]; see `attentionForward`. The backward pass
 * needs the segments again: dispose them after it.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  segments: Segments,
  options: AttentionOptions = {},
): Tensor {
  const { out, lse } = attentionForward(q, k, v, segments, options);
  differentiable({
    name: 'attention',
    inputs: [q, k, v],
    outputs: [out],
    saved: [q, k, v, out, lse],
    backward: ([g], [sq, sk, sv, sOut, sLse], { needs }) => {
      const wanted = { q: needs[0], kv: needs[1] || needs[2] };
      const { dq, dk, dv } = attentionBackward(g!, sq, sk, sv, { out: sOut, lse: sLse }, segments, {
        ...options,
        needs: wanted,
      });
      return [dq, needs[1] ? dk : null, needs[2] ? dv : null];
    },
  });
  return out;
}
