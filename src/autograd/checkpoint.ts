/** Gradient checkpointing: trade a second forward pass for not keeping a block's intermediates. */
import { scope, type Tensor } from '../tensor/index.js';
import { backward, gradients } from './backward.js';
import { differentiable, gradEnabled, noGrad, withGrad } from './graph.js';

/**
 * Runs `block` without recording and, during backward, runs it again with recording. `block` must compute the same
 * thing both times: random numbers in it must be addressed by seed and position (they are in this engine), and every
 * tensor with a gradient that it uses must be one of `inputs` or a leaf.
 */
export function checkpoint(block: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  if (!gradEnabled()) return block(...inputs);
  const result = noGrad(() => scope(() => block(...inputs)));
  const output = inputs.includes(result) ? result.alias() : result;
  differentiable({
    name: 'checkpoint',
    inputs,
    outputs: [output],
    saved: inputs,
    force: true,
    backward: ([gradient], saved, { needs }) => {
      const again = saved.map((t, i) => (needs[i] ? t.alias().requireGrad() : t.alias()));
      const wanted = again.filter((_, i) => needs[i]);
      const recomputed = withGrad(true, () => block(...again));
      if (!gradient) return inputs.map(() => null);
      if (wanted.length === 0) {
        backward(recomputed, { gradient });
        return inputs.map(() => null);
      }
      const found = gradients(recomputed, wanted, { gradient });
      return again.map((t) => {
        const at = wanted.indexOf(t);
        return at < 0 ? null : found[at];
      });
    },
  });
  return output;
}
