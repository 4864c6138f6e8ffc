/** Gradient checkpointing: trade a second forward pass for not keeping a block's intermediates. */
import { scope, type Tensor } from '../tensor/index.js';
import { collects, gradientsIfAny } from './backward.js';
import { differentiable, gradEnabled, sawTrainable, withGrad, withoutRecording } from './graph.js';
import { leavesOf, type Outcome, type Repeats } from './repeat.js';

/** A block of several that are alike. */
export interface Alike {
  /** Shared by them. */
  readonly repeats: Repeats;
  /** What this one is made of: every tensor of its own that it uses besides its inputs. */
  readonly parts: object;
}

/**
 * Runs `block` without recording and, during backward, runs it again with recording. `block` must compute the same
 * thing both times: random numbers in it must be addressed by seed and position (they are in this engine), and every
 * tensor with a gradient that it uses must be one of `inputs` or a leaf.
 */
export function checkpoint(block: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  return run(block, inputs, null);
}

/** The same for a block that is one of several alike. */
export function checkpointAlike(
  alike: Alike,
  block: (...inputs: Tensor[]) => Tensor,
  ...inputs: Tensor[]
): Tensor {
  return run(block, inputs, alike);
}

function run(block: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[], alike: Alike | null): Tensor {
  const through = (what: string, tensors: readonly Tensor[], body: () => Outcome) =>
    alike ? alike.repeats.run(what, alike.parts, tensors, body) : body();
  const { tensors, trainable, leaves } = through('forward', inputs, () => {
    const { result, ...saw } = withoutRecording(() => scope(() => block(...inputs)));
    return { tensors: [result], ...saw };
  });
  const result = tensors[0] as Tensor;
  sawTrainable(trainable, leaves);
  if (!trainable || !gradEnabled()) return result;
  // The block may hand out an input or a leaf as it is; what joins the graph here must be a tensor of its own.
  const output = result.tracked || inputs.includes(result) ? result.alias() : result;
  // Leaves inside get their gradients in the second forward pass's graph; this node keeps them from being complete before.
  const hidden = leaves.filter((leaf) => !inputs.includes(leaf));
  const none = hidden.map(() => null);
  differentiable({
    name: 'checkpoint',
    inputs: [...inputs, ...hidden],
    outputs: [output],
    saved: inputs,
    force: true,
    backward: ([gradient], saved, { needs }) => {
      const back = () => {
        const again = saved.map((t, i) => (needs[i] ? t.alias().requireGrad() : t.alias()));
        const recomputed = withGrad(() => block(...again));
        if (!gradient || !recomputed.tracked) return inputs.map(() => null);
        const wanted = again.filter((_, i) => needs[i]);
        const found = gradientsIfAny(recomputed, wanted, { gradient });
        return again.map((t) => found.get(t) ?? null);
      };
      // Somebody else may collect the gradients of leaves.
      if (!alike || !gradient || collects()) return [...back(), ...none];
      const fresh = leavesOf(alike.parts).map((leaf) => (leaf.grad ? null : leaf));
      const what = `backward ${needs.slice(0, inputs.length).join()} ${gradient.storage.handles}`;
      const { tensors } = through(what, [...saved, gradient], () => {
        const found = scope(back);
        return {
          tensors: [...found, ...fresh.map((leaf) => leaf?.grad ?? null)],
          trainable: true,
          leaves: [],
        };
      });
      fresh.forEach((leaf, i) => {
        const made = tensors[inputs.length + i];
        if (leaf && made && !leaf.grad) leaf.grad = made.keep();
      });
      return [...tensors.slice(0, inputs.length), ...none];
    },
  });
  return output;
}
