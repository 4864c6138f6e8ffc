/** What the units of a run are done with: the model and all beside it that makes passes. */
import type { WeightPort, Work } from '../exchange/index.js';
import type { Completion, GenerationRequest } from '../generate/index.js';
import { Generator } from '../generate/index.js';
import type { Model } from '../models/index.js';
import type { Parameters } from '../nn/parameters.js';
import { drawHere } from '../rollout/draw-here.js';
import type { BatchPlan } from '../rollout/plan.js';
import { formatOf, fromTorch, type Tensor } from '../tensor/index.js';
import type { Vocabulary } from '../text/index.js';
import { trainedWeights } from '../train/parts.js';
import {
  completionsCodec,
  laneInputCodec,
  laneResultCodec,
  requestsCodec,
  scoreInputCodec,
  scoresCodec,
} from './codecs.js';
import type { GrpoConfig } from './config.js';
import { disposeGradients, type TrainedWeights } from './gradients.js';
import { type LaneInput, type LaneResult, learnLane } from './lane.js';
import type { PolicyPassOptions } from './pass.js';
import { addValueHead, valueHead } from './ppo.js';
import { Reference } from './reference.js';
import { type ScoreInput, type Scores, scoreGroups } from './score.js';

/** What work is made from. */
export interface WorkSetting {
  readonly config: GrpoConfig;
  readonly plan: BatchPlan;
  /** With what trains marked. */
  readonly model: Model;
  /** Gets PPO's value head. */
  readonly extra?: Parameters | undefined;
  readonly tokenizer: Vocabulary;
  readonly stopIds: readonly number[];
  /** Tokens of the largest micro-batch. */
  readonly tokens: number;
}

/** The units of a run, and what they are done with. */
export class GrpoWork {
  readonly generator: Generator;
  readonly reference: Reference | null;
  /** Weights that train. */
  readonly weights: TrainedWeights;
  /** Whether there is a value head. */
  readonly valued: boolean;
  readonly rollout: Work<readonly GenerationRequest[], Completion[][]>;
  readonly score: Work<ScoreInput, (Scores | null)[]>;
  readonly lane: Work<LaneInput, LaneResult>;

  readonly #config: GrpoConfig;

  private constructor(setting: WorkSetting, reference: Reference | null) {
    this.#config = setting.config;
    const { config, plan, model, extra, tokenizer, stopIds, tokens } = setting;
    const { microBatch } = plan;
    this.reference = reference;
    this.valued = extra !== undefined;
    this.weights = () => trainedWeights(model, extra);
    const generator = new Generator(model, {
      tokenizer,
      maxBatch: config.rollout_batch_size ?? plan.roundBatch,
      // Reading prompts takes no more memory than learning from them.
      prefillTokens: tokens,
      kvDtype: fromTorch(config.kv_cache_dtype),
      stopIds,
    });
    this.generator = generator;
    const passOptions: PolicyPassOptions = {
      temperature: config.temperature,
      recompute: config.gradient_checkpointing,
      valueHead: extra ? valueHead(extra) : null,
    };
    this.rollout = {
      kind: 'rollout',
      input: requestsCodec,
      output: completionsCodec,
      run: (requests, { signal, progress }) =>
        drawHere(
          generator,
          requests,
          signal,
          progress && ((done, of) => progress({ what: 'rollout tokens', done, of, about: true })),
        ),
    };
    this.score = {
      kind: 'score',
      input: scoreInputCodec,
      output: scoresCodec,
      run: (input, context) => scoreGroups({ microBatch, model, reference, passOptions }, input, context),
    };
    const lane = { config, microBatch, model, weights: this.weights, passOptions };
    this.lane = {
      kind: 'lane',
      input: laneInputCodec,
      output: laneResultCodec(config, model.gpu),
      run: (input, context) => learnLane(lane, input, context),
      dispose: ({ gradients }) => disposeGradients(gradients),
    };
  }

  /** Loads what the run needs beside the policy. */
  static async open(setting: WorkSetting): Promise<GrpoWork> {
    const { config, model, extra } = setting;
    if (extra) addValueHead(model, extra);
    return new GrpoWork(setting, await Reference.open(config, model));
  }

  /** The weights that change from step to step: those that train, and a reference that follows them. */
  weightPort(): WeightPort {
    const moving = this.#config.sync_ref_model ? (this.reference?.ownWeights() ?? []) : [];
    const tensors = new Map<string, Tensor>(
      [...this.weights(), ...moving].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    const find = (name: string) => tensors.get(name) as Tensor;
    return {
      names: () => [...tensors.keys()],
      read: async (name) => {
        const data = await find(name).raw();
        return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      },
      write: (name, bytes) => {
        const tensor = find(name);
        tensor.write(new (formatOf(tensor.dtype).host)(bytes.slice().buffer));
      },
    };
  }

  /** Frees it. */
  dispose(): void {
    this.reference?.dispose();
    void this.generator.dispose();
  }
}
