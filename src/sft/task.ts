/** Supervised fine-tuning: cross-entropy on the assistant's tokens. */

import { affine, backward, gatherRows, mul, noGrad, sum, tokenLogProbs } from '../autograd/index.js';
import { DataError, loadTrainingData } from '../data/index.js';
import { counted } from '../formats/counted.js';
import { gridPatches } from '../models/core/grid.js';
import type { EncodedImages, Model } from '../models/index.js';
import type { DropoutStep } from '../nn/linear.js';
import { fromHost, scope, type Tensor } from '../tensor/index.js';
import type { TaskSetting } from '../train/preparation.js';
import type {
  EvaluationContext,
  Metrics,
  SavedTaskState,
  StepContext,
  StepResult,
  TaskState,
  TrainingSession,
  TrainingTask,
  Workload,
} from '../train/task.js';
import { type MicroBatch, makeBatch } from './batch.js';
import type { SftConfig } from './config.js';
import { buildExamples, type Example } from './examples.js';
import { Order, packRows, type Row, singleRows } from './order.js';

/** What a pass over a micro-batch gave. */
interface Pass {
  /** Sum of the log-probabilities of the targets, with `dft` weighted by the probabilities, one element. */
  readonly logp: Tensor;
  /** Sum of the entropies, one element. */
  readonly entropy: Tensor;
  /** Number of targets that are the most likely token, one element. */
  readonly hits: Tensor;
  dispose(): void;
}

/** Sums over the passes of a step or of an evaluation. */
class Totals {
  #logp = 0;
  #entropy = 0;
  #hits = 0;

  async add(pass: Pass): Promise<void> {
    const [logp, entropy, hits] = await Promise.all([
      pass.logp.item(),
      pass.entropy.item(),
      pass.hits.item(),
    ]);
    this.#logp += logp;
    this.#entropy += entropy;
    this.#hits += hits;
  }

  /** Means over all target tokens, however they fell into passes. */
  metrics(counted: number): Metrics {
    return {
      loss: -this.#logp / counted,
      entropy: this.#entropy / counted,
      mean_token_accuracy: this.#hits / counted,
    };
  }
}

/** The task; make it with {@link makeSftTask}. */
export class SftTask implements TrainingTask {
  readonly name = 'sft';
  readonly inputs: readonly string[];
  readonly #setting: TaskSetting<SftConfig>;
  readonly #train: readonly Example[];
  readonly #evaluation: readonly Example[];
  readonly #order: Order;
  #model: Model | null = null;
  #ahead: { readonly examples: readonly Example[]; readonly batch: Promise<MicroBatch> } | null = null;

