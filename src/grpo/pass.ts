/**
 * A pass of the policy over groups of completions: log-probability and entropy of every completion token, and the way back.
 * The prompt of a group is there once, its images go through the tower once, and each completion attends to the prompt
 * and to itself, at the positions that it would have alone.
 */
import {
  add,
  backward,
  gatherRows,
  linear,
  mul,
  noGrad,
  reshape,
  sum,
  tokenLogProbs,
} from '../autograd/index.js';
import { check } from '../gpu/index.js';
import type { DeviceBatch } from '../models/core/batch.js';
import type { ImagePatches } from '../models/core/patches.js';
import {
  type EncodedImages,
  type Model,
  type PackedBatch,
  type PassOptions,
  packGroups,
  packSequences,
  type Sequence,
} from '../models/index.js';
import { fromHost, scope, type Tensor } from '../tensor/index.js';

/** A prompt with its completions. */
export interface PassGroup {
  readonly prompt: Sequence;
  /** Patches of the prompt's images, one after another; null without images. */
  readonly pixels: Float32Array | null;
  readonly completions: readonly ArrayLike<number>[];
}

/** A layer from hidden states to one number per token: PPO's estimate of the reward to come. */
export interface ValueHead {
  /** [1, width] and [1]. */
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** Settings of a pass. */
export interface PolicyPassOptions extends PassOptions {
  /** That of the sampler: logits are divided by it. */
  readonly temperature: number;
  readonly valueHead?: ValueHead | null;
  /** Give every completion a prompt and images of its own, as other trainers do: the same numbers, for comparison. */
  readonly copies?: boolean;
}

/** What a pass finds for each completion, in the order of groups and completions; one number per token. */
export interface PassResult {
  readonly logps: readonly Float32Array[];
  readonly entropies: readonly Float32Array[];
  /** Null without a value head. */
  readonly values: readonly Float32Array[] | null;
}

/** Derivatives of a loss by what a pass found. */
export interface PassGradients {
  readonly logps: readonly ArrayLike<number>[];
  readonly entropies?: readonly ArrayLike<number>[] | null;
  readonly values?: readonly ArrayLike<number>[] | null;
}

interface Outputs {
  readonly logp: Tensor;
  readonly entropy: Tensor;
  readonly value: Tensor | null;
}

/** A forward pass that can be gone back through once. Dispose it in any case. */
export class PolicyPass {
  /** Tokens that went through the decoder. */
  readonly tokens: number;
  readonly #batch: DeviceBatch;
  readonly #images: EncodedImages | null;
  readonly #lengths: readonly number[];
  readonly #outputs: Outputs;

