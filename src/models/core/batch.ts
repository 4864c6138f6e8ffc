/** A packed batch on the device: what all layers of a pass share. */
import { attention } from '../../autograd/index.js';
import type { Gpu } from '../../gpu/index.js';
import { Segments } from '../../kernels/attention.js';
import { type RotaryTable, rotaryTable } from '../../kernels/rotary.js';
import type { LayerContext } from '../../nn/attention.js';
import { fromHost, type Tensor } from '../../tensor/index.js';
import type { ModelConfig } from './config.js';
import { modelError } from './errors.js';
import type { PackedBatch } from './packing.js';
import { type Axes, distinctPositions } from './positions.js';

/** Token ids with -1 at the rows that features will fill; such rows embed to zeros and send no gradient back. */
export function uploadIds(gpu: Gpu, batch: Pick<PackedBatch, 'ids' | 'featureRows'>): Tensor {
  const ids = batch.ids.slice();
  for (const row of batch.featureRows) ids[row] = -1;
  return fromHost(gpu, ids, [ids.length], 'i32').keep();
}

/** The decoder's rotary tables for some positions, by kind of layer. */
export function uploadRotary(gpu: Gpu, config: ModelConfig, positions: Axes): readonly RotaryTable[] {
  const { distinct, rows } = distinctPositions(positions);
  return config.rotaryAngles(distinct).map((angles) => {
    const table = rotaryTable(gpu, angles, config.text.headDim, rows);
    table.cos.keep();
    table.sin.keep();
    return table;
  });
}

/** Make one per batch; it must live until the backward pass has run, then be disposed. */
export class DeviceBatch {
  readonly tokens: number;
  readonly ids: Tensor;
  readonly featureRows: Int32Array;
  readonly segments: Segments;
  readonly context: LayerContext;

  /** Uploads a packed batch for a model. */
  constructor(gpu: Gpu, config: ModelConfig, batch: PackedBatch) {
    this.tokens = batch.ids.length;
    if (this.tokens === 0) throw modelError('the batch', 'has no tokens');
    this.featureRows = batch.featureRows;
    this.segments = new Segments(gpu, this.tokens, batch.segments);
    this.ids = uploadIds(gpu, batch);
    this.context = {
      rotary: uploadRotary(gpu, config, batch.positions),
      attend: ({ kind }, q, k, v) =>
        attention(q, k, v, this.segments, { causal: true, ...config.text.attention?.[kind] }),
    };
  }

  /** Frees the batch. */
  dispose(): void {
    this.segments.dispose();
    this.ids.dispose();
    for (const { cos, sin } of this.context.rotary) {
      cos.dispose();
      sin.dispose();
    }
  }
}
