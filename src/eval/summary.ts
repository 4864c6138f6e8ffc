/**
 * What an evaluation writes: `summary.json` ({@link EvalSummary}) and `predictions.jsonl` (one {@link Prediction} a line).
 * Names are those of the files.
 */

import type { ScoreName, Scores } from '../data/answers/grade.js';
import type { Asked } from '../data/asked.js';
import type { PaperReading } from '../data/paper.js';

/** Right answers among questions, with a 95% Wilson interval. */
export interface Accuracy {
  /** Questions. */
  readonly n: number;
  /** Questions answered right; with several samples a question counts with the share of its right samples. */
  readonly correct: number;
  readonly accuracy: number;
  /** Ends of the interval. */
  readonly low: number;
  readonly high: number;
}

/** Mean of a score over the questions that have it. */
export interface ScoreMean {
  /** Questions. */
  readonly n: number;
  readonly mean: number;
}

/** Accuracy of some questions in both readings, and what guessing would score on them; reports do not count there. */
export interface Cell {
  /** By a careful reading of the answer (`gradeAnswer`): what to compare models by. */
  readonly robust: Accuracy;
  /** By Med-R1's own scripts, which take nothing but the letter: what to compare with the paper by. */
  readonly paper: Accuracy;
  /** Expected accuracy of choosing an option at random. */
  readonly random: number;
  /** Accuracy of always giving the commonest answer of these questions. */
  readonly majority: number;
  /** That answer: a letter, of open questions a text. */
  readonly majority_letter: string;
  /** How open answers compare with what is right; only where there are open questions. */
  readonly scores?: Readonly<Partial<Record<ScoreName, ScoreMean>>>;
}

/** A cell of the finest table. */
export interface NamedCell extends Cell {
  readonly modality: string;
  readonly question_type: string;
  readonly dataset: string;
}

/** Lengths of completions in tokens. */
export interface LengthStats {
  readonly mean: number;
  readonly min: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
  /** Mean over right and over wrong answers (robust); null where there are none. */
  readonly mean_correct: number | null;
  readonly mean_wrong: number | null;
}

/** Shares of completions, in [0, 1]. */
export interface TagStats {
  /** The whole completion has the form that the paper's format reward wants of its style. */
  readonly paper_format: number;
  readonly one_answer_pair: number;
  readonly no_answer_tag: number;
  readonly several_answer_tags: number;
  readonly one_think_pair: number;
  /** Ended by the cap on tokens. */
  readonly truncated: number;
  /** No answer could be read (robust). */
  readonly no_answer: number;
}

/** How the completions were made and read. */
export interface EvalSettings {
  /** Style of the prompt, or `custom`. */
  readonly style: string;
  /** The prompt's words, with `{Question}` in them; those of a style are what questions with options are asked in. */
  readonly template: string;
  readonly system?: string;
  readonly paper_reading: PaperReading;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly top_p: number;
  readonly top_k: number;
  readonly samples: number;
  readonly max_new_tokens: number;
  readonly seed: number;
}

/** Content of `summary.json`. */
export interface EvalSummary extends Cell {
  readonly format: 'osler-eval/1';
  /** Model, adapter and data as the user named them. */
  readonly model: string;
  readonly adapter?: string;
  readonly data: string;
  readonly settings: EvalSettings;
  readonly questions: number;
  readonly completions: number;
  /** Records of the data that could not be used. */
  readonly skipped: number;
  readonly by_modality: Readonly<Record<string, Cell>>;
  readonly by_question_type: Readonly<Record<string, Cell>>;
  readonly by_dataset: Readonly<Record<string, Cell>>;
  /** Modality, then question type. */
  readonly matrix: Readonly<Record<string, Readonly<Record<string, Cell>>>>;
  /** Each combination of modality, question type and dataset that there is. */
  readonly cells: readonly NamedCell[];
  /** Chance that at least one of k samples is right, by k; only with several samples. */
  readonly pass_at_k?: Readonly<Record<string, number>>;
  /** Accuracy of the answer that most samples give; only with several samples. */
  readonly majority_vote?: Accuracy;
  readonly lengths: LengthStats;
  readonly tags: TagStats;
  readonly time: {
    readonly seconds: number;
    readonly tokens: number;
    readonly tokens_per_second: number;
  };
}

/** One completion of one question. */
export interface Prediction extends Asked {
  /** The question's id. */
  readonly id: string;
  readonly sample: number;
  /** Text of the prompt, without the chat template. */
  readonly prompt: string;
  readonly completion: string;
  readonly token_count: number;
  readonly finish_reason: string;
  /** The option read by the robust reading; null for none. */
  readonly letter: string | null;
  readonly how: string;
  readonly correct: boolean;
  /** What the paper's scripts read; null for nothing. */
  readonly paper_answer: string | null;
  readonly paper_correct: boolean;
  /** The answer to an open question, in a form that equal answers share; null for none. */
  readonly said?: string | null;
  /** How it compares with what is right. */
  readonly scores?: Scores;
}
