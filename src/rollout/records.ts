/** Lines of completions.jsonl: what was asked, what was answered, and what it was worth. */
import { asked } from '../data/index.js';
import type { Json } from '../train/task.js';
import { gradeOf } from './metrics.js';
import type { Reward } from './rewards/index.js';
import type { ScoredGroup } from './round.js';

/** What is known of a completion besides its group. */
export interface CompletionWorth {
  readonly reward: number;
  readonly advantage: number;
}

/** One line per completion. */
export function completionLines(
  groups: readonly ScoredGroup[],
  rewards: readonly Reward[],
  worth: readonly CompletionWorth[],
): Readonly<Record<string, Json>>[] {
  let next = 0;
  return groups.flatMap(({ prompt, completions }) =>
    completions.map((completion, sample) => {
      const { question } = prompt;
      const { reward, advantage } = worth[next++];
      const { said, correct, scores } = gradeOf(completion.text, question);
      return {
        prompt_id: question.id,
        group: prompt.place,
        sample,
        ...asked(question),
        prompt: prompt.text,
        completion: completion.text,
        token_count: completion.ids.length,
        finish_reason: completion.finishReason,
        rewards: Object.fromEntries(
          rewards.map(({ name, weight }, k) => {
            const { logged: _logged, ...result } = completion.rewards[k];
            return [name, { ...result, weight }];
          }),
        ),
        reward: Number.isNaN(reward) ? null : reward,
        advantage,
        logp_mean: completion.logps.reduce((sum, logp) => sum + logp, 0) / completion.logps.length,
        correct,
        ...(question.open === undefined ? {} : { said, scores }),
      };
    }),
  );
}
