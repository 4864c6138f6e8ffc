/** A pre-norm transformer layer and stacks of them. */
import { add, checkpointAlike, Repeats } from '../autograd/index.js';
import { scope, type Tensor } from '../tensor/index.js';
import type { LayerContext } from './attention.js';
import type { Block } from './mlp.js';
import type { Norm } from './norm.js';

/** An attention block. */
export interface AttentionBlock {
  /** Applies it. */
  forward(x: Tensor, context: LayerContext): Tensor;
  /** Applies it to `norm(x)` in a step of generation, and adds `residual`. */
  step?(x: Tensor, norm: Norm, context: LayerContext, residual?: Tensor): Tensor;
}

/** What a layer is made of. */
export interface LayerParts {
  readonly norm1: Norm;
  readonly attention: AttentionBlock;
  /** On what attention gives, before it is added. */
  readonly after1?: Norm;
  readonly norm2: Norm;
  readonly mlp: Block;
  /** On what the MLP gives, before it is added. */
  readonly after2?: Norm;
}

/** `x + attention(norm(x))`, then `x + mlp(norm(x))`. */
export class TransformerLayer {
  readonly parts: LayerParts;

  constructor(parts: LayerParts) {
    this.parts = parts;
  }

  /** Applies the layer to x [T, width]. */
  forward(x: Tensor, context: LayerContext): Tensor {
    const { norm1, attention, after1, norm2, mlp, after2 } = this.parts;
    if (context.attendJoined && attention.step && mlp.step) {
      // What is added is added by the last product of a block.
      const added = attention.step(x, norm1, context, after1 ? undefined : x);
      const h = after1 ? add(after1.forward(added), x) : added;
      const y = mlp.step(h, norm2, after2 ? undefined : h);
      return after2 ? add(after2.forward(y), h) : y;
    }
    const mixed = attention.forward(norm1.forward(x), context);
    const { y, h } = norm2.addForward(after1 ? after1.forward(mixed) : mixed, x);
    if (!after2) return mlp.forward(y, context.dropout, h);
    return add(after2.forward(mlp.forward(y, context.dropout)), h);
  }
}

/** Options of {@link runLayers}. */
export interface RunOptions {
  /** Do not keep a layer's intermediates for the backward pass but compute them again when it gets there. */
  readonly recompute?: boolean;
  /** Changes what a layer hands to the next one. */
  readonly tap?: (h: Tensor, layer: number) => Tensor;
}

/** By what the layers of a pass share: of other passes nothing is known. */
const repeatsOfContexts = new WeakMap<LayerContext, Repeats>();

function repeatsOf(context: LayerContext): Repeats {
  let found = repeatsOfContexts.get(context);
  if (!found) {
    found = new Repeats();
    repeatsOfContexts.set(context, found);
  }
  return found;
}

/** Runs layers one after another. */
export function runLayers(
  x: Tensor,
  layers: readonly TransformerLayer[],
  context: LayerContext,
  { recompute = false, tap = (h) => h }: RunOptions = {},
): Tensor {
  const repeats = repeatsOf(context);
  let h = x;
  layers.forEach((layer, i) => {
    const block = (input: Tensor) => scope(() => layer.forward(input, context));
    const given = recompute ? checkpointAlike({ repeats, parts: layer.parts }, block, h) : block(h);
    const next = tap(given, i);
    // A layer's input and output are ours, except the first input; what the backward needs of them the tape holds itself.
    if (h !== x) h.dispose();
    if (next !== given) given.dispose();
    h = next;
  });
  return h;
}
