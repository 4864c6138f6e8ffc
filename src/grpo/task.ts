/** GRPO and PPO as a task of the training loop. */

import { DataError, loadTrainingData, type Question, questionsOf } from '../data/index.js';
import { type Exchange, localExchange, type PacketJson, UnitFailure } from '../exchange/index.js';
import { counted, leftOut } from '../formats/counted.js';
import { type Completion, loadStopIds } from '../generate/index.js';
import { Parameters } from '../nn/parameters.js';
import { meanOf } from '../rollout/advantages.js';
import { completionMetrics, rewardMetrics } from '../rollout/metrics.js';
import { type BatchPlan, placeOf, planBatches } from '../rollout/plan.js';
import { PromptSet } from '../rollout/prompts.js';
import { completionLines } from '../rollout/records.js';
import {
  buildRewards,
  earlierRewards,
  type ImportModule,
  type Reward,
  rewardFiles,
} from '../rollout/rewards/index.js';
import { isTruncated } from '../rollout/round.js';
import { type CompletionSource, drawRound, type Round } from '../rollout/sampler.js';
import { configError } from '../train/config/index.js';
import { StepFailure } from '../train/non-finite.js';
import type { TaskSetting } from '../train/preparation.js';
import type {
  EvaluationContext,
  Json,
  Metrics,
  SavedTaskState,
  StepContext,
  StepResult,
  TaskState,
  TrainingSession,
  TrainingTask,
  Workload,
} from '../train/task.js';
import { nextBeta } from './beta.js';
import { restoreRound, storeRound } from './buffer.js';
import type { GrpoConfig } from './config.js';
import { type Estimates, estimate, needsEstimates, type RoundRewards } from './estimates.js';
import { evaluatePolicy } from './evaluation.js';
import { countTokens, cutGroups, type LearnedCompletion, type LearnedGroup } from './learned.js';
import { learnStep } from './learner.js';
import type { Scores } from './score.js';
import { GrpoWork } from './work.js';
import { workloadOf } from './workload.js';
import { worstGroups, worstRequests } from './worst-step.js';

/** What the config and the data of a run come to, before any weight is loaded. */
interface Preparation {
  readonly plan: BatchPlan;
  readonly prompts: PromptSet;
  readonly evaluation: readonly Question[];
  readonly rewards: readonly Reward[];
  readonly stopIds: readonly number[];
  /** Files that all this was read from. */
  readonly inputs: readonly string[];
}

/** The task; make it with {@link makeGrpoTask}. */
export class GrpoTask implements TrainingTask {
  readonly name: string;
  readonly extraParameters?: Parameters;
  readonly inputs: readonly string[];
  readonly #setting: TaskSetting<GrpoConfig>;
  readonly #preparation: Preparation;
  readonly #open: OpenExchange | undefined;
  #exchange: Exchange = localExchange;
  #work: GrpoWork | null = null;
  /** Place of the next round in the order of prompts. */
  #next = 0;
  /** Weight of the divergence from the reference; moves with `kl_target` only. */
  #beta: number;
  /** What the steps of the round under way learn from; null between rounds. */
  #round: readonly LearnedGroup[] | null = null;

  constructor(setting: TaskSetting<GrpoConfig>, preparation: Preparation, exchange?: OpenExchange) {
    this.#open = exchange;
    this.name = setting.config.algorithm;
    this.#beta = setting.config.beta;
    this.#setting = setting;
    this.#preparation = preparation;
    this.inputs = preparation.inputs;
    if (setting.config.algorithm === 'ppo') this.extraParameters = new Parameters();
  }

  get stepsPerEpoch(): number {
    const { plan, prompts } = this.#preparation;
    return Math.ceil(prompts.size / plan.roundPrompts) * plan.roundSteps;
  }

  earlierConfig(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const since = {
      kl_estimator: 'k3',
      use_bias_correction_kl: false,
      off_policy_mask_threshold: null,
      vespo_k_pos: 2,
      vespo_lambda_pos: 3,
      vespo_k_neg: 3,
      vespo_lambda_neg: 2,
      advantage_estimator: 'group',
      num_mini_batches: null,
      kl_in_reward: false,
      kl_target: null,
      kl_horizon: 10000,
      whiten_rewards: false,
      missing_eos_penalty: null,
      rollout_units: 1,
      learning_lanes: 1,
      online_filter: null,
      curriculum: 'none',
      num_generations_eval: 1,
      eval_temperature: 0,
    };
    return { ...since, ...config, rewards: earlierRewards(config.rewards) };
  }

