/** Candidates: what a source was asked to reason about, and what it said. */
import type { Question } from '../data/index.js';

/** A question, and which of its candidates are still to be made. */
export interface CandidateTask {
  readonly question: Question;
  /** Place of the question among all, which its random numbers depend on. */
  readonly index: number;
  readonly samples: readonly number[];
}

/** One attempt at a question; a line of candidates.jsonl. */
export interface Candidate {
  /** The question's id. */
  readonly id: string;
  readonly sample: number;
  readonly text: string;
  /** `stop`: the source ended by itself; `length`: it was cut off; others as an endpoint names them. */
  readonly finish: string;
  readonly tokens?: number;
}

/** A candidate that could not be had; it is tried again when the synthesis is resumed. */
export interface FailedCandidate {
  readonly id: string;
  readonly sample: number;
  /** In a sentence, with what the endpoint said. */
  readonly error: string;
}

/** Something that makes candidates. */
export interface CandidateSource {
  /** Written into the provenance of every record, and compared when a synthesis is resumed; without secrets. */
  readonly provenance: Readonly<Record<string, string | number | boolean>>;
  /** Makes the candidates of tasks; they come in any order. */
  generate(tasks: readonly CandidateTask[], signal: AbortSignal): AsyncIterable<Candidate | FailedCandidate>;
}
