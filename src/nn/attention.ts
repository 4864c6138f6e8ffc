/** Self-attention blocks: projections, rotary positions, and whatever kind of attention the caller runs. */
import { reshape, rotary, split } from '../autograd/index.js';
import type { RotaryTable } from '../kernels/rotary.js';
import type { Tensor } from '../tensor/index.js';
import type { DropoutStep, Linear } from './linear.js';
import type { Norm } from './norm.js';

/** Who attends: a layer of a stack, by number. */
export interface AttentionPlace {
  readonly layer: number;
  /** Layers of one kind share their rotary angles and who attends to whom; 0 where all layers are alike. */
  readonly kind: number;
}

/**
 * Attention over q [T, H, D], k and v [T, Hkv, D] (after rotation) of one layer, giving [T, H, D]. Training attends within
 * packed segments; generation appends k and v to a cache and attends to that.
 */
export type Attend = (place: AttentionPlace, q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** What the layers of a pass share. */
export interface LayerContext {
  /** By kind of layer. */
  readonly rotary: readonly RotaryTable[];
  readonly attend: Attend;
  /** Masks for the dropout of adapters; none outside of training. */
  readonly dropout?: DropoutStep | undefined;
}

/** Projections of a decoder layer. */
export interface SeparateProjections {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly o: Linear;
}

/** Norms over the width of a head, before the rotation. */
export interface HeadNorms {
  readonly q: Norm;
  readonly k: Norm;
}

/** Attention with separate projections, in groups of query heads that share keys and values. */
export class GroupedAttention {
  readonly place: AttentionPlace;
  readonly projections: SeparateProjections;
  readonly headDim: number;
  readonly norms: HeadNorms | null;

  constructor(
    place: AttentionPlace,
    projections: SeparateProjections,
    headDim: number,
    norms: HeadNorms | null = null,
  ) {
    this.place = place;
    this.projections = projections;
    this.headDim = headDim;
    this.norms = norms;
  }

  /** Applies the block to x [T, width]. */
  forward(x: Tensor, context: LayerContext): Tensor {
    const { q, k, v, o } = this.projections;
    const { dropout } = context;
    const table = context.rotary[this.place.kind];
    const heads = (y: Tensor) => reshape(y, [x.shape[0], -1, this.headDim]);
    const turned = (y: Tensor, norm: Norm | undefined) => rotary(norm ? norm.forward(y) : y, table);
    const queries = turned(heads(q.forward(x, dropout)), this.norms?.q);
    const keys = turned(heads(k.forward(x, dropout)), this.norms?.k);
    const mixed = context.attend(this.place, queries, keys, heads(v.forward(x, dropout)));
    return o.forward(reshape(mixed, [x.shape[0], -1]), dropout);
  }
}

/** Attention whose queries, keys and values come from one projection, as the vision towers have it. */
export class FusedAttention {
  readonly place: AttentionPlace;
  readonly qkv: Linear;
  readonly out: Linear;
  readonly heads: number;

  constructor(place: AttentionPlace, qkv: Linear, out: Linear, heads: number) {
    this.place = place;
    this.qkv = qkv;
    this.out = out;
    this.heads = heads;
  }

  /** Applies the block to x [T, width]. */
  forward(x: Tensor, context: LayerContext): Tensor {
    const [tokens, width] = x.shape;
    const table = context.rotary[this.place.kind];
    const parts = split(this.qkv.forward(x, context.dropout), [width, width, width], 1);
    const [q, k, v] = parts.map((part) => reshape(part, [tokens, this.heads, width / this.heads]));
    const mixed = context.attend(this.place, rotary(q, table), rotary(k, table), v);
    return this.out.forward(reshape(mixed, [tokens, width]), context.dropout);
  }
}
