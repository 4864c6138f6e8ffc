/**
 * AdamW over the weights of a model: state (`slot.ts`), what becomes of gradients (`gradients.ts`), and the update, which the
 * device skips by itself where a gradient is not finite.
 */
import { type Gpu, OslerError } from '../gpu/index.js';
import { cast } from '../kernels/elementwise.js';
import { gradientNorm } from '../kernels/gradient-norm.js';
import { momentTables } from '../kernels/moments.js';
import { type AdamWOptions, adamw } from '../kernels/optimizer.js';
import { adamw8bit } from '../kernels/optimizer-8bit.js';
import { nameHash } from '../kernels/random.js';
import { scope, type Tensor } from '../tensor/index.js';
import { type GradientHandling, NormList, RoundedGradients } from './gradients.js';
import { type AdamWSlot, disposeSlot, newSlot, type OptimizerName } from './slot.js';

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
  /** `adamw_torch` by default. */
  readonly optimizer?: OptimizerName;
  /** `float32` by default. */
  readonly gradients?: GradientHandling;
  /** Of the random numbers that weights without a master are rounded by; 0 by default. */
  readonly seed?: number;
}

/** What {@link AdamW.step} did. */
export interface UpdateResult {
  /** Global norm of the gradients before clipping; 0 when there were none. */
  readonly gradNorm: number;
  /** False when a gradient was not finite: nothing was changed then (with `immediate`, only the others were). */
  readonly applied: boolean;
  /** Weights whose gradients were not finite. */
  readonly nonFinite: readonly string[];
}

type Group = Omit<ParameterGroup, 'parameters'> & { readonly slots: readonly AdamWSlot[] };

/** A weight that is due for an update, and its gradient in f32 or bf16. */
interface Due {
  readonly slot: AdamWSlot;
  readonly gradient: Tensor;
}

/** Seeds of rounding have a high word that no other random numbers have. */
const ROUNDING = 1n << 63n;

/** The optimizer's state and its steps. */
export class AdamW {
  readonly #settings: AdamWSettings;
  readonly #groups: readonly Group[];
  readonly #tables: Tensor | null = null;
  readonly #rounded = new RoundedGradients();
  /** Norms of gradients in bf16, or of those that were applied at once. */
  readonly #norms: NormList;
  /** With `immediate`: weights that were updated in this step, in the order of their norms. */
  #updated: AdamWSlot[] = [];
  #rateFactor = 1;

