/** The policy that training must not stray far from. */
import { noGrad } from '../autograd/index.js';
import { axpy, cast } from '../kernels/elementwise.js';
import type { Model } from '../models/index.js';
import { formatOf, scope, type Tensor } from '../tensor/index.js';
import { loadReference } from '../train/policy.js';
import type { SavedTaskState, TaskState } from '../train/task.js';
import type { GrpoConfig } from './config.js';
import { type PassGroup, type PolicyPassOptions, scorePass } from './pass.js';

/** Whether the reference is the policy's model with its adapter switched off, which costs no memory. */
export function isAdapterOff(config: GrpoConfig): boolean {
  return config.use_peft && config.adapter_name_or_path === null && config.lora_modules_to_save.length === 0;
}

/** Names of the reference's weights in a checkpoint. */
const PREFIX = 'reference.';

/** Makes log-probabilities under the reference. */
export class Reference {
  readonly #config: GrpoConfig;
  readonly #policy: Model;
  /** Null where the policy itself serves, without its adapter. */
  readonly #frozen: Model | null;

  private constructor(config: GrpoConfig, policy: Model, frozen: Model | null) {
    this.#config = config;
    this.#policy = policy;
    this.#frozen = frozen;
  }

  /** The reference of a run: none if `beta` is 0. */
  static async open(config: GrpoConfig, policy: Model): Promise<Reference | null> {
    if (config.beta === 0) return null;
    const frozen = isAdapterOff(config) ? null : await loadReference(policy.gpu, config);
    // Weights that are mixed with the policy's are others than before, and the cache sees it.
    if (frozen) frozen.features = policy.features;
    return new Reference(config, policy, frozen);
  }

  /** Log-probabilities of completions. */
  async logps(groups: readonly PassGroup[], options: PolicyPassOptions): Promise<readonly Float32Array[]> {
    const { adapter } = this.#policy;
    const score = () => scorePass(this.#frozen ?? this.#policy, groups, options);
    // Launching is synchronous, so the adapter is off only while the pass is recorded.
    const { logps } = await (this.#frozen || !adapter ? score() : adapter.without(score));
    return logps;
  }

  /** After each update: moves the reference towards the policy when it is due. */
  afterUpdate(step: number): void {
    const { sync_ref_model, ref_model_sync_steps, ref_model_mixup_alpha } = this.#config;
    if (!this.#frozen || !sync_ref_model || step % ref_model_sync_steps !== 0) return;
    for (const [name, tensor] of this.#weights()) {
      mix(tensor, this.#policy.parameters.get(name), ref_model_mixup_alpha);
    }
  }

  /** Its weights, where it has some of its own, under the names that checkpoints have them by. */
  ownWeights(): [string, Tensor][] {
    return this.#weights().map(([name, tensor]) => [PREFIX + name, tensor]);
  }

  /** Those that can change: weights in blocks do not. */
  #weights(): [string, Tensor][] {
    const all = [...(this.#frozen?.parameters.entries() ?? [])];
    return all.filter(([, { dtype }]) => formatOf(dtype).kind === 'float');
  }

  /** Weights that a resumed run cannot load from where the run began. */
  state(): TaskState['tensors'] {
    if (!this.#frozen || !this.#config.sync_ref_model) return {};
    return Object.fromEntries(this.ownWeights());
  }

  /** Puts back what {@link state} gave. */
  async restore(saved: SavedTaskState): Promise<void> {
    if (!this.#frozen) return;
    for (const name of saved.names().filter((found) => found.startsWith(PREFIX))) {
      await saved.fill(name, this.#frozen.parameters.get(name.slice(PREFIX.length)));
    }
  }

  /** Frees the copy. */
  dispose(): void {
    this.#frozen?.dispose();
  }
}

/** reference = alpha policy + (1 - alpha) reference, in f32. */
function mix(reference: Tensor, policy: Tensor, alpha: number): void {
  noGrad(() =>
    scope(() => {
      if (reference.dtype === 'f32') return axpy(reference, cast(policy, 'f32'), alpha, 1 - alpha);
      const mixed = cast(reference, 'f32');
      axpy(mixed, cast(policy, 'f32'), alpha, 1 - alpha);
      reference.gpu.copy(cast(mixed, reference.dtype).range, reference.range);
    }),
  );
}
