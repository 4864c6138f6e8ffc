/** Bytes of activations in the largest step: what the tape saves, and what is under way besides. */
import { patchValues } from '../../models/core/grid.js';
import type { VisionConfig } from '../../models/families/qwen-vl/vision-config.js';
import type { ModelConfig, TextConfig } from '../../models/index.js';

/** Sizes of a pass. */
export interface PassSizes {
  readonly tokens: number;
  /** Tokens of the longest sequence. */
  readonly longest: number;
  readonly patches: number;
  /** Patches of the largest image. */
  readonly largestImage: number;
  readonly targets: number;
  readonly recompute: boolean;
  /** Rank of the adapter; 0 without. */
  readonly rank: number;
  readonly adaptsVision: boolean;
  /** Whether the adapter's input goes through dropout. */
  readonly dropout: boolean;
  /** Software adapters run attention with kernels that hold the gradients of scores. */
  readonly software: boolean;
}

/** A stack of layers during training, in bytes. */
export interface StackBytes {
  /** Saved for the backward pass when it begins. */
  readonly saved: number;
  /** The most that a layer needs besides, forward or backward. */
  readonly layer: number;
}

/** What a training pass holds, in bytes. */
export interface PassBytes {
  readonly text: StackBytes;
  /** Null where no image is seen. */
  readonly tower: StackBytes | null;
  /** The tower's forward pass where nothing is saved of it. */
  readonly towerForward: number;
  /** Hidden states around the decoder. */
  readonly around: number;
  /** A chunk of logits, and the gradients of the hidden states that meet it. */
  readonly head: number;
  /** Scratch of attention, part of `layer`. */
  readonly scratch: number;
}

/** Limits of what the loss and the attention hold at once. */
const SCRATCH_BYTES = 64 * 2 ** 20;

/** Numbers per row that a layer holds. */
interface Layer {
  readonly rows: number;
  readonly width: number;
  /** Saved up to what attention gives, and from there on. */
  readonly attention: number;
  readonly mlp: number;
  /** Alive besides, while one or the other is walked back. */
  readonly attentionWork: number;
  readonly mlpWork: number;
  readonly scratch: number;
}

/** Adds up a training pass. */
export function passBytes(model: ModelConfig, sizes: PassSizes): PassBytes {
  const { tokens, targets, recompute, patches } = sizes;
  const { text: t, vision: v } = model;
  const text = textLayer(t, sizes);
  const tower = v && patches > 0 ? visionLayer(v, sizes) : null;
  const D = t.hiddenSize;
  const cells = v ? patches / v.mergeSize ** 2 : 0;
  return {
    text: stack(text, t.layers, recompute),
    tower: tower && v ? withEnds(stack(tower, v.depth, recompute), tower.rows, v) : null,
    towerForward: tower && v ? 4 * patches * forwardNumbers(tower, v) : 0,
    // Features; the embedded tokens with them; the last layer's output and the norm's; the rows of the loss.
    around: 4 * (cells * D + tokens * D * 2 + targets * D),
    head: Math.min(SCRATCH_BYTES, 4 * targets * t.vocabSize) + 4 * D * (targets + tokens),
    scratch: Math.max(text.scratch, tower?.scratch ?? 0),
  };
}

function stack(layer: Layer, layers: number, recompute: boolean): StackBytes {
  const row = 4 * layer.rows;
  const kept = layer.attention + layer.mlp;
  // By the time attention is walked back, what came after it is gone.
  const work = Math.max(layer.mlpWork * row, (layer.attentionWork - layer.mlp) * row + layer.scratch);
  return recompute
    ? { saved: row * layers * layer.width, layer: row * kept + work }
    : { saved: row * layers * kept, layer: work };
}

/** The patches and their embedding, the merger's input, its inner layer and that one's activation. */
function withEnds({ saved, layer }: StackBytes, rows: number, c: VisionConfig): StackBytes {
  return { saved: saved + 4 * rows * (patchValues(c) + 4 * c.width), layer };
}

/** Per patch: its values (and a copy in the order of the windows), and a layer's intermediates, all of which it keeps to its end. */
function forwardNumbers(layer: Layer, c: VisionConfig): number {
  const copies = c.kind === 'qwen2_vl' ? 1 : 2;
  const fused = 6 * c.width;
  return copies * patchValues(c) + layer.attention + layer.mlp + fused;
}

function attentionScratch(rows: number, heads: number, longest: number, { software }: PassSizes): number {
  return (software ? Math.min(SCRATCH_BYTES, 4 * rows * heads * longest) : 0) + 8 * rows * heads;
}

function textLayer(c: TextConfig, sizes: PassSizes): Layer {
  const { tokens, rank } = sizes;
  const D = c.hiddenSize;
  const I = c.intermediateSize;
  const q = c.heads * c.headDim;
  const kv = c.kvHeads * c.headDim;
  // Each adapter keeps two narrow activations. With dropout it keeps an input of its own, in place of the shared one.
  const drop = sizes.dropout && rank > 0 ? 1 : 0;
  return {
    rows: tokens,
    width: D,
    // The residual stream, its norm, q, k, v, what attention gives, what the norm and attention keep per row.
    attention: 2 * D + 2 * q + 2 * kv + 1 + c.heads + 6 * rank + drop * 2 * D,
    // The residual stream, its norm, gate, up and their product.
    mlp: 2 * D + 3 * I + 1 + 8 * rank + drop * (D + q),
    // The gradients of the residual stream, of what attention gives, of q, k and v.
    attentionWork: D + 2 * q + 2 * kv,
    // The gradients of the residual stream, of the block's input, of gate and up and their product.
    mlpWork: 2 * D + 3 * I,
    scratch: attentionScratch(tokens, c.heads, sizes.longest, sizes),
  };
}

function visionLayer(c: VisionConfig, sizes: PassSizes): Layer {
  const { patches } = sizes;
  const E = c.width;
  const rank = sizes.adaptsVision ? sizes.rank : 0;
  const drop = sizes.dropout && rank > 0 ? 1 : 0;
  // One activation before and one after the function, or gate, up and their product.
  const inner = (c.kind === 'qwen2_vl' ? 2 : 3) * c.intermediateSize;
  return {
    rows: patches,
    width: E,
    // As in the decoder, with as many keys as queries.
    attention: 6 * E + 1 + c.heads + 2 * rank + drop * E,
    mlp: 2 * E + inner + 1 + 6 * rank + drop * E,
    attentionWork: 5 * E,
    mlpWork: 2 * E + inner,
    scratch: attentionScratch(patches, c.heads, sizes.largestImage, sizes),
  };
}
