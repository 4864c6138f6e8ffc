/** Self-attention blocks: projections, rotary positions, and whatever kind of attention the caller runs. */
import { reshape, rotary, split } from '../autograd/index.js';
import { rotatesHeads } from '../kernels/attention.js';
import type { RotaryTable } from '../kernels/rotary.js';
import type { Tensor } from '../tensor/index.js';
import type { DropoutStep, Linear } from './linear.js';
import type { Norm } from './norm.js';
import { project, projectAsOne } from './step.js';

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

/**
 * The same over `joined` [T, H + 2 Hkv, D], the queries, keys and values of each token, which it rotates by `table`: what
 * steps of generation do with queries, keys and values that come from one product.
 */
export type AttendJoined = (place: AttentionPlace, joined: Tensor, table: RotaryTable) => Tensor;

/** What the layers of a pass share. */
export interface LayerContext {
  /** By kind of layer. */
  readonly rotary: readonly RotaryTable[];
  readonly attend: Attend;
  /** Given in steps of generation: no gradients are wanted, and layers run with as few launches as they can. */
  readonly attendJoined?: AttendJoined | undefined;
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
    return this.projections.o.forward(this.#mixed(x, context), context.dropout);
  }

  /** Applies the block to `norm(x)` in a step of generation, and adds `residual`. */
  step(x: Tensor, norm: Norm, context: LayerContext, residual?: Tensor): Tensor {
    const { q, k, v, o } = this.projections;
    const { attendJoined } = context;
    const joins = attendJoined && !this.norms && rotatesHeads(this.headDim);
    const joined = joins ? projectAsOne([q, k, v], x, norm) : null;
    const mixed =
      joins && joined
        ? this.#rows(attendJoined(this.place, this.#heads(joined), context.rotary[this.place.kind]))
        : this.#mixed(norm.forward(x), context);
    return project(o, mixed, residual);
  }

  /** What goes into the last projection. */
  #mixed(x: Tensor, context: LayerContext): Tensor {
    const { q, k, v } = this.projections;
    const { dropout } = context;
    const table = context.rotary[this.place.kind];
    const turned = (y: Tensor, norm: Norm | undefined) => rotary(norm ? norm.forward(y) : y, table);
    const queries = turned(this.#heads(q.forward(x, dropout)), this.norms?.q);
    const keys = turned(this.#heads(k.forward(x, dropout)), this.norms?.k);
    return this.#rows(context.attend(this.place, queries, keys, this.#heads(v.forward(x, dropout))));
  }

  #heads(rows: Tensor): Tensor {
    return reshape(rows, [rows.shape[0], -1, this.headDim]);
  }

  #rows(heads: Tensor): Tensor {
    return reshape(heads, [heads.shape[0], -1]);
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
