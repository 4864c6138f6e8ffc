/** Which candidates are accepted, and why the others are not. A pure function: judging again needs no new candidates. */
import type { Question } from '../data/index.js';
import type { Candidate, CandidateSource } from './candidate.js';
import { brokenConstraint, type ConstraintCause, type ConstraintSettings } from './constraints.js';
import { NearDuplicates } from './near-duplicates.js';
import { type Reading, readCandidate, stepsOf, wordsOf } from './reading.js';

/** What to accept. */
export interface JudgeSettings extends ConstraintSettings {
  /** Traces that a question may give. */
  readonly keep: number;
  /** Jaccard similarity of word sequences from which a trace is a duplicate of an accepted one. */
  readonly duplicateThreshold: number;
  /** Questions are left out whose share of right answers is below or above: too hard, or too easy. */
  readonly minPassRate: number;
  readonly maxPassRate: number;
}

/** Why a candidate was rejected; `surplus`: its question had given enough already. */
export type RejectionCause = ConstraintCause | 'too_hard' | 'too_easy' | 'near_duplicate' | 'surplus';

/** A candidate that was not accepted; a line of rejected.jsonl. */
export interface Rejection extends Candidate {
  readonly cause: RejectionCause;
  readonly detail: string;
}

/** What was found of all questions. */
export interface Judgement {
  /** Questions with reasoning and provenance, in the order of the questions. */
  readonly accepted: readonly Question[];
  /** Questions that they are of. */
  readonly acceptedQuestions: number;
  readonly rejected: readonly Rejection[];
  /** Share of right answers by question, of those that have candidates. */
  readonly passRates: ReadonlyMap<string, number>;
}

/** Judges the candidates of questions, in order. */
export function judge(
  questions: readonly Question[],
  candidates: ReadonlyMap<string, readonly Candidate[]>,
  settings: JudgeSettings,
  source: CandidateSource['provenance'],
): Judgement {
  const accepted: Question[] = [];
  const rejected: Rejection[] = [];
  const passRates = new Map<string, number>();
  let acceptedQuestions = 0;
  const duplicates = new NearDuplicates(settings.duplicateThreshold);
  for (const question of questions) {
    const readings = [...(candidates.get(question.id) ?? [])]
      .sort((a, b) => a.sample - b.sample)
      .map((candidate) => readCandidate(question, candidate));
    if (readings.length === 0) continue;
    const right = readings.filter(({ grade }) => grade.correct !== false).length;
    const passRate = right / readings.length;
    passRates.set(question.id, passRate);
    let kept = 0;
    for (const reading of readings) {
      const { candidate, reasoning } = reading;
      const reject = (cause: RejectionCause, detail: string) =>
        rejected.push({ ...candidate, cause, detail });
      const broken = brokenConstraint(reading, settings);
      if (broken) reject(broken.cause, broken.detail);
      else if (passRate < settings.minPassRate) reject('too_hard', `pass rate ${passRate.toFixed(3)}`);
      else if (passRate > settings.maxPassRate) reject('too_easy', `pass rate ${passRate.toFixed(3)}`);
      else if (kept >= settings.keep) reject('surplus', `its question has given ${kept} already`);
      else {
        const same = duplicates.find(reasoning);
        if (same) {
          reject('near_duplicate', `of ${same.name}, similarity ${same.similarity.toFixed(2)}`);
          continue;
        }
        duplicates.add(`${question.id} sample ${candidate.sample}`, reasoning);
        accepted.push(record(reading, kept++, { passRate, of: readings.length }, source));
      }
    }
    if (kept > 0) acceptedQuestions++;
  }
  return { accepted, acceptedQuestions, rejected, passRates };
}

/** The question with the reasoning of a candidate, and where that came from. */
function record(
  reading: Reading,
  nth: number,
  { passRate, of }: { passRate: number; of: number },
  source: CandidateSource['provenance'],
): Question {
  const { question, candidate, reasoning } = reading;
  return {
    ...question,
    // Records of a file have ids of their own.
    id: nth === 0 ? question.id : `${question.id}#${nth + 1}`,
    reasoning,
    extra: {
      ...question.extra,
      pass_rate: passRate,
      synth: {
        ...source,
        sample: candidate.sample,
        candidates: of,
        steps: stepsOf(reading),
        words: wordsOf(reasoning).length,
        ...(candidate.tokens !== undefined && { tokens: candidate.tokens }),
      },
    },
  };
}
