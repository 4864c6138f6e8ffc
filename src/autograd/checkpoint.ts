/** Gradient checkpointing: trade a second forward pass for not keeping a block's intermediates. */
import { scope, type Tensor } from '../tensor/index.js';
import { gradientsIfAny } from './backward.js';
import { differentiable, gradEnabled, withGrad, withoutRecording } from './graph.js';

/**
 * Runs `block` without recording and, during backward, runs it again with recording. `block` must compute the same
 * thing both times: random numbers in it must be addressed by seed and position (they are in this engine), and every
 * tensor with a gradient that it uses must be one of `inputs` or a leaf.
 */
export function checkpoint(block: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  if (!gradEnabled()) return block(...inputs);
  const { result, trainable, leaves } = withoutRecording(() => scope(() => block(...inputs)));
  if (!trainable) return result;
  // The block may hand out an input or a leaf as it is; what joins the graph here must be a tensor of its own.
  const output = result.tracked || inputs.includes(result) ? result.alias() : result;
  // Leaves inside get their gradients in the second forward pass's graph; this node keeps them from being complete before.
  const hidden = leaves.filter((leaf) => !inputs.includes(leaf));
  differentiable({
    name: 'checkpoint',
    inputs: [...inputs, ...hidden],
    outputs: [output],
    saved: inputs,
    force: true,
    backward: ([gradient], saved, { needs }) => {
      const none = hidden.map(() => null);
      const again = saved.map((t, i) => (needs[i] ? t.alias().requireGrad() : t.alias()));
      const recomputed = withGrad(() => block(...again));
      if (!gradient || !recomputed.tracked) return [...inputs.map(() => null), ...none];
      const wanted = again.filter((_, i) => needs[i]);
      const found = gradientsIfAny(recomputed, wanted, { gradient });
      return [...again.map((t) => found.get(t) ?? null), ...none];
    },
  });
  return output;
}
