/** Calls the function of a reward module and keeps what it logs; the same in a process of its own and in this one. */
import { deepFreeze } from './frozen.js';
import type { Logged } from './module-messages.js';
import type {
  BatchedUserReward,
  RewardModule,
  UserReward,
  UserRewardInput,
  UserRewardLog,
} from './user-reward.js';

/** A module that can be called. */
export interface CallableModule {
  readonly batched: boolean;
  /** What the function gives, maybe a promise, and what it logs until that is settled. */
  call(inputs: readonly UserRewardInput[]): { readonly output: unknown; readonly logged: Logged };
}

/** A module with a function as its default export; undefined for others. */
export function callableModule(found: RewardModule | null | undefined): CallableModule | undefined {
  const judge = found?.default;
  if (typeof judge !== 'function') return undefined;
  const batched = found?.batched === true;
  return {
    batched,
    call(inputs) {
      const metrics: [string, number][] = [];
      const extras: [string, unknown][] = [];
      const log: UserRewardLog = {
        logMetric(name, value) {
          if (typeof value !== 'number' || !Number.isFinite(value)) {
            throw new TypeError(`logs ${String(value)} as metric "${name}"; a metric is a finite number`);
          }
          metrics.push([String(name), value]);
        },
        logExtra: (column, value) => void extras.push([String(column), value]),
      };
      const frozen = deepFreeze(inputs);
      const output: unknown = batched
        ? (judge as BatchedUserReward)(frozen, log)
        : (judge as UserReward)(frozen[0] as UserRewardInput, log);
      return { output, logged: { metrics, extras } };
    },
  };
}
