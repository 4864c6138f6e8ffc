/** Metrics of a round of rollouts, by TRL's names where it has them. */
import { countTags, type Grade, gradeAnswer, type Question, SCORES } from '../data/index.js';
import type { Metrics } from '../train/task.js';
import { type Advantages, meanOf, standardDeviation } from './advantages.js';
import { isTruncated, type ScoredCompletion, type ScoredGroup } from './round.js';

/** What completions look like, whatever they are worth. */
export function completionMetrics(groups: readonly ScoredGroup[]): Record<string, number> {
  const all = groups.flatMap(({ completions }) => completions);
  const lengths = all.map(({ ids }) => ids.length);
  const ended = all.filter((completion) => !isTruncated(completion)).map(({ ids }) => ids.length);
  // As in TRL, 0 where no completion ended by itself.
  const terminated = ended.length > 0 ? ended : [0];
  const truncated = shareOf(all, isTruncated);
  return {
    'completions/mean_length': meanOf(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/mean_terminated_length': meanOf(terminated),
    'completions/min_terminated_length': Math.min(...terminated),
    'completions/max_terminated_length': Math.max(...terminated),
    'completions/clipped_ratio': truncated,
    'completions/truncated': truncated,
    'completions/no_tag': shareOf(all, ({ text }) => answerTags(text) === 0),
    'completions/multi_tag': shareOf(all, ({ text }) => answerTags(text) > 1),
    ...answerMetrics(groups),
  };
}

/** How many answers are right, and how the open ones compare with what is right. */
function answerMetrics(groups: readonly ScoredGroup[]): Record<string, number> {
  const grades = groups.flatMap(({ prompt, completions }) =>
    completions.map(({ text }) => gradeOf(text, prompt.question)),
  );
  const judged = grades.filter(({ correct }) => correct !== null);
  const out: Record<string, number> = {};
  if (judged.length > 0) out['completions/accuracy'] = shareOf(judged, ({ correct }) => correct === true);
  for (const name of SCORES) {
    const values = grades.flatMap(({ scores }) => scores[name] ?? []);
    if (values.length > 0) out[`completions/${name}`] = meanOf(values);
  }
  return out;
}

/** What a completion answers, by the reading that evaluations have. */
export function gradeOf(text: string, question: Question): Grade {
  return gradeAnswer(question, text, { tags: 'optional' });
}

/** Means and spreads of rewards, of all and by modality. */
export function rewardMetrics(
  names: readonly string[],
  groups: readonly ScoredGroup[],
  { rewards, zeroStd }: Advantages,
): Metrics {
  const all = groups.flatMap(({ completions }) => completions);
  const out: Record<string, number> = {};
  names.forEach((name, k) => {
    const values = all.map((completion) => rewardValue(completion, k));
    out[`rewards/${name}/mean`] = meanOf(values);
    out[`rewards/${name}/std`] = standardDeviation(values);
  });
  for (const [name, values] of loggedMetrics(names, all)) out[name] ??= meanOf(values);
  out.reward = meanOf(rewards);
  out.reward_std = standardDeviation(rewards);
  out.frac_reward_zero_std = shareOf(zeroStd, (zero) => zero);
  const modalities = groups.flatMap(({ prompt, completions }) =>
    completions.map(() => prompt.question.modality),
  );
  for (const modality of new Set(modalities)) {
    if (modality === undefined) continue;
    out[`reward_by_modality/${modality}`] = meanOf(rewards.filter((_, i) => modalities[i] === modality));
  }
  // A reward that applied to nothing has no mean; JSON has no NaN.
  return Object.fromEntries(Object.entries(out).filter(([, value]) => Number.isFinite(value)));
}

/** What rewards of users logged, by metric. */
function loggedMetrics(
  names: readonly string[],
  completions: readonly ScoredCompletion[],
): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const { rewards } of completions) {
    for (const [k, { logged = [] }] of rewards.entries()) {
      for (const [metric, value] of logged) {
        const name = `rewards/${names[k]}/${metric}`;
        found.set(name, [...(found.get(name) ?? []), value]);
      }
    }
  }
  return found;
}

/** A reward's value; NaN where it does not apply. */
export function rewardValue({ rewards }: ScoredCompletion, k: number): number {
  return rewards[k].value ?? Number.NaN;
}

function answerTags(text: string): number {
  const { open, close } = countTags(text, 'answer');
  return Math.min(open, close) === 0 ? 0 : Math.max(open, close);
}

function shareOf<T>(list: readonly T[], holds: (item: T) => boolean): number {
  return list.filter(holds).length / list.length;
}
