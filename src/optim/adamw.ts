/**
 * AdamW over the weights of a model. Moments are f32; weights stored in 16 bits have an f32 master that the optimizer
 * works on, so that updates smaller than their rounding are not lost.
 */
import type { Gpu } from '../gpu/index.js';
import { cast } from '../kernels/elementwise.js';
import { gradientNorm } from '../kernels/gradient-norm.js';
import { adamw } from '../kernels/optimizer.js';
import { scope, type Tensor, zeros } from '../tensor/index.js';

/** Weights that share a learning rate and a weight decay. */
export interface ParameterGroup {
  readonly parameters: readonly (readonly [name: string, tensor: Tensor])[];
  /** Peak learning rate; the schedule's factor comes on top. */
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** Settings of {@link AdamW}. */
export interface AdamWSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** What one weight has in the optimizer. */
export interface AdamWSlot {
  readonly name: string;
  readonly param: Tensor;
  /** Exact value of a 16-bit weight. */
  readonly master: Tensor | null;
  readonly m: Tensor;
  readonly v: Tensor;
  /** Updates so far; weights that a batch does not reach are not updated by it, as in PyTorch. */
  steps: number;
}

/** What {@link AdamW.step} did. */
export interface UpdateResult {
  /** Global norm of the gradients before clipping; 0 when there were none. */
  readonly gradNorm: number;
  /** False when a gradient was not finite: nothing was changed then. */
  readonly applied: boolean;
}

/** The optimizer's state and its steps. */
export class AdamW {
  readonly #settings: AdamWSettings;
  readonly #groups: readonly { readonly group: ParameterGroup; readonly slots: readonly AdamWSlot[] }[];

  /** Allocates the state of all weights. */
  constructor(gpu: Gpu, groups: readonly ParameterGroup[], settings: AdamWSettings) {
    this.#settings = settings;
    const held: AdamWSlot[] = [];
    try {
      this.#groups = groups.map((group) => {
        const slots = group.parameters.map(([name, param]) => {
          const slot = newSlot(gpu, name, param);
          held.push(slot);
          return slot;
        });
        return { group, slots };
      });
    } catch (error) {
      for (const slot of held) disposeSlot(slot);
      throw error;
    }
  }

  /** State of every weight, to be saved and restored. */
  get slots(): readonly AdamWSlot[] {
    return this.#groups.flatMap(({ slots }) => slots);
  }

  /**
   * Updates the weights that have gradients and leaves the gradients alone.
   *
   * @param rateFactor on all learning rates: the schedule's.
   * @param maxNorm the gradients are scaled down to this global norm; 0 for no clipping.
   */
  async step(rateFactor: number, maxNorm: number): Promise<UpdateResult> {
    const gradients = this.slots.flatMap(({ param }) => (param.grad ? [param.grad] : []));
    if (gradients.length === 0) return { gradNorm: 0, applied: true };
    const control = gradientNorm(gradients, maxNorm > 0 ? { maxNorm } : {});
    const updated: AdamWSlot[] = [];
    for (const { group, slots } of this.#groups) {
      const due = slots.filter(({ param }) => param.grad);
      updated.push(...due);
      for (const [steps, same] of bySteps(due)) {
        // On the device, `control` makes the update a no-op if something is not finite: no wait before it is launched.
        adamw(
          same.map(({ param, master, m, v }) => ({
            param,
            grad: param.grad as Tensor,
            ...(master ? { master } : {}),
            m,
            v,
          })),
          {
            step: steps + 1,
            lr: group.learningRate * rateFactor,
            weightDecay: group.weightDecay,
            beta1: this.#settings.beta1,
            beta2: this.#settings.beta2,
            eps: this.#settings.epsilon,
            control,
          },
        );
      }
    }
    const [gradNorm, , notFinite] = await control.data();
    control.dispose();
    const applied = notFinite === 0;
    if (applied) for (const slot of updated) slot.steps++;
    return { gradNorm, applied };
  }

  /** Names of the weights whose gradients hold something that is not finite. */
  async nonFinite(): Promise<string[]> {
    const names: string[] = [];
    for (const { name, param } of this.slots) {
      if (!param.grad) continue;
      const control = gradientNorm([param.grad]);
      if ((await control.data())[2] !== 0) names.push(name);
      control.dispose();
    }
    return names;
  }

  /** Frees the state. */
  dispose(): void {
    for (const slot of this.slots) disposeSlot(slot);
  }
}

function newSlot(gpu: Gpu, name: string, param: Tensor): AdamWSlot {
  const moment = () => zeros(gpu, param.shape, { purpose: 'optimizer' }).keep();
  let master: Tensor | null = null;
  if (param.dtype !== 'f32') {
    master = scope(() => cast(param, 'f32').keep());
    gpu.relabel(master.storage.buffer, 'optimizer');
  }
  return { name, param, master, m: moment(), v: moment(), steps: 0 };
}

function disposeSlot({ master, m, v }: AdamWSlot): void {
  for (const tensor of [master, m, v]) tensor?.dispose();
}

function bySteps(slots: readonly AdamWSlot[]): Map<number, AdamWSlot[]> {
  const found = new Map<number, AdamWSlot[]>();
  for (const slot of slots) {
    const same = found.get(slot.steps);
    if (same) same.push(slot);
    else found.set(slot.steps, [slot]);
  }
  return found;
}
