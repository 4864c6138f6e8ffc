/** Held-out accuracy and rewards of the policy, asked in the words of training; greedy by default. */
import type { Question } from '../data/index.js';
import { type Examinee, evaluateModel } from '../eval/evaluate.js';
import { meanOf, weightedSum } from '../rollout/advantages.js';
import { type Reward, type RewardSample, scoreAll } from '../rollout/rewards/index.js';
import { isTruncated } from '../rollout/round.js';
import type { EvaluationContext, Metrics } from '../train/task.js';
import type { GrpoConfig } from './config.js';

/** Metrics of held-out questions. */
export async function evaluatePolicy(
  examinee: Examinee,
  questions: readonly Question[],
  rewards: readonly Reward[],
  config: GrpoConfig,
  { step, progress }: Pick<EvaluationContext, 'step' | 'progress'>,
): Promise<Metrics> {
  const samples: RewardSample[] = [];
  const { tables } = await evaluateModel(examinee, questions, {
    style: config.answer_style,
    phase: 'train',
    ...(config.prompt_template === null ? {} : { template: config.prompt_template }),
    ...(config.system_prompt === null ? {} : { system: config.system_prompt }),
    maxNewTokens: config.max_completion_length,
    samples: config.num_generations_eval,
    temperature: config.eval_temperature,
    topP: config.top_p,
    topK: config.top_k,
    seed: config.seed,
    onProgress: ({ questions: done, total: of }) => progress?.({ what: 'held-out questions', done, of }),
    onAnswer: (question, prompt, completion) => {
      samples.push({
        prompt,
        completion: completion.text ?? '',
        completionIds: completion.tokenIds,
        truncated: isTruncated(completion),
        record: question,
        sample: completion.sample,
        step,
      });
    },
  });
  const scores = await scoreAll(rewards, samples);
  const weights = rewards.map(({ weight }) => weight);
  const out: Record<string, number> = {
    // Reports alone have no accuracy.
    ...(tables.robust.n === 0
      ? {}
      : { accuracy: tables.robust.accuracy, accuracy_paper: tables.paper.accuracy }),
    reward: meanOf(
      scores.map((row) =>
        weightedSum(
          row.map(({ value }) => value),
          weights,
        ),
      ),
    ),
    'completions/mean_length': tables.lengths.mean,
    'completions/clipped_ratio': tables.tags.truncated,
    'completions/no_tag': tables.tags.no_answer_tag,
    'completions/multi_tag': tables.tags.several_answer_tags,
  };
  for (const [name, { mean }] of Object.entries(tables.scores ?? {})) out[name] = mean;
  for (const [k, share] of Object.entries(tables.pass_at_k ?? {})) out[`pass@${k}`] = share;
  if (tables.majority_vote) out.majority_vote = tables.majority_vote.accuracy;
  rewards.forEach(({ name }, k) => {
    out[`rewards/${name}/mean`] = meanOf(scores.map((row) => row[k].value ?? Number.NaN));
  });
  for (const [modality, cell] of Object.entries(tables.by_modality)) {
    if (cell.robust.n > 0) out[`accuracy_by_modality/${modality}`] = cell.robust.accuracy;
  }
  return Object.fromEntries(Object.entries(out).filter(([, value]) => Number.isFinite(value)));
}
