/** Records of open questions as they are published: VQA-RAD, SLAKE, PathVQA, and PMC-VQA, which has options as well. */
import { describe } from '../../formats/quote.js';
import { type Expected, expectedOpen } from '../answers/record.js';
import { modalityName } from '../modalities.js';
import type { Question } from '../question.js';
import {
  answerLetter,
  extraOf,
  fail,
  idOf,
  imageIn,
  imageOf,
  optionalText,
  optionsOf,
  present,
  type Raw,
  type RecordContext,
  requiredText,
} from './fields.js';

/** What questions are called that say nothing of their type: yes or no, and all others. */
const CLOSED = 'Closed';
const OPEN = 'Open';

const PLAIN_KEYS = new Set('id image image_id question answer modality question_type dataset'.split(' '));

/** VQA-RAD, PathVQA and SLAKE as Hugging Face has them in Parquet: a picture, a question, an answer, and nothing else. */
export function plainVqaOf(raw: Raw, at: RecordContext): Question {
  const expected = textAnswer(raw.answer, 'answer', at);
  return {
    id: idOf(raw, 'id', at),
    images: [imageOf(raw.image, 'image', at)],
    question: requiredText(raw, 'question', at).trim(),
    ...expected,
    ...present({
      modality: optionalText(raw, 'modality', at),
      question_type: optionalText(raw, 'question_type', at) ?? openness(expected),
      dataset: optionalText(raw, 'dataset', at),
    }),
    ...extraOf(raw, PLAIN_KEYS),
  };
}

const VQA_RAD_KEYS = new Set('qid image_name question answer question_type'.split(' '));

/** VQA-RAD's own JSON: pictures by name, in `VQA_RAD Image Folder/`; some answers are numbers there. */
export function vqaRadOf(raw: Raw, at: RecordContext): Question {
  const expected = textAnswer(raw.answer, 'answer', at);
  return {
    id: idOf(raw, 'qid', at),
    images: [imageIn(['VQA_RAD Image Folder', 'images'], raw.image_name, 'image_name', at)],
    question: requiredText(raw, 'question', at).trim(),
    ...expected,
    dataset: 'VQA-RAD',
    question_type: typeof raw.question_type === 'string' ? raw.question_type.trim() : openness(expected),
    ...extraOf(raw, VQA_RAD_KEYS),
  };
}

const SLAKE_KEYS = new Set('qid img_name question answer modality content_type'.split(' '));

/** SLAKE: pictures by name, in `imgs/`; English and Chinese questions in one file, told apart by `q_lang`, which stays. */
export function slakeOf(raw: Raw, at: RecordContext): Question {
  const modality = optionalText(raw, 'modality', at);
  return {
    id: idOf(raw, 'qid', at),
    images: [imageIn(['imgs'], raw.img_name, 'img_name', at)],
    question: requiredText(raw, 'question', at).trim(),
    ...textAnswer(raw.answer, 'answer', at),
    dataset: 'SLAKE',
    ...present({
      modality: modality === undefined ? undefined : modalityName(modality),
      question_type: optionalText(raw, 'content_type', at),
    }),
    ...extraOf(raw, SLAKE_KEYS),
  };
}

const CHOICES = ['A', 'B', 'C', 'D'].map((letter) => `Choice ${letter}`);
const PMC_KEYS = new Set(['index', 'Figure_path', 'Question', 'Answer', 'Answer_label', ...CHOICES]);

/**
 * PMC-VQA's tables, the first (the answer as text, its letter beside it) and the second (the letter alone); an option begins
 * with its letter, as in ` A:Liver `. Pictures are in `images/` or `figures/`.
 */
export function pmcVqaOf(raw: Raw, at: RecordContext): Question {
  const texts = CHOICES.flatMap((column) => {
    const text = optionalText(raw, column, at)?.trim();
    return text ? [text.replace(new RegExp(`^${column.at(-1)}\\s*[:.)]\\s*`), '')] : [];
  });
  const options = optionsOf(texts, 'Choice', at);
  const field = raw.Answer_label === undefined ? 'Answer' : 'Answer_label';
  return {
    id: idOf(raw, 'index', at),
    images: [imageIn(['figures', 'images', 'images_2'], raw.Figure_path, 'Figure_path', at)],
    question: requiredText(raw, 'Question', at).trim(),
    options,
    answer: answerLetter(
      requiredText(raw, field, at).replace(/^\s*([A-D])\s*[:.)].*$/s, '$1'),
      options,
      field,
      at,
    ),
    dataset: 'PMC-VQA',
    ...extraOf(raw, PMC_KEYS),
  };
}

function textAnswer(value: unknown, field: string, at: RecordContext): Expected {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  if (typeof text !== 'string' || text.trim() === '') fail(at, field, `must be text, not ${describe(value)}`);
  return expectedOpen({ kind: 'text', accepted: [text.trim()] });
}

function openness({ answer }: Expected): string {
  return /^(?:yes|no)\.?$/i.test(answer) ? CLOSED : OPEN;
}