  /** Allocates the state of all weights. */
  constructor(gpu: Gpu, groups: readonly ParameterGroup[], settings: AdamWSettings) {
    this.#settings = settings;
    const { optimizer = 'adamw_torch', gradients = 'float32' } = settings;
    const held: AdamWSlot[] = [];
    try {
      this.#groups = groups.map(({ parameters, ...group }) => ({
        ...group,
        slots: parameters.map(([name, param]) => {
          refuseHalf(name, param, optimizer);
          const slot = newSlot(gpu, name, param, optimizer);
          held.push(slot);
          return slot;
        }),
      }));
      if (optimizer !== 'adamw_torch') this.#tables = momentTables(gpu).keep();
      this.#norms = new NormList(gpu, Math.max(1, held.length));
    } catch (error) {
      for (const slot of held) disposeSlot(slot);
      throw error;
    }
    if (gradients === 'bfloat16') this.#rounded.watch(held);
    if (gradients === 'immediate') this.#updateAtOnce();
  }

  /** State of every weight, to be saved and restored. */
  get slots(): readonly AdamWSlot[] {
    return this.#groups.flatMap(({ slots }) => slots);
  }

  /** Call before the passes of a step, with the schedule's factor on all learning rates. */
  begin(rateFactor: number): void {
    this.#rateFactor = rateFactor;
  }

  /**
   * Updates the weights that have gradients and leaves the gradients alone. With `immediate` they are updated already, and
   * this says how it went.
   *
   * @param maxNorm the gradients are scaled down to this global norm; 0 for no clipping.
   */
  async step(maxNorm: number): Promise<UpdateResult> {
    if (this.#settings.gradients === 'immediate') return this.#settle();
    const due = this.#groups.map((group) => ({ group, due: this.#due(group.slots) }));
    const all = due.flatMap((each) => each.due);
    if (all.length === 0) return { gradNorm: 0, applied: true, nonFinite: [] };
    const control = scope(() => this.#control(all, maxNorm).keep());
    // On the device, `control` makes the update a no-op if something is not finite: no wait before it is launched.
    for (const each of due) this.#update(each.group, each.due, control);
    const [gradNorm, , notFinite] = await control.data();
    control.dispose();
    const applied = notFinite === 0;
    if (applied) for (const { slot } of all) slot.steps++;
    return { gradNorm, applied, nonFinite: applied ? [] : await this.#nonFinite(all) };
  }

  /** Frees gradients that are kept here and not in `.grad`. */
  clearGradients(): void {
    this.#rounded.clear();
    this.#updated = [];
    this.#norms.take()?.dispose();
  }

  /** Frees the state. */
  dispose(): void {
    this.clearGradients();
    this.#norms.dispose();
    this.#tables?.dispose();
    for (const slot of this.slots) {
      slot.param.onGradient = null;
      disposeSlot(slot);
    }
  }

  #due(slots: readonly AdamWSlot[]): Due[] {
    return slots.flatMap((slot) => {
      const gradient = this.#rounded.of(slot) ?? slot.param.grad;
      return gradient ? [{ slot, gradient }] : [];
    });
  }

  /** The global norm; bf16 gradients are widened one at a time, and enter by their norms. */
  #control(due: readonly Due[], maxNorm: number): Tensor {
    const exact: Tensor[] = [];
    for (const { gradient } of due) {
      if (gradient.dtype === 'f32') exact.push(gradient);
      else scope(() => this.#norms.add(cast(gradient, 'f32')).dispose());
    }
    const norms = this.#norms.take();
    return gradientNorm([...exact, ...(norms ? [norms] : [])], maxNorm > 0 ? { maxNorm } : {});
  }

  #update(group: Group, due: readonly Due[], control: Tensor): void {
    const together: { slot: AdamWSlot; grad: Tensor; m: Tensor; v: Tensor }[] = [];
    for (const { slot, gradient } of due) {
      const { moments } = slot;
      if ('m' in moments && gradient.dtype === 'f32') together.push({ slot, grad: gradient, ...moments });
      else scope(() => this.#updateAlone(group, slot, widened(gradient), control));
    }
    for (const [steps, same] of bySteps(together)) {
      adamw(
        same.map(({ slot: { param, master }, ...rest }) => ({
          param,
          ...(master ? { master } : {}),
          ...rest,
        })),
        this.#options(group, steps, control),
      );
    }
  }

  #updateAlone(group: Group, slot: AdamWSlot, grad: Tensor, control: Tensor): void {
    const { name, param, master, moments, steps } = slot;
    const options = this.#options(group, steps, control);
    const tensors = { param, grad, ...(master ? { master } : {}) };
    if ('m' in moments) {
      adamw([{ ...tensors, ...moments }], options);
      return;
    }
    const seed = BigInt(this.#settings.seed ?? 0) | ROUNDING;
    adamw8bit(
      { ...tensors, ...moments },
      {
        ...options,
        tables: this.#tables as Tensor,
        rounding: { seed, stream: nameHash(name), step: steps + 1 },
      },
    );
  }

  #options(group: Group, steps: number, control: Tensor): AdamWOptions {
    const { beta1, beta2, epsilon: eps } = this.#settings;
    const { learningRate, weightDecay } = group;
    return { step: steps + 1, lr: learningRate * this.#rateFactor, weightDecay, beta1, beta2, eps, control };
  }

  #updateAtOnce(): void {
    for (const group of this.#groups) {
      for (const slot of group.slots) {
        slot.param.onGradient = () => {
          const grad = slot.param.grad as Tensor;
          slot.param.grad = null;
          scope(() => this.#updateAlone(group, slot, grad, this.#norms.add(grad)));
          grad.dispose();
          this.#updated.push(slot);
        };
      }
    }
  }

  async #settle(): Promise<UpdateResult> {
    // Gradients that were not made by a backward pass here.
    for (const { param } of this.slots) if (param.grad) param.onGradient?.();
    const updated = this.#updated;
    this.#updated = [];
    const norms = this.#norms.take();
    if (!norms) return { gradNorm: 0, applied: true, nonFinite: [] };
    const values = await norms.data();
    norms.dispose();
    const nonFinite: string[] = [];
    updated.forEach((slot, i) => {
      if (Number.isFinite(values[i])) slot.steps++;
      else nonFinite.push(slot.name);
    });
    return { gradNorm: Math.hypot(...values), applied: nonFinite.length === 0, nonFinite };
  }

  async #nonFinite(due: readonly Due[]): Promise<string[]> {
    const names: string[] = [];
    for (const { slot, gradient } of due) {
      const control = scope(() => gradientNorm([widened(gradient)]).keep());
      if ((await control.data())[2] !== 0) names.push(slot.name);
      control.dispose();
    }
    return names;
  }
}

function widened(gradient: Tensor): Tensor {
  return gradient.dtype === 'f32' ? gradient : cast(gradient, 'f32');
}

function refuseHalf(name: string, param: Tensor, optimizer: OptimizerName): void {
  if (optimizer !== 'adamw_bf16' || param.dtype !== 'f16') return;
  throw new OslerError(
    'value',
    `optim is adamw_bf16, but ${name} is stored in f16; set dtype: bfloat16, or optim: adamw_8bit, which keeps an f32 master of it`,
  );
}

function bySteps<T extends { readonly slot: AdamWSlot }>(list: readonly T[]): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const item of list) {
    const same = found.get(item.slot.steps);
    if (same) same.push(item);
    else found.set(item.slot.steps, [item]);
  }
  return found;
}
