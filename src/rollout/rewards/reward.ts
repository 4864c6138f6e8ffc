/** What a reward is, and how the rewards of a batch are computed. */

import type { Sample } from '../../data/index.js';
import { TrainingFailure } from '../../train/non-finite.js';
import type { Json } from '../../train/task.js';
import { isSingle, weightedSum } from '../advantages.js';

/** A completion to be judged, with what it answers. */
export interface RewardSample {
  /** Text of the prompt, without the chat template. */
  readonly prompt: string;
  /** Text of the completion, without special tokens. */
  readonly completion: string;
  /** Ids of the completion, the one that ended it included. */
  readonly completionIds: readonly number[];
  /** Whether it was cut off by the cap on tokens. */
  readonly truncated: boolean;
  /**
   * The record that the prompt was made of, with every column: those that Osler knows under its names, the others in
   * `record.extra`. Not every record has options.
   */
  readonly record: Sample;
  /** Which completion of its prompt, counting from 0. */
  readonly sample: number;
  /** Optimizer step that the completion was drawn for, counting from 1. */
  readonly step: number;
}

/** What a reward says. */
export interface RewardResult {
  /** null where the reward does not apply to the sample. */
  readonly value: number | null;
  /** Why, in a few words. */
  readonly reason: string;
  /** What a user's reward logged with it: metrics, which are averaged, and columns for the line of the completion. */
  readonly logged?: readonly (readonly [string, number])[];
  readonly extra?: Readonly<Record<string, Json>>;
}

/** Judges one completion. */
export interface Judge {
  (sample: RewardSample): RewardResult | Promise<RewardResult>;
  /** Judges several at once, in order; where it is there, it is asked in the place of the function. */
  many?(samples: readonly RewardSample[]): Promise<readonly RewardResult[]>;
  /** Frees what it holds; it judges no more. */
  close?(): void;
}

/** A judge that failed while it judged several samples: which of them it was. */
export class JudgementError extends Error {
  readonly sample: RewardSample;

  /** The message goes on from the reward and the sample. */
  constructor(sample: RewardSample, message: string) {
    super(message);
    this.sample = sample;
  }
}

/** A judge and what its word counts. */
export interface Reward {
  /** Unique in a run; metrics go by it. */
  readonly name: string;
  readonly weight: number;
  readonly score: Judge;
}

/**
 * Every reward of every completion: by sample, then by reward. Rewards run side by side; one that fails says which it is
 * and where.
 */
export async function scoreAll(
  rewards: readonly Reward[],
  samples: readonly RewardSample[],
): Promise<RewardResult[][]> {
  const columns = await Promise.all(rewards.map((reward) => scoreColumn(reward, samples)));
  return samples.map((sample, i) => {
    const results = columns.map((column) => column[i]);
    checkSum(rewards, sample, results);
    return results;
  });
}

/** What one reward says of all samples. */
async function scoreColumn(
  reward: Reward,
  samples: readonly RewardSample[],
): Promise<readonly RewardResult[]> {
  const { score } = reward;
  if (!score.many || samples.length === 0) {
    return Promise.all(samples.map((sample) => checked(reward, sample, async () => score(sample))));
  }
  const [first] = samples;
  const results = await attempt(reward, first, async () => score.many?.(samples) ?? []);
  return Promise.all(samples.map((sample, i) => checked(reward, sample, async () => results[i])));
}

/** Refuses rewards that are too large together. */
function checkSum(rewards: readonly Reward[], sample: RewardSample, results: readonly RewardResult[]): void {
  const values = results.map(({ value }) => value);
  const weights = rewards.map(({ weight }) => weight);
  const sum = weightedSum(values, weights);
  if (values.every((value) => value === null) || isSingle(sum)) return;
  throw new TrainingFailure(`the weighted rewards of ${placeOf(sample)} add up to ${sum}, ${TOO_LARGE}`);
}

const TOO_LARGE = 'more than single precision holds (3.4e38); scale them down';

/** Runs a judgement; its failure names the reward and the sample. */
async function attempt<T>(reward: Reward, sample: RewardSample, judge: () => Promise<T>): Promise<T> {
  try {
    return await judge();
  } catch (error) {
    if (error instanceof JudgementError) throw failure(reward, error.sample, error.message);
    throw failure(reward, sample, `failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function checked(
  reward: Reward,
  sample: RewardSample,
  judge: () => Promise<RewardResult>,
): Promise<RewardResult> {
  const result = await attempt(reward, sample, judge);
  const { value } = result;
  if (value !== null && !Number.isFinite(value)) {
    throw failure(
      reward,
      sample,
      `gave ${value}; a reward is a finite number, or null where it does not apply`,
    );
  }
  if (value !== null && !isSingle(value)) throw failure(reward, sample, `gave ${value}, ${TOO_LARGE}`);
  return result;
}

function failure(reward: Reward, sample: RewardSample, problem: string): TrainingFailure {
  return new TrainingFailure(`reward "${reward.name}" on ${placeOf(sample)} ${problem}`);
}

function placeOf({ record, sample, completion }: RewardSample): string {
  const start = completion.length > 80 ? `${completion.slice(0, 80)}…` : completion;
  return `completion ${sample} of question ${JSON.stringify(record.id)} (${JSON.stringify(start)})`;
}
