/** Self-attention blocks: projections, rotary positions, and whatever kind of attention the caller runs. */
import { reshape, rotary, split } from '../autograd/index.js';
import type { RotaryTable } from '../kernels/rotary.js';
import type { Tensor } from '../tensor/index.js';
import type { Linear } from './linear.js';

/**
 * Attention over q [T, H, D], k and v [T, Hkv, D] (after rotation) of one layer, giving [T, H, D]. Training attends within
 * packed segments; generation appends k and v to a cache and attends to that.
 */
export type Attend = (layer: number, q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** What the attention blocks of a pass share. */
export interface AttentionContext {
  readonly rotary: RotaryTable;
  readonly attend: Attend;
}

/** Projections of a decoder layer. */
export interface SeparateProjections {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly o: Linear;
}

/** Attention with separate projections, in groups of query heads that share keys and values. */
export class GroupedAttention {
  readonly layer: number;
  readonly projections: SeparateProjections;
  readonly headDim: number;

  constructor(layer: number, projections: SeparateProjections, headDim: number) {
    this.layer = layer;
    this.projections = projections;
    this.headDim = headDim;
  }

  /** Applies the block to x [T, width]. */
  forward(x: Tensor, context: AttentionContext): Tensor {
    const { q, k, v, o } = this.projections;
    const heads = (y: Tensor) => reshape(y, [x.shape[0], -1, this.headDim]);
    const queries = rotary(heads(q.forward(x)), context.rotary);
    const keys = rotary(heads(k.forward(x)), context.rotary);
    const mixed = context.attend(this.layer, queries, keys, heads(v.forward(x)));
    return o.forward(reshape(mixed, [x.shape[0], -1]));
  }
}

/** Attention whose queries, keys and values come from one projection, as the vision towers have it. */
export class FusedAttention {
  readonly layer: number;
  readonly qkv: Linear;
  readonly out: Linear;
  readonly heads: number;

  constructor(layer: number, qkv: Linear, out: Linear, heads: number) {
    this.layer = layer;
    this.qkv = qkv;
    this.out = out;
    this.heads = heads;
  }

  /** Applies the block to x [T, width]. */
  forward(x: Tensor, context: AttentionContext): Tensor {
    const [tokens, width] = x.shape;
    const parts = split(this.qkv.forward(x), [width, width, width], 1);
    const [q, k, v] = parts.map((part) => reshape(part, [tokens, this.heads, width / this.heads]));
    const mixed = context.attend(this.layer, rotary(q, context.rotary), rotary(k, context.rotary), v);
    return this.out.forward(reshape(mixed, [tokens, width]));
  }
}
