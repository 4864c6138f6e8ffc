/** The order in which an epoch asks its questions, by how well they were answered before. */
import { gradeAnswer, type Question, type Random } from '../data/index.js';

/** `uncertain_first`: first what is neither always nor never right, which teaches most. */
export const CURRICULA = ['none', 'easy_first', 'hard_first', 'uncertain_first'] as const;

/** See {@link CURRICULA}. */
export type Curriculum = (typeof CURRICULA)[number];

/** What counts for a question that nobody has answered yet. */
const UNKNOWN = 0.5;

/** How far back in an epoch a question stands; equal ones are in random order. */
const RANKS: Readonly<Record<Exclude<Curriculum, 'none'>, (success: number) => number>> = {
  easy_first: (success) => -success,
  hard_first: (success) => success,
  uncertain_first: (success) => Math.abs(success - 0.5),
};

/** The share of right answers that a record brings along: `pass_rate`, as `osler synth` writes it. */
export function recordedSuccess({ extra }: Question): number {
  const rate = extra?.pass_rate;
  return typeof rate === 'number' && rate >= 0 && rate <= 1 ? rate : UNKNOWN;
}

/** The share of right answers among texts; a report counts with its ROUGE-L. */
export function successOf(question: Question, completions: readonly { readonly text: string }[]): number {
  const values = completions.map(({ text }) => {
    const { correct, scores } = gradeAnswer(question, text, { tags: 'optional' });
    return correct === null ? (scores.rouge_l ?? 0) : Number(correct);
  });
  return values.length === 0 ? UNKNOWN : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Numbers of questions in the order of an epoch. */
export function epochOrder(
  curriculum: Exclude<Curriculum, 'none'>,
  success: ArrayLike<number>,
  random: Random,
): number[] {
  const rank = RANKS[curriculum];
  const shuffled = random.shuffle(Array.from(success, (_, i) => i));
  return shuffled.sort((a, b) => rank(success[a]) - rank(success[b]));
}