  constructor(
    setting: TaskSetting<SftConfig>,
    train: readonly Example[],
    evaluation: readonly Example[],
    inputs: readonly string[] = [],
  ) {
    const { config } = setting;
    this.inputs = inputs;
    this.#setting = setting;
    this.#train = train;
    this.#evaluation = evaluation;
    this.#order = new Order({
      rows: config.packing
        ? packRows(
            train.map(({ ids }) => ids.length),
            config.max_length as number,
          )
        : singleRows(train.length),
      seed: config.seed,
      shuffle: config.shuffle_dataset,
      batchSize: config.per_device_train_batch_size,
      accumulation: config.gradient_accumulation_steps,
      ...(config.group_by_length ? { lengths: train.map(({ ids }) => ids.length) } : {}),
    });
  }

  get stepsPerEpoch(): number {
    return this.#order.stepsPerEpoch;
  }

  earlierConfig(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return { loss_type: 'nll', group_by_length: false, ...config };
  }

  /** At most: the longest rows may never meet in one micro-batch. */
  workload(settings: Readonly<Record<string, unknown>> = {}): Workload {
    const { model } = this.#setting;
    const { rows } = this.#order;
    const config = { ...this.#setting.config, ...settings };
    const size = config.per_device_train_batch_size;
    const most = (measure: (example: Example) => number) =>
      rows
        .map((row) => row.reduce((n, i) => n + measure(this.#train[i]), 0))
        .sort((a, b) => b - a)
        .slice(0, size)
        .reduce((a, b) => a + b, 0);
    return {
      tokens: most(({ ids }) => ids.length),
      longest: greatest(this.#train, ({ ids }) => ids.length),
      patches: most(({ grids }) => grids.reduce((n, grid) => n + gridPatches(grid), 0)),
      largestImage: greatest(this.#train, ({ grids }) => greatest(grids, gridPatches)),
      targets: most(({ mask }) => mask.reduce((a, b) => a + b, 0)),
      lower: [
        ...(size > 1
          ? [`a lower per_device_train_batch_size (${size}) with more gradient_accumulation_steps`]
          : []),
        'a lower max_length',
        ...(model.vision ? ['a lower max_pixels'] : []),
      ],
    };
  }

  async prepare({ model }: TrainingSession): Promise<void> {
    this.#model = model;
  }

  step(context: StepContext): Promise<StepResult> {
    const batches = this.#order.step(context.step).map((own) => own.map((i) => this.#train[i]));
    const next = this.#order.step(context.step + 1)[0].map((i) => this.#train[i]);
    return this.#learn(context, batches, next);
  }

  /** Two micro-batches of the longest rows: in the second, all gradients are there while activations are. */
  async worstStep(context: StepContext): Promise<void> {
    const { config } = this.#setting;
    const length = (row: Row) => row.reduce((n, i) => n + this.#train[i].ids.length, 0);
    const rows = [...this.#order.rows].sort((a, b) => length(b) - length(a));
    const longest = rows
      .slice(0, config.per_device_train_batch_size)
      .flat()
      .map((i) => this.#train[i]);
    await this.#learn(context, Array(Math.min(2, config.gradient_accumulation_steps)).fill(longest), longest);
  }

  async #learn(
    context: StepContext,
    batches: readonly (readonly Example[])[],
    next: readonly Example[],
  ): Promise<StepResult> {
    const counted = batches.flat().reduce((n, { mask }) => n + learned(mask), 0);
    const totals = new Totals();
    for (const [i, examples] of batches.entries()) {
      const dropout = context.microBatch(i);
      const batch = await context.phase('data', () => this.#take(examples, batches[i + 1] ?? next));
      const pass = await context.phase('forward', () => this.#pass(batch, dropout));
      // A mean over the tokens of the whole step, however they fall into micro-batches.
      await context.phase('backward', () => {
        const loss = affine(pass.logp, -1 / counted);
        backward(loss);
        loss.dispose();
      });
      await totals.add(pass);
      pass.dispose();
    }
    const tokens = batches.flat().reduce((n, { ids }) => n + ids.length, 0);
    return { metrics: totals.metrics(counted), tokens };
  }

  async evaluate(context: EvaluationContext): Promise<Metrics> {
    const { config } = this.#setting;
    const size = config.per_device_eval_batch_size;
    const totals = new Totals();
    let counted = 0;
    for (let first = 0; first < this.#evaluation.length; first += size) {
      const examples = this.#evaluation.slice(first, first + size);
      const batch = await this.#make(examples);
      const pass = await context.phase('evaluation', () => this.#pass(batch));
      await totals.add(pass);
      counted += batch.targets.length;
      pass.dispose();
    }
    return totals.metrics(counted);
  }

  /** The place in the data follows from the step; what must not change is the data. */
  state(): TaskState {
    return { json: { examples: this.#train.length, fingerprint: fingerprint(this.#train) } };
  }

  async restore({ json }: SavedTaskState): Promise<void> {
    const now = JSON.stringify(this.state().json);
    if (JSON.stringify(json) === now) return;
    throw new DataError(
      { file: 'the training data' },
      'is not what the run began with; resume with the same files, or start a new run from the checkpoint',
    );
  }

  close(): void {
    this.#ahead = null;
  }

  /** A pass over a batch; without `dropout` nothing is learned from it. */
  async #pass(batch: MicroBatch, dropout?: DropoutStep): Promise<Pass> {
    const { tokens, ...pass } = dropout ? this.#forward(batch, dropout) : noGrad(() => this.#forward(batch));
    const { loss_type } = this.#setting.config;
    const logp = loss_type === 'dft' ? await rectified(tokens) : scope(() => sum(tokens));
    return {
      ...pass,
      logp,
      dispose: () => {
        for (const held of [logp, tokens, pass]) held.dispose();
      },
    };
  }

  #forward(
    { packed, rows, targets, images }: MicroBatch,
    dropout?: DropoutStep,
  ): Omit<Pass, 'logp'> & { readonly tokens: Tensor } {
    const model = this.#model as Model;
    const options = { recompute: this.#setting.config.gradient_checkpointing, dropout };
    const device = model.prepare(packed);
    const encoded: EncodedImages | null = images.length > 0 ? model.encodeParts(images, options) : null;
    const hidden = model.hidden(device, encoded?.features ?? null, options);
    const counted = gatherRows(hidden, rows);
    const ids = fromHost(model.gpu, targets, [targets.length], 'i32');
    const found = tokenLogProbs(counted, model.head, ids);
    const [entropy, hits] = noGrad(() => [sum(found.entropy), sum(found.hit)]);
    for (const tensor of [hidden, counted, ids, found.entropy, found.hit]) tensor.dispose();
    return {
      tokens: found.logp,
      entropy,
      hits,
      dispose: () => {
        for (const held of [entropy, hits, encoded, device]) held?.dispose();
      },
    };
  }

  /** The batch of some examples; that of the next ones is prepared while the device works on it. */
  async #take(examples: readonly Example[], next: readonly Example[]): Promise<MicroBatch> {
    const ahead = this.#ahead;
    const batch = await (ahead && same(ahead.examples, examples) ? ahead.batch : this.#make(examples));
    this.#ahead = { examples: next, batch: this.#make(next) };
    // Whoever takes it sees the failure; if nobody does, it does not matter.
    this.#ahead.batch.catch(() => {});
    return batch;
  }

  #make(examples: readonly Example[]): Promise<MicroBatch> {
    return makeBatch(this.#setting.model, this.#setting.encoder, examples);
  }
}

/** The sum of log-probabilities, each weighted by the probability itself, which is taken for a constant. */
async function rectified(logps: Tensor): Promise<Tensor> {
  const weights = Float32Array.from(await logps.data(), (logp) => Math.exp(logp));
  return scope(() => sum(mul(logps, fromHost(logps.gpu, weights, logps.shape, 'f32'))));
}

function greatest<T>(list: readonly T[], measure: (item: T) => number): number {
  return list.reduce((most, item) => Math.max(most, measure(item)), 0);
}

function same(a: readonly Example[], b: readonly Example[]): boolean {
  return a.length === b.length && a.every((example, i) => example === b[i]);
}

function learned(mask: Uint8Array): number {
  let n = 0;
  for (let i = 1; i < mask.length; i++) n += mask[i];
  return n;
}

/** FNV-1a over all ids and masks. */
function fingerprint(examples: readonly Example[]): string {
  let hash = 0x811c9dc5;
  for (const { ids, mask } of examples) {
    for (let i = 0; i < ids.length; i++) hash = Math.imul(hash ^ (ids[i] * 2 + mask[i]), 0x01000193);
  }
  return (hash >>> 0).toString(16);
}

/** Reads the data of a config and makes the task. */
export async function makeSftTask(setting: TaskSetting<SftConfig>): Promise<SftTask> {
  const { config, note } = setting;
  const data = await loadTrainingData(config, note);
  const train = await buildExamples(data.train, setting);
  const evaluation = data.evaluation.length > 0 ? await buildExamples(data.evaluation, setting) : [];
  const tokens = train.reduce((n, { ids }) => n + ids.length, 0);
  note(
    `${counted(train.length, 'example')}, ${counted(tokens, 'token')}${evaluation.length > 0 ? `; ${evaluation.length} held out` : ''}`,
  );
  return new SftTask(setting, train, evaluation, data.files);
}
