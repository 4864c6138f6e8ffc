/** Differentiable dropout. */
import { dropout as dropoutKernel, type RandomStream } from '../../kernels/random.js';
import type { Tensor } from '../../tensor/index.js';
import { differentiable } from '../graph.js';

/**
 * Zeroes each element with probability p and scales the others by 1 / (1 - p). Give every place in a model its own
 * stream, and every training step its own step; then nothing needs to be stored for the backward or for checkpointing.
 */
export function dropout(x: Tensor, p: number, address: RandomStream): Tensor {
  const y = dropoutKernel(x, p, address);
  differentiable({
    name: 'dropout',
    inputs: [x],
    outputs: [y],
    saved: [],
    backward: ([g]) => [dropoutKernel(g!, p, address)],
  });
  return y;
}