  workload(settings: Readonly<Record<string, unknown>> = {}): Workload {
    const config = { ...this.#setting.config, ...settings };
    return workloadOf(config, planBatches(config), this.#setting.model, this.#preparation.prompts.largest);
  }

  async prepare(session: TrainingSession): Promise<void> {
    const { config, encoder } = this.#setting;
    const { plan, stopIds } = this.#preparation;
    this.#work = await GrpoWork.open({
      config,
      plan,
      model: session.model,
      extra: this.extraParameters,
      tokenizer: encoder.processor.tokenizer,
      stopIds,
      tokens: this.workload().tokens,
    });
    const share = { stopIds, tokens: this.workload().tokens };
    if (this.#open) this.#exchange = await this.#open({ session, config, share, work: this.#work });
  }

  async step(context: StepContext): Promise<StepResult> {
    try {
      return await this.#step(context);
    } catch (error) {
      if (error instanceof UnitFailure) throw new StepFailure(error.message, { cause: error });
      throw error;
    }
  }

  async worstStep(context: StepContext): Promise<void> {
    const { config } = this.#setting;
    const { plan, prompts } = this.#preparation;
    const work = this.#ready();
    const prompt = await prompts.askLongest();
    const drawn = await work.rollout.run(worstRequests(config, plan, prompt), context);
    const completions = worstGroups(plan, prompt, drawn);
    const rewards = completions.flatMap((group) => group.completions.map((_, i) => i % 2));
    const { groups } = await this.#scored(context, completions, {
      rewards,
      truncated: rewards.map(() => true),
      baselines: completions.map(() => 0),
    });
    const learner = { config, plan, work, exchange: this.#exchange };
    const roundTokens = countTokens(groups);
    await learnStep(learner, context, { groups, roundTokens, beta: this.#beta, onPolicy: true });
  }

  async #step(context: StepContext): Promise<StepResult> {
    const { config } = this.#setting;
    const { plan } = this.#preparation;
    const { index, slice } = placeOf(plan, context.step);
    const drawn = index === 0 || !this.#round ? await this.#draw(context) : null;
    const round = drawn?.groups ?? (this.#round as readonly LearnedGroup[]);
    const perSlice = plan.roundPrompts / plan.slices;
    const learner = { config, plan, work: this.#ready(), exchange: this.#exchange };
    const { metrics, tokens } = await learnStep(learner, context, {
      groups: round.slice(slice * perSlice, (slice + 1) * perSlice),
      roundTokens: countTokens(round),
      beta: this.#beta,
      onPolicy: index === 0,
    });
    const [kl, count] = config.kl_in_reward
      ? [drawn?.kl ?? Number.NaN, plan.roundBatch]
      : [metrics.kl ?? Number.NaN, plan.stepBatch];
    const followed: Metrics = config.kl_target === null ? {} : { beta: this.#beta };
    // Only now, so that a step that is broken off leaves everything as it was.
    if (drawn) {
      this.#next = drawn.next;
      this.#preparation.prompts.learnSuccess(drawn.success);
    }
    this.#beta = nextBeta(this.#beta, kl, count, config);
    this.#round = index === plan.roundSteps - 1 ? null : round;
    return { metrics: { ...drawn?.metrics, ...metrics, ...followed, ...this.#exchange.metrics?.() }, tokens };
  }

  async afterUpdate({ step }: StepContext): Promise<void> {
    this.#ready().reference?.afterUpdate(step);
  }

  async evaluate(context: EvaluationContext): Promise<Metrics> {
    const { config, encoder } = this.#setting;
    const { evaluation, rewards } = this.#preparation;
    const { generator } = this.#ready();
    const metrics = await context.phase('evaluation', () =>
      evaluatePolicy({ generator, encoder }, evaluation, rewards, config, context),
    );
    await generator.release();
    return metrics;
  }

  state(): TaskState {
    const round = this.#round && storeRound(this.#round);
    return {
      json: {
        next: this.#next,
        prompts: this.#preparation.prompts.fingerprint(),
        round: round?.json ?? null,
        ...(this.#setting.config.kl_target === null ? {} : { beta: this.#beta }),
      },
      tensors: {
        ...round?.tensors,
        ...this.#preparation.prompts.state(),
        ...this.#work?.reference?.state(),
      },
    };
  }

  async restore(saved: SavedTaskState): Promise<void> {
    const { next, prompts, round, beta } = saved.json as {
      next: number;
      prompts: number;
      round: Json;
      beta?: number;
    };
    if (prompts !== this.#preparation.prompts.fingerprint()) {
      throw new DataError(
        { file: 'the training data' },
        'is not what the run began with; resume with the same files, or start a new run from the checkpoint',
      );
    }
    this.#next = next;
    this.#beta = beta ?? this.#setting.config.beta;
    await this.#preparation.prompts.restore(saved);
    this.#round = round === null ? null : await restoreRound(round, saved, this.#preparation.prompts);
    await this.#ready().reference?.restore(saved);
  }

  close(): void {
    this.#round = null;
    this.extraParameters?.dispose();
    this.#work?.dispose();
    this.#work = null;
    for (const { score } of this.#preparation.rewards) score.close?.();
  }

  #ready(): GrpoWork {
    if (!this.#work) throw new Error('the task is used before prepare()');
    return this.#work;
  }

  /** A new round, with all that its steps need to know. */
  async #draw(
    context: StepContext,
  ): Promise<Pick<Round, 'next' | 'success'> & Estimates & { metrics: Metrics }> {
    const { config } = this.#setting;
    const { plan, prompts, rewards } = this.#preparation;
    const setting = { config, plan, prompts, rewards, draw: this.#source };
    const round = await drawRound(setting, context, this.#next);
    const { groups, kl } = await this.#learned(context, round);
    const completions = round.groups.flatMap((group) => group.completions);
    const learned = groups.flatMap((group) => group.completions);
    const worth = completions.map((_, i) => {
      const { advantage } = learned[i];
      const mean = typeof advantage === 'number' ? advantage : meanOf(Array.from(advantage));
      return { reward: round.advantages.rewards[i], advantage: Number.isNaN(mean) ? 0 : mean };
    });
    context.record('completions', completionLines(round.groups, rewards, worth));
    const names = rewards.map(({ name }) => name);
    return {
      groups,
      kl,
      next: round.next,
      success: round.success,
      metrics: {
        ...completionMetrics(round.groups),
        ...rewardMetrics(names, round.groups, round.advantages),
        ...(kl === null ? {} : { kl }),
        ...(config.advantage_estimator === 'remax' ? baselineMetric(round) : {}),
        ...(config.dynamic_sampling || config.online_filter ? { 'groups/discarded': round.discarded } : {}),
      },
    };
  }

  /** Has completions drawn, some prompts at a time. */
  readonly #source: CompletionSource = async (requests, context, drawn) => {
    const size = this.#preparation.plan.unitPrompts;
    const inputs = Array.from({ length: Math.ceil(requests.length / size) }, (_, i) =>
      requests.slice(i * size, (i + 1) * size),
    );
    const completions: Completion[][] = [];
    // Numbers of prompts: whatever was drawn before, no two units of a step have the same.
    const batch = { inputs, first: drawn };
    let done = 0;
    await this.#exchange.run(this.#ready().rollout, batch, context, (some) => {
      completions.push(...some);
      if (inputs.length > 1) context.progress?.({ what: 'rollout units', done: ++done, of: inputs.length });
    });
    return completions;
  };

  async #learned(context: StepContext, round: Round): Promise<Estimates> {
    const { config } = this.#setting;
    const { advantages } = round.advantages;
    let next = 0;
    const groups = round.groups.map(
      ({ prompt, completions }): LearnedGroup => ({
        prompt,
        completions: completions.map((completion): LearnedCompletion => {
          const masked = config.mask_truncated_completions && isTruncated(completion);
          return {
            ids: masked ? [] : completion.ids,
            samplerLogps: masked ? [] : completion.logps,
            // In single precision, which is what a checkpoint keeps.
            advantage: Math.fround(advantages[next++]),
            oldLogps: null,
            refLogps: null,
            values: null,
            returns: null,
          };
        }),
      }),
    );
    return this.#scored(context, groups, {
      rewards: round.advantages.rewards,
      truncated: round.groups.flatMap(({ completions }) => completions.map(isTruncated)),
      baselines: round.groups.map(({ baseline = Number.NaN }) => baseline),
    });
  }

  /** Adds what other passes than the training pass find: reference, old log-probabilities, values; and what comes of it. */
  async #scored(
    context: StepContext,
    groups: readonly LearnedGroup[],
    round: RoundRewards,
  ): Promise<Estimates> {
    const { config } = this.#setting;
    const scored = await this.#withScores(context, groups);
    return needsEstimates(config)
      ? estimate(scored, round, config, this.#beta)
      : { groups: scored, kl: null };
  }

  async #withScores(context: StepContext, groups: readonly LearnedGroup[]): Promise<readonly LearnedGroup[]> {
    const { config } = this.#setting;
    const { plan } = this.#preparation;
    const work = this.#ready();
    const policy = plan.roundSteps > 1 && config.kv_cache_dtype !== 'float32';
    if (!work.reference && !policy && !work.valued) return groups;
    const inputs = cutGroups(groups, plan.laneBatches * plan.microBatch).map((some) => ({
      groups: some,
      policy,
    }));
    const found: (Scores | null)[] = [];
    await this.#exchange.run(work.score, { inputs }, context, (scores) => void found.push(...scores));
    return withScores(groups, found);
  }
}

/** A filter's metric must be one of the run's. */
function checkFilter({ online_filter }: GrpoConfig, rewards: readonly Reward[]): void {
  const names = ['reward', ...rewards.map(({ name }) => name)];
  if (online_filter === null || names.includes(online_filter.metric)) return;
  throw configError(
    `the config's "online_filter.metric"`,
    `is ${JSON.stringify(online_filter.metric)}; use one of ${names.join(', ')}`,
  );
}

/** Groups whose completions took in what was found of each; those without tokens stay as they are. */
function withScores(groups: readonly LearnedGroup[], found: readonly (Scores | null)[]): LearnedGroup[] {
  let next = 0;
  return groups.map(({ prompt, completions }) => ({
    prompt,
    completions: completions.map((completion) => ({ ...completion, ...found[next++] })),
  }));
}

/** What greedy decoding got. */
function baselineMetric({ groups }: Round): Metrics {
  const mean = meanOf(groups.map(({ baseline = Number.NaN }) => baseline));
  return Number.isFinite(mean) ? { reward_baseline: mean } : {};
}

/** A run whose units somebody else shall do. */
export interface SharedRun {
  readonly session: TrainingSession;
  readonly config: GrpoConfig;
  /** What others need to know besides the config, for `openShare`. */
  readonly share: PacketJson;
  readonly work: GrpoWork;
}

/** Finds somebody. */
export type OpenExchange = (run: SharedRun) => Promise<Exchange>;

/** What the command line knows and the config does not. */
export interface GrpoEnvironment {
  /** Folder of the config file, which reward modules are relative to. */
  readonly folder: string;
  /** Variables of the environment, where keys of endpoints are that rewards ask. */
  readonly environment?: (name: string) => string | undefined;
  /** Loads reward modules into this process; by default each has one of its own. */
  readonly importModule?: ImportModule;
}

/** Reads the data of a config and makes the task; refuses what cannot work. */
export function makeGrpoTask(
  setting: TaskSetting<GrpoConfig>,
  environment: GrpoEnvironment,
): Promise<GrpoTask> {
  return makeSharedGrpoTask(setting, environment);
}

/** Like {@link makeGrpoTask}, for a run whose units others do; without `exchange` this process does them. */
export async function makeSharedGrpoTask(
  setting: TaskSetting<GrpoConfig>,
  environment: GrpoEnvironment,
  exchange?: OpenExchange,
): Promise<GrpoTask> {
  const { config, model, encoder, note } = setting;
  const plan = planBatches(config);
  const rewards = await buildRewards(config.rewards, {
    style: config.prompt_template === null ? config.answer_style : 'custom',
    maxCompletionLength: config.max_completion_length,
    ...environment,
  });
  checkFilter(config, rewards);
  const data = await loadTrainingData(config, note);
  const train = questionsOf(data.train);
  const evaluation = questionsOf(data.evaluation);
  const problems = [...train.problems, ...evaluation.problems];
  if (problems.length > 0) {
    if (config.strict_data) throw problems[0];
    note(
      `${leftOut(problems.length, 'conversation')}, for lack of a question, such as ${problems[0].message}`,
    );
  }
  const prompts = await PromptSet.open(train.questions, setting);
  note(
    `${counted(prompts.size, 'prompt')} of at most ${counted(prompts.largest.tokens, 'token')}; a round is ${counted(plan.roundPrompts, 'prompt')} with ${counted(plan.groupSize, 'completion')} each and serves ${counted(plan.roundSteps, 'step')}`,
  );
  const stopIds = await loadStopIds(config.model_name_or_path, model, encoder.processor.tokenizer);
  const inputs = [...data.files, ...rewardFiles(config.rewards, environment.folder)];
  const preparation = { plan, prompts, evaluation: evaluation.questions, rewards, stopIds, inputs };
  return new GrpoTask(setting, preparation, exchange);
}
