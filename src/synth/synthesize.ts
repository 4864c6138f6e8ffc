/** Makes candidates, judges them, writes what came of it. */
import type { Question } from '../data/index.js';
import type { CandidateSource, CandidateTask } from './candidate.js';
import { type JudgeSettings, judge, type RejectionCause } from './judge.js';
import { WorkFolder } from './work-folder.js';

/** What to make. */
export interface SynthOptions {
  readonly questions: readonly Question[];
  readonly source: CandidateSource;
  /** Candidates per question. */
  readonly samples: number;
  readonly judge: JudgeSettings;
  readonly out: string;
  /** The data as the user named it. */
  readonly data: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: SynthProgress) => void;
}

/** How far a synthesis is. */
export interface SynthProgress {
  /** Candidates that are there, those of an earlier run included. */
  readonly done: number;
  readonly total: number;
  readonly failed: number;
}

/** Content of summary.json. */
export interface SynthSummary {
  readonly format: 'osler-synth/1';
  readonly data: string;
  readonly source: CandidateSource['provenance'];
  readonly settings: JudgeSettings;
  readonly questions: number;
  readonly candidates: number;
  /** Accepted traces, and the questions that they are of. */
  readonly accepted: number;
  readonly accepted_questions: number;
  readonly rejected: Readonly<Partial<Record<RejectionCause, number>>>;
  /** Candidates that could not be had; the same command tries them again. */
  readonly failed: number;
  /** The first few reasons for that. */
  readonly failures: readonly string[];
  /** Questions by share of right answers: exactly none, then in fifths, then all. */
  readonly pass_rates: Readonly<Record<string, number>>;
}

/** Reasons that are kept of failed candidates. */
const MOST_REASONS = 5;

/** Runs a synthesis, or goes on with the one in its folder. Stops between candidates when the signal is aborted. */
export async function synthesize(options: SynthOptions): Promise<SynthSummary> {
  const { questions, source, samples, out, data, signal } = options;
  const head = { format: 'osler-synth/1', data, samples, ...source.provenance };
  const folder = await WorkFolder.open(out, head);
  try {
    const wanted = questions.flatMap((question, index): CandidateTask[] => {
      const there = new Set(folder.candidates.get(question.id)?.map(({ sample }) => sample));
      const missing = Array.from({ length: samples }, (_, i) => i).filter((sample) => !there.has(sample));
      return missing.length > 0 ? [{ question, index, samples: missing }] : [];
    });
    const total = questions.length * samples;
    let done = total - wanted.reduce((sum, task) => sum + task.samples.length, 0);
    let failed = 0;
    const failures = new Set<string>();
    for await (const candidate of source.generate(wanted, signal)) {
      if ('error' in candidate) {
        failed++;
        if (failures.size < MOST_REASONS) failures.add(candidate.error);
      } else {
        await folder.add(candidate);
        done++;
      }
      options.onProgress?.({ done, total, failed });
    }
    const judgement = judge(questions, folder.candidates, options.judge, source.provenance);
    const rejected: Partial<Record<RejectionCause, number>> = {};
    for (const { cause } of judgement.rejected) rejected[cause] = (rejected[cause] ?? 0) + 1;
    const summary: SynthSummary = {
      format: 'osler-synth/1',
      data,
      source: source.provenance,
      settings: options.judge,
      questions: questions.length,
      candidates: judgement.accepted.length + judgement.rejected.length,
      accepted: judgement.accepted.length,
      accepted_questions: judgement.acceptedQuestions,
      rejected,
      failed,
      failures: [...failures],
      pass_rates: histogram([...judgement.passRates.values()]),
    };
    await folder.writeResults(judgement.accepted, judgement.rejected, summary);
    return summary;
  } finally {
    await folder.close();
  }
}

function histogram(rates: readonly number[]): Record<string, number> {
  const bins = ['0', '0–0.2', '0.2–0.4', '0.4–0.6', '0.6–0.8', '0.8–1', '1'];
  const counts = Object.fromEntries(bins.map((bin) => [bin, 0]));
  for (const rate of rates) {
    const bin = rate === 0 ? 0 : rate === 1 ? 6 : Math.min(5, 1 + Math.floor(5 * rate));
    counts[bins[bin] as string] = (counts[bins[bin] as string] ?? 0) + 1;
  }
  return counts;
}
