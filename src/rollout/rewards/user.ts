/** Rewards that users write: a module whose default export judges one completion. */
import { configError } from '../../train/config/index.js';
import type { Reward, RewardResult, RewardSample } from './reward.js';

/** Loads a module given by path; the command line has one for TypeScript and JavaScript. */
export type ImportModule = (path: string) => Promise<unknown>;

/** What a module's function gets. */
export interface UserRewardInput extends RewardSample {
  /** `options` of the config's entry. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a module's function gives: a number, null where it does not apply, or either with a reason. */
export type UserRewardOutput = number | null | { readonly value: number | null; readonly reason?: string };

/** The default export of a reward module. */
export type UserReward = (input: UserRewardInput) => UserRewardOutput | Promise<UserRewardOutput>;

/** A module in the config. */
export interface ModuleEntry {
  readonly path: string;
  readonly label: string | null;
  readonly weight: number;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Loads a module and makes a reward of it. */
export async function moduleReward(
  entry: ModuleEntry,
  { folder, importModule }: { readonly folder: string; readonly importModule: ImportModule },
): Promise<Reward> {
  const absolute = /^([/\\]|[A-Za-z]:)/.test(entry.path);
  const path = absolute || folder === '' ? entry.path : `${folder}/${entry.path}`;
  const score = await userFunction(path, importModule);
  const name = entry.label ?? (path.split(/[/\\]/).at(-1) as string).replace(/\.[cm]?[jt]sx?$/, '');
  return {
    name,
    weight: entry.weight,
    score: async (sample) => resultOf(await score({ ...sample, options: entry.options })),
  };
}

async function userFunction(path: string, importModule: ImportModule): Promise<UserReward> {
  let module: unknown;
  try {
    module = await importModule(path);
  } catch (error) {
    throw configError(`reward module ${path}`, `cannot be loaded: ${(error as Error).message}`);
  }
  const found = (module as { default?: unknown } | null)?.default;
  if (typeof found === 'function') return found as UserReward;
  throw configError(
    `reward module ${path}`,
    'has no function as its default export; write export default ({ completion, record }) => 1',
  );
}

function resultOf(output: UserRewardOutput): RewardResult {
  if (output === null || typeof output === 'number') return { value: output, reason: '' };
  const { value, reason = '' } = output ?? {};
  if (value === null || typeof value === 'number') return { value, reason: String(reason) };
  throw new TypeError(`returned ${JSON.stringify(output)}; expected a number, null, or {value, reason}`);
}
