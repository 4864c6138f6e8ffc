/** The rewards that users write: what a module's exports are. */
import type { RewardSample } from './reward.js';

/** What a module's function gets. */
export interface UserRewardInput extends RewardSample {
  /** `options` of the config's entry. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a module's function gives: a number, null where it does not apply, or either with a reason. */
export type UserRewardOutput = number | null | { readonly value: number | null; readonly reason?: string };

/** What a module's function may call, as TRL's may. */
export interface UserRewardLog {
  /** A metric of the step, `rewards/<label>/<name>`: the mean of all values that were logged. */
  logMetric(name: string, value: number): void;
  /** A column for the lines of completions.jsonl; of a batched function a list, with a value for each of its inputs. */
  logExtra(column: string, value: unknown): void;
}

/** The default export of a reward module. */
export type UserReward = (
  input: UserRewardInput,
  log: UserRewardLog,
) => UserRewardOutput | Promise<UserRewardOutput>;

/** The default export of a module that has `export const batched = true`: all completions of a round at once. */
export type BatchedUserReward = (
  inputs: readonly UserRewardInput[],
  log: UserRewardLog,
) => readonly UserRewardOutput[] | Promise<readonly UserRewardOutput[]>;

/** A module's exports, as they are found. */
export interface RewardModule {
  readonly default?: unknown;
  readonly batched?: unknown;
}
