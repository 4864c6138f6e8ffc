/**
 * The largest step of a run, taken on a device that only counts: the policy with what trains, the optimizer's state, a
 * rollout, and a micro-batch, forward and backward. Nothing here says what a layer keeps; the layers run.
 */
import { affine, backward, gatherRows, noGrad, sum, tokenLogProbs } from '../../autograd/index.js';
import { type DeviceTraits, Gpu, type MemoryReport, Rehearsal } from '../../gpu/index.js';
import { attachTuner, tunerFor } from '../../kernels/tuner.js';
import { patchValues } from '../../models/core/grid.js';
import { isVision } from '../../models/core/names.js';
import type {
  EncodedImages,
  Grid,
  Model,
  ModelConfig,
  PackedBatch,
  PassOptions,
} from '../../models/index.js';
import { AdamW, type ParameterGroup } from '../../optim/index.js';
import { empty, fromHost, scope, type Tensor } from '../../tensor/index.js';
import type { TrainingConfig } from '../config/index.js';
import { optimizerSettings, parameterGroups } from '../parts.js';
import { featureCacheOptions, frozenOnPaper, policyOnPaper } from '../policy.js';
import type { Workload } from '../task.js';

/** What a rehearsal found. */
export interface RehearsedStep {
  /** Bytes by purpose at the peak of each, and at the peak of their sum. */
  readonly memory: MemoryReport;
  /** Bytes of further copies of the weights, and of what else the task keeps; they count as weights in `memory`. */
  readonly copies: number;
  /** The largest weight that trains: its moments are buffers of four bytes an element. */
  readonly largest: { readonly name: string; readonly elements: number };
}

/** Takes the step; by default on whatever hardware. */
export function rehearseStep(
  config: TrainingConfig,
  modelConfig: ModelConfig,
  workload: Workload,
  device?: DeviceTraits,
): RehearsedStep {
  const gpu = new Rehearsal(device, 'memory');
  // Kernels are chosen as on the device, whose tuner learns what shapes the run has.
  if (device instanceof Gpu) attachTuner(gpu, tunerFor(device));
  const { frozenCopies = 0, extraBytes = 0, kvBytes = 0 } = workload;
  const model = policyOnPaper(gpu, config, modelConfig);
  const own = gpu.memory().liveTotal;
  for (let i = 0; i < frozenCopies; i++) frozenOnPaper(gpu, config, modelConfig);
  if (extraBytes > 0) gpu.allocate(extraBytes, 'weights');
  const features = featureCacheOptions(config);
  if (features.place === 'device' && features.bytes > 0 && model.seesFrozen)
    gpu.allocate(features.bytes, 'weights');
  const copies = gpu.memory().liveTotal - own;
  const groups = parameterGroups(config, model);
  const optimizer = new AdamW(gpu, groups, optimizerSettings(config));
  if (config.gradient_accumulation_steps > 1) giveGradients(groups, model, workload);
  const options = { recompute: config.gradient_checkpointing, dropout: { seed: config.seed, step: 1 } };
  const gradients = gpu.memory().live.gradients;
  const forwardPeak = scope(() => learn(model, workload, options));
  const trained = groups.flatMap(({ parameters }) =>
    parameters.map(([name, { size }]) => [name, size] as const),
  );
  const [name, elements] = trained.reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0] as const);
  // The optimizer widens rounded gradients one at a time, when all of them are there.
  if (config.gradient_dtype === 'bfloat16') scope(() => empty(gpu, [elements]));
  model.clearGradients();
  optimizer.clearGradients();
  if (kvBytes > 0) {
    const kv = gpu.allocate(kvBytes, 'kv');
    // To read prompts takes no more than to learn from them: mostly that settles it.
    if (forwardPeak - gradients + kv.capacity > gpu.memory().peakTotal)
      noGrad(() => scope(() => forward(model, workload, {}).dispose()));
    gpu.release(kv);
  }
  return { memory: gpu.memory(), copies, largest: { name, elements } };
}

/** In the second micro-batch of a step, those of the first are there while activations are. */
function giveGradients(
  groups: readonly ParameterGroup[],
  { gpu, config: { names } }: Model,
  { patches }: Workload,
): void {
  for (const [name, weight] of groups.flatMap(({ parameters }) => parameters)) {
    if (patches === 0 && isVision(names, name)) continue;
    weight.grad = empty(gpu, weight.shape, { purpose: 'gradients' }).keep();
    weight.onGradient?.();
  }
}

/** A micro-batch under way. */
interface Forward {
  readonly hidden: Tensor;
  dispose(): void;
}

function forward(model: Model, workload: Workload, options: PassOptions): Forward {
  const batch = model.prepare(packedBatch(workload, model.config));
  const images = encode(model, workload, options);
  const hidden = model.hidden(batch, images?.features ?? null, options);
  return {
    hidden,
    dispose: () => {
      for (const held of [hidden, images, batch]) held?.dispose();
    },
  };
}

/** Gives the peak up to the end of the forward pass. */
function learn(model: Model, workload: Workload, options: PassOptions): number {
  const pass = forward(model, workload, options);
  const { peakTotal } = model.gpu.memory();
  const { tokens, targets } = workload;
  const rows = Int32Array.from({ length: targets }, (_, i) => i % tokens);
  const logp = scope(() => {
    const counted = gatherRows(pass.hidden, rows);
    const ids = fromHost(model.gpu, new Int32Array(targets), [targets], 'i32');
    return sum(tokenLogProbs(counted, model.head, ids).logp);
  });
  pass.hidden.dispose();
  backward(affine(logp, -1));
  pass.dispose();
  return peakTotal;
}

/** A row of tokens, the first of them pictures; who attends to whom matters only for the longest sequence. */
function packedBatch({ tokens, longest = tokens, patches }: Workload, { vision }: ModelConfig): PackedBatch {
  const axis = new Int32Array(tokens);
  const cells = vision ? patches / vision.mergeSize ** 2 : 0;
  const end = Math.min(longest, tokens);
  return {
    ids: new Int32Array(tokens),
    positions: [axis, axis, axis],
    segments: [{ start: 0, end }, ...(end < tokens ? [{ start: end, end: tokens }] : [])],
    featureRows: Int32Array.from({ length: cells }, (_, i) => i),
  };
}

function encode(model: Model, workload: Workload, options: PassOptions): EncodedImages | null {
  const { vision } = model.config;
  const { patches, largestImage = patches } = workload;
  if (!vision || patches === 0) return null;
  const grids: Grid[] = [];
  for (let left = patches; left > 0; left -= largestImage) {
    grids.push(gridOf(Math.min(left, largestImage) / vision.mergeSize ** 2, vision.mergeSize));
  }
  // Pages of it that nobody writes take no memory.
  return model.encodeImages(new Float32Array(patches * patchValues(vision)), grids, options);
}

/** The squarest picture of so many merged cells. */
function gridOf(cells: number, mergeSize: number): Grid {
  let rows = Math.floor(Math.sqrt(cells));
  while (cells % rows !== 0) rows--;
  return [1, rows * mergeSize, (cells / rows) * mergeSize];
}
