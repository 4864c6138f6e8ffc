/** Differentiable rotary embedding. */
import { type RotaryTable, rotate } from '../../kernels/rotary.js';
import type { Tensor } from '../../tensor/index.js';
import { differentiable } from '../graph.js';

/** Rotates the heads of x [T, H, D] by the table's angles. */
export function rotary(x: Tensor, table: RotaryTable): Tensor {
  const y = rotate(x, table);
  differentiable({
    name: 'rotary',
    inputs: [x],
    outputs: [y],
    // Handles of their own: the table may be disposed before the backward pass.
    saved: [table.cos.alias(), table.sin.alias()],
    backward: ([g], [cos, sin]) => [rotate(g!, { cos, sin }, -1)],
  });
  return y;
}