  /** Runs the forward pass; what trains is recorded. */
  constructor(model: Model, groups: readonly PassGroup[], options: PolicyPassOptions) {
    const { packed, rows, targets, lengths } = options.copies
      ? packCopies(model, groups)
      : pack(model, groups);
    check(targets.length > 0, 'value', () => 'a policy pass needs at least one completion token');
    this.tokens = packed.ids.length;
    this.#lengths = lengths;
    this.#batch = model.prepare(packed);
    this.#images = encodeImages(model, groups, options);
    try {
      this.#outputs = scope(() => forward(model, this.#batch, this.#images, rows, targets, options));
    } catch (error) {
      this.#images?.dispose();
      this.#batch.dispose();
      throw error;
    }
    for (const tensor of Object.values(this.#outputs)) tensor?.keep();
  }

  /** What the pass found. */
  async read(): Promise<PassResult> {
    const { logp, entropy, value } = this.#outputs;
    const [logps, entropies, values] = await Promise.all([logp.data(), entropy.data(), value?.data()]);
    return {
      logps: this.#split(logps),
      entropies: this.#split(entropies),
      values: values ? this.#split(values) : null,
    };
  }

  /** Adds the gradients of a loss to those of the weights. */
  backward(gradients: PassGradients): void {
    const { logp, entropy, value } = this.#outputs;
    const weighted = (output: Tensor, by: readonly ArrayLike<number>[]) =>
      sum(mul(output, fromHost(output.gpu, joined(by), output.shape, 'f32')));
    const loss = scope(() => {
      const terms = [weighted(logp, gradients.logps)];
      if (gradients.entropies) terms.push(weighted(entropy, gradients.entropies));
      if (gradients.values && value) terms.push(weighted(value, gradients.values));
      return terms.reduce(add);
    });
    backward(loss);
    loss.dispose();
  }

  /** Frees the pass. */
  dispose(): void {
    for (const tensor of Object.values(this.#outputs)) tensor?.dispose();
    this.#images?.dispose();
    this.#batch.dispose();
  }

  #split(values: Float32Array): Float32Array[] {
    let next = 0;
    return this.#lengths.map((length) => {
      next += length;
      return values.slice(next - length, next);
    });
  }
}

/** What a pass finds where nothing is learned from it: under the reference, or under the policy that drew the tokens. */
export async function scorePass(
  model: Model,
  groups: readonly PassGroup[],
  options: PolicyPassOptions,
): Promise<PassResult> {
  const pass = noGrad(() => new PolicyPass(model, groups, options));
  try {
    return await pass.read();
  } finally {
    pass.dispose();
  }
}

function forward(
  model: Model,
  batch: DeviceBatch,
  images: EncodedImages | null,
  rows: Int32Array,
  targets: Int32Array,
  options: PolicyPassOptions,
): Outputs {
  const { temperature, valueHead } = options;
  const hidden = gatherRows(model.hidden(batch, images?.features ?? null, options), rows);
  const ids = fromHost(model.gpu, targets, [targets.length], 'i32');
  const { logp, entropy } = tokenLogProbs(hidden, model.head, ids, { temperature });
  const value = valueHead
    ? reshape(linear(hidden, valueHead.weight, valueHead.bias), [targets.length])
    : null;
  return { logp, entropy, value };
}

function encodeImages(
  model: Model,
  groups: readonly PassGroup[],
  options: PolicyPassOptions,
): EncodedImages | null {
  const shown = groups.flatMap(({ prompt, pixels, completions }) => {
    const copies = options.copies ? completions.length : 1;
    return pixels ? Array<ImagePatches>(copies).fill({ pixels, grids: prompt.images ?? [] }) : [];
  });
  return shown.length > 0 ? model.encodeParts(shown, options) : null;
}

interface Packed {
  readonly packed: PackedBatch;
  /** Rows whose hidden states predict completion tokens, and these tokens. */
  readonly rows: Int32Array;
  readonly targets: Int32Array;
  /** Tokens of each completion. */
  readonly lengths: readonly number[];
}

function pack(model: Model, groups: readonly PassGroup[]): Packed {
  const packed = packGroups(model.config, groups);
  const completions = packed.completions.flat();
  return {
    packed,
    rows: Int32Array.from(completions.flatMap(({ rows }) => [...rows])),
    targets: Int32Array.from(completions.flatMap(({ targets }) => [...targets])),
    lengths: completions.map(({ targets }) => targets.length),
  };
}

function packCopies(model: Model, groups: readonly PassGroup[]): Packed {
  const rows: number[] = [];
  const targets: number[] = [];
  const lengths: number[] = [];
  let next = 0;
  const sequences = groups.flatMap(({ prompt, completions }) =>
    completions.map((completion) => {
      const ids = Array.from(completion);
      const first = next + prompt.ids.length - 1;
      rows.push(...ids.map((_, i) => first + i));
      targets.push(...ids);
      lengths.push(ids.length);
      next += prompt.ids.length + ids.length;
      return { ...prompt, ids: [...Array.from(prompt.ids), ...ids] };
    }),
  );
  return {
    packed: packSequences(model.config, sequences),
    rows: Int32Array.from(rows),
    targets: Int32Array.from(targets),
    lengths,
  };
}

function joined(parts: readonly ArrayLike<number>[]): Float32Array<ArrayBuffer> {
  const out = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let next = 0;
  for (const part of parts) {
    out.set(part, next);
    next += part.length;
  }
  return out;
}
