/** Lines of completions.jsonl and metrics.jsonl as the page wants them. */
import { z } from 'zod';
import type { MetricRow, StepProgress, TraceCompletion, TraceGroup } from './model.js';

const number = z.number();
const completionLine = z.object({
  step: number,
  prompt_id: z.union([z.string(), number]).transform(String),
  group: z.union([z.string(), number]).transform(String),
  sample: number,
  images: z.array(z.string()).default([]),
  question: z.string().default(''),
  options: z.record(z.string(), z.string()).default({}),
  answer: z.string().default(''),
  modality: z.string().nullish(),
  question_type: z.string().nullish(),
  dataset: z.string().nullish(),
  prompt: z.string().default(''),
  completion: z.string(),
  token_count: number.nullish(),
  finish_reason: z.string().nullish(),
  rewards: z
    .record(
      z.string(),
      z.object({ value: number.nullish(), weight: number.nullish(), reason: z.string().nullish() }),
    )
    .default({}),
  reward: number.nullish(),
  advantage: number.nullish(),
  logp_mean: number.nullish(),
  correct: z.boolean().nullish(),
});

/** A checked line of completions.jsonl. */
export type CompletionLine = z.infer<typeof completionLine>;

/** Checks a line of completions.jsonl; undefined when it is not one. */
export function parseCompletion(value: unknown): CompletionLine | undefined {
  const parsed = completionLine.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

const progressFile = z.object({
  step: number,
  totalSteps: number,
  seconds: number,
  what: z.string().max(100),
  done: number,
  of: number,
  about: z.boolean().optional(),
  left: number.optional(),
});

/** Checks a run's progress.json; null when it is none, or half written. */
export function parseProgress(bytes: Uint8Array | undefined): StepProgress | null {
  if (bytes === undefined) return null;
  try {
    const { about, left, ...rest } = progressFile.parse(JSON.parse(new TextDecoder().decode(bytes)));
    return { ...rest, ...(about ? { about } : {}), ...(left === undefined ? {} : { left }) };
  } catch {
    return null;
  }
}

/** The numbers of a line of metrics.jsonl; undefined when it has no step. */
export function parseMetrics(value: unknown): MetricRow | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  const numbers = Object.entries(value).filter(([, v]) => typeof v === 'number');
  const row = Object.fromEntries(numbers) as MetricRow;
  return Number.isFinite(row.step) ? row : undefined;
}

/** A group with the completions of its lines; `picture` gives the index of an image path. */
export function traceGroup(lines: readonly CompletionLine[], picture: (path: string) => number): TraceGroup {
  const first = lines[0] as CompletionLine;
  return {
    step: first.step,
    group: first.group,
    promptId: first.prompt_id,
    pictures: first.images.map(picture),
    question: first.question,
    options: Object.entries(first.options),
    answer: first.answer,
    ...(first.modality != null && { modality: first.modality }),
    ...(first.question_type != null && { questionType: first.question_type }),
    ...(first.dataset != null && { dataset: first.dataset }),
    prompt: first.prompt,
    completions: lines.map(traceCompletion).sort((a, b) => a.sample - b.sample),
  };
}

function traceCompletion(line: CompletionLine): TraceCompletion {
  const correct = line.correct ?? accuracyOf(line);
  return {
    sample: line.sample,
    text: line.completion,
    ...(line.token_count != null && { tokens: line.token_count }),
    ...(line.finish_reason != null && { finish: line.finish_reason }),
    rewards: Object.entries(line.rewards).map(([name, { value, weight, reason }]) => ({
      name,
      value: value ?? null,
      ...(weight != null && { weight }),
      ...(reason != null && reason !== '' && { reason }),
    })),
    ...(line.reward != null && { reward: line.reward }),
    ...(line.advantage != null && { advantage: line.advantage }),
    ...(line.logp_mean != null && { logp: line.logp_mean }),
    ...(correct !== undefined && { correct }),
  };
}

/** What a reward for accuracy says, for trainers that do not say `correct`. */
function accuracyOf(line: CompletionLine): boolean | undefined {
  const value = Object.entries(line.rewards).find(([name]) => /accuracy/i.test(name))?.[1].value;
  return value == null ? undefined : value > 0;
}
