/** What the blocks of a tower share while some images go through it: where patches stand, and who attends to whom. */
import { attention } from '../../../autograd/index.js';
import type { Gpu } from '../../../gpu/index.js';
import { Segments } from '../../../kernels/attention.js';
import { rotaryTable, visionRotaryAngles } from '../../../kernels/rotary.js';
import type { LayerContext } from '../../../nn/attention.js';
import type { Grid } from '../../core/grid.js';
import { type VisionLayout, visionLayout } from './layout.js';
import type { QwenVision } from './vision.js';

/** Kinds of blocks by whom their patches see; all see their whole image where a tower has no windows. */
export const WINDOW = 0;
/** See {@link WINDOW}. */
export const WHOLE_IMAGE = 1;

/** Some images in a tower. */
export interface VisionPass {
  readonly layout: VisionLayout;
  readonly context: LayerContext;
  dispose(): void;
}

/** Prepares positions and segments for some images. */
export function visionPass(
  gpu: Gpu,
  config: Pick<QwenVision, 'width' | 'heads' | 'mergeSize' | 'windowCells'>,
  grids: readonly Grid[],
): VisionPass {
  const layout = visionLayout(config, grids);
  const headDim = config.width / config.heads;
  const table = rotaryTable(gpu, visionRotaryAngles(layout.rows, layout.columns, headDim), headDim);
  table.cos.keep();
  table.sin.keep();
  const images = Segments.fromLengths(gpu, layout.imageLengths);
  const windows = layout.windowLengths ? Segments.fromLengths(gpu, layout.windowLengths) : null;
  const segments = [windows ?? images, images];
  return {
    layout,
    context: {
      rotary: [table, table],
      attend: ({ kind }, q, k, v) => attention(q, k, v, segments[kind], { causal: false }),
    },
    dispose: () => {
      for (const held of [table.cos, table.sin, images, windows]) held?.dispose();
    },
  };
}
