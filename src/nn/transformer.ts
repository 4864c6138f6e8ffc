/** A pre-norm transformer layer and stacks of them. */
import { add, checkpoint } from '../autograd/index.js';
import { scope, type Tensor } from '../tensor/index.js';
import type { AttentionContext } from './attention.js';
import type { Block } from './mlp.js';
import type { Norm } from './norm.js';

/** An attention block. */
export interface AttentionBlock {
  forward(x: Tensor, context: AttentionContext): Tensor;
}

/** `x + attention(norm(x))`, then `x + mlp(norm(x))`. */
export class TransformerLayer {
  readonly norm1: Norm;
  readonly attention: AttentionBlock;
  readonly norm2: Norm;
  readonly mlp: Block;

  constructor(norm1: Norm, attention: AttentionBlock, norm2: Norm, mlp: Block) {
    this.norm1 = norm1;
    this.attention = attention;
    this.norm2 = norm2;
    this.mlp = mlp;
  }

  /** Applies the layer to x [T, width]. */
  forward(x: Tensor, context: AttentionContext): Tensor {
    const { y, h } = this.norm2.addForward(this.attention.forward(this.norm1.forward(x), context), x);
    return add(this.mlp.forward(y), h);
  }
}

/**
 * Runs layers one after another. With `recompute`, a layer's intermediates are not kept for the backward pass but computed
 * again when it gets there.
 */
export function runLayers(
  x: Tensor,
  layers: readonly TransformerLayer[],
  context: (layer: number) => AttentionContext,
  recompute = false,
): Tensor {
  let h = x;
  layers.forEach((layer, i) => {
    const block = (input: Tensor) => scope(() => layer.forward(input, context(i)));
    const next = recompute ? checkpoint(block, h) : block(h);
    // The layer's input is ours, except the first one; what the backward needs of it the tape holds itself.
    if (h !== x) h.dispose();
    h = next;
  });
  return h;
}
