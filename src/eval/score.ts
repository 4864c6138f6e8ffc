/** Reads a completion's answer in both ways. */
import { gradeAnswer } from '../data/answers/grade.js';
import { asked } from '../data/asked.js';
import { type PaperReading, paperAnswer } from '../data/paper.js';
import type { Question } from '../data/question.js';
import type { Prediction } from './summary.js';

/** A completion, and the prompt that it answers. */
export interface Answered {
  readonly prompt: string;
  readonly sample: number;
  readonly completion: string;
  readonly tokenCount: number;
  readonly finishReason: string;
}

/** A completion as a line of `predictions.jsonl`. */
export function scoreCompletion(question: Question, answered: Answered, reading: PaperReading): Prediction {
  const { completion } = answered;
  const { said, how, correct, scores } = gradeAnswer(question, completion, { tags: 'optional' });
  const paper = paperAnswer(completion, reading);
  return {
    id: question.id,
    sample: answered.sample,
    ...asked(question),
    prompt: answered.prompt,
    completion,
    token_count: answered.tokenCount,
    finish_reason: answered.finishReason,
    letter: question.open === undefined ? said : null,
    how,
    correct: correct === true,
    paper_answer: paper ?? null,
    paper_correct: paper === question.answer,
    ...(question.open === undefined ? {} : { said, scores }),
  };
}
