/**
 * What the page of a run is made from. `report.html` carries it in one piece, `osler watch` sends it bit by bit; both as
 * {@link RunUpdate}s, so that the page has one way to take it in.
 */

/** One piece of news about a run. */
export type RunUpdate =
  | { readonly kind: 'info'; readonly info: RunInfo }
  | { readonly kind: 'metrics'; readonly rows: readonly MetricRow[] }
  | { readonly kind: 'traces'; readonly groups: readonly TraceGroup[] }
  | { readonly kind: 'tallies'; readonly tallies: readonly StepTally[] }
  | { readonly kind: 'evaluations'; readonly evaluations: readonly Evaluation[] }
  /** Where the pictures of the traces are: from here on picture `i` has the address at index `i - from`. */
  | { readonly kind: 'pictures'; readonly from: number; readonly sources: readonly (string | null)[] }
  /** How far the step under way is; null while that is not known. */
  | { readonly kind: 'progress'; readonly progress: StepProgress | null }
  /** The run's files were rewritten: forget everything. */
  | { readonly kind: 'restart' };

/** How far the step under way is, where it takes long; the content of the run's progress.json. */
export interface StepProgress {
  readonly step: number;
  readonly totalSteps: number;
  /** Since the step began. */
  readonly seconds: number;
  /** What is counted, how many are done, and how many there will be, where `about` is set an estimate. */
  readonly what: string;
  readonly done: number;
  readonly of: number;
  readonly about?: boolean;
  /** Seconds until the part is done. */
  readonly left?: number;
}

/** What a run is, besides its numbers. */
export interface RunInfo {
  /** An evaluation has a question where a run has a step. */
  readonly kind: 'run' | 'evaluation';
  /** Name of the run's folder. */
  readonly name: string;
  /** The configuration as YAML, without absolute paths. */
  readonly config: string;
  /** What the configuration says that a reader wants to see first: label and value. */
  readonly facts: readonly (readonly [string, string])[];
  /** Where it came from and with what it ran: label and value. */
  readonly provenance: readonly (readonly [string, string])[];
  /** Steps that the run is to take, where known. */
  readonly totalSteps?: number;
  /** When this was written; absent while a run is watched. */
  readonly written?: string;
  /** What a reader should know of the report itself: left-out traces, unreadable lines, missing pictures. */
  readonly notes: readonly string[];
}

/** One line of metrics.jsonl: numbers by TRL's names, and the `step`. */
export type MetricRow = Readonly<Record<string, number>> & { readonly step: number };

/** The completions of one prompt at one step. */
export interface TraceGroup {
  readonly step: number;
  readonly group: string;
  readonly promptId: string;
  /** Indices of pictures. */
  readonly pictures: readonly number[];
  readonly question: string;
  /** Letter and text, in order. */
  readonly options: readonly (readonly [string, string])[];
  readonly answer: string;
  readonly modality?: string;
  readonly questionType?: string;
  readonly dataset?: string;
  readonly prompt: string;
  readonly completions: readonly TraceCompletion[];
}

/** One completion and what it was worth. */
export interface TraceCompletion {
  readonly sample: number;
  readonly text: string;
  readonly tokens?: number;
  readonly finish?: string;
  readonly rewards: readonly TraceReward[];
  readonly reward?: number;
  readonly advantage?: number;
  readonly logp?: number;
  /** Whether the answer is right; absent where nobody said. */
  readonly correct?: boolean;
}

/** What one reward function gave, and why; a null value is one that did not apply. */
export interface TraceReward {
  readonly name: string;
  readonly value: number | null;
  readonly weight?: number;
  readonly reason?: string;
}

/** Rollouts of one step in one cell of the matrix, all of them counted also where traces are left out. */
export interface StepTally {
  readonly step: number;
  readonly modality: string;
  readonly questionType: string;
  readonly n: number;
  readonly correct: number;
}

/** An evaluation of the run, cell by cell. */
export interface Evaluation {
  readonly name: string;
  readonly model: string;
  readonly data: string;
  readonly style: string;
  readonly cells: readonly EvaluationCell[];
}

/** Questions of one modality and type, and how many were answered right in both readings. */
export interface EvaluationCell {
  readonly modality: string;
  readonly questionType: string;
  readonly n: number;
  readonly robust: number;
  readonly paper: number;
  /** Expected right answers of guessing. */
  readonly random: number;
}
