/** Bytes of activations in the largest step, layer by layer: what the tape saves, and what is under way besides. */

import { patchValues } from '../../models/grid.js';
import type { ModelConfig, TextConfig } from '../../models/index.js';
import type { VisionConfig } from '../../models/vision-config.js';

/** Numbers per row of a stack of layers. */
interface Stack {
  readonly rows: number;
  readonly layers: number;
  readonly width: number;
  /** Numbers per row that a layer saves for its backward pass, its input among them. */
  readonly saved: number;
  /** Numbers per row that are alive at once while a layer runs, forward or backward, beside what is saved. */
  readonly walking: number;
}

/** Sizes of a pass. */
export interface PassSizes {
  readonly tokens: number;
  readonly patches: number;
  readonly targets: number;
  readonly recompute: boolean;
  readonly trainsVision: boolean;
  /** Rank of the adapter; 0 without. */
  readonly rank: number;
  /** Whether the adapter's input goes through dropout. */
  readonly dropout: boolean;
}

/** What a pass holds, in bytes. */
export interface PassBytes {
  /** Saved for the backward pass when it begins. */
  readonly saved: number;
  /** The most that a layer needs besides while it runs. */
  readonly layer: number;
  /** Chunks of logits, and the hidden states that meet them. */
  readonly head: number;
}

/** Logits that the loss holds at once, at most. */
const LOGIT_BYTES = 64 * 2 ** 20;

/** Adds up a training pass. */
export function passBytes(model: ModelConfig, sizes: PassSizes): PassBytes {
  const { tokens, targets, recompute } = sizes;
  const text = textStack(model.text, sizes);
  const { vision } = model;
  const tower = vision && sizes.patches > 0 ? visionStack(vision, sizes) : null;
  const width = model.text.hiddenSize;
  const cells = vision ? sizes.patches / vision.mergeSize ** 2 : 0;
  // Embedded tokens with and without features, the output of the last layer and of the norm; the loss's rows.
  const around = 4 * (tokens * width * 2 + cells * width + targets * width);
  const vocab = model.text.vocabSize;
  const chunk = Math.min(LOGIT_BYTES, 4 * targets * vocab);
  return {
    saved:
      around +
      stackSaved(text, recompute) +
      (tower && sizes.trainsVision ? towerSaved(tower, vision as VisionConfig, recompute) : 0),
    layer: Math.max(
      layerBytes(text, recompute),
      tower ? towerLayer(tower, vision as VisionConfig, sizes) : 0,
    ),
    // Hidden states of the rows and their gradient; the logits of a chunk become their gradient in place.
    head: chunk + 4 * targets * width * 2 + 4 * tokens * width,
  };
}

function stackSaved({ rows, layers, width, saved }: Stack, recompute: boolean): number {
  return 4 * rows * layers * (recompute ? width : saved);
}

function layerBytes({ rows, saved, walking }: Stack, recompute: boolean): number {
  return 4 * rows * (walking + (recompute ? saved : 0));
}

function textStack(c: TextConfig, { tokens, rank, dropout }: PassSizes): Stack {
  const D = c.hiddenSize;
  const I = c.intermediateSize;
  const q = c.heads * c.headDim;
  const kv = c.kvHeads * c.headDim;
  // Both residual streams, both norms' outputs, q, k, v, attention's output; gate, up and their product; what the norms
  // and the attention keep per row; two narrow activations of each adapter.
  const adapters = 14 * rank + (dropout && rank > 0 ? 5 * D + q + I : 0);
  const saved = 4 * D + 2 * q + 2 * kv + 3 * I + 2 + c.heads + adapters;
  // The gradient that arrives, the one that leaves, those of gate, up and their product.
  return { rows: tokens, layers: c.layers, width: D, saved, walking: 3 * D + 2 * I };
}

function visionStack(c: VisionConfig, { patches }: PassSizes): Stack {
  const E = c.width;
  const I = c.intermediateSize;
  const mlp = c.kind === 'qwen2_vl' ? 2 * I : 3 * I;
  return {
    rows: patches,
    layers: c.depth,
    width: E,
    saved: 8 * E + mlp + 2 + c.heads,
    walking: 3 * E + 2 * I,
  };
}

function towerSaved(stack: Stack, c: VisionConfig, recompute: boolean): number {
  // Patches, their embedding, the merger's input and its two layers.
  const merged = 4 * stack.rows * (patchValues(c) + stack.width * 4);
  return stackSaved(stack, recompute) + merged;
}

/** Without training the tower holds one layer's work and the patches; these are gone before the decoder runs. */
function towerLayer(stack: Stack, c: VisionConfig, sizes: PassSizes): number {
  if (sizes.trainsVision) return layerBytes(stack, sizes.recompute);
  return 4 * stack.rows * (patchValues(c) + 6 * c.width + 2 * c.intermediateSize);
}
