/** Records of medical benchmarks as they are published: MedXpertQA, MMMU and MMMU-Pro, VLMEvalKit's tables. */
import { describe, quote } from '../../formats/quote.js';
import { type Expected, expectedOpen } from '../answers/record.js';
import { modalityName } from '../modalities.js';
import { type ImageSource, letterAt, type Question } from '../question.js';
import {
  answerLetter,
  extraOf,
  fail,
  idOf,
  imageOf,
  optionalText,
  optionsOf,
  present,
  type Raw,
  type RecordContext,
  requiredText,
} from './fields.js';
import { pythonList } from './python-list.js';

/** Subjects of MMMU and MMMU-Pro that belong to medicine, as their `dataset` is called here. */
export const MMMU_MEDICAL = [
  'Basic Medical Science',
  'Clinical Medicine',
  'Diagnostics and Laboratory Medicine',
  'Pharmacy',
  'Public Health',
] as const;

const MEDXPERT_KEYS = new Set('id question options label images body_system question_type'.split(' '));

/**
 * MedXpertQA: options as a map or as `{letter, content}`, repeated in the question's text; pictures by name, in `images/`.
 * Its question types (reasoning, understanding) are kept as they are.
 */
export function medXpertOf(raw: Raw, at: RecordContext): Question {
  const options = optionsOf(letteredOptions(raw.options, at), 'options', at);
  const label = Array.isArray(raw.label) && raw.label.length === 1 ? raw.label[0] : raw.label;
  if (typeof label !== 'string') fail(at, 'label', `must be a letter, not ${describe(raw.label)}`);
  const names = raw.images ?? [];
  if (!Array.isArray(names)) fail(at, 'images', `must be a list, not ${describe(names)}`);
  const images = names.map((value: unknown, i) => {
    const bare = typeof value === 'string' && !/[/\\]/.test(value);
    return imageOf(bare ? `images/${value}` : value, `images.${i}`, at);
  });
  return {
    id: idOf(raw, 'id', at),
    images,
    question: withoutChoices(requiredText(raw, 'question', at), at),
    options,
    answer: answerLetter(label, options, 'label', at),
    dataset: optionalText(raw, 'body_system', at) ?? 'MedXpertQA',
    ...present({ question_type: optionalText(raw, 'question_type', at) }),
    ...extraOf(raw, MEDXPERT_KEYS),
  };
}

/** The question's text ends with the options once more. */
function withoutChoices(text: string, at: RecordContext): string {
  const question = text.replace(/\s*Answer Choices:\s*\(A\)[\s\S]*$/, '').trim();
  if (question === '') fail(at, 'question', 'has nothing but answer choices');
  return question;
}

function letteredOptions(value: unknown, at: RecordContext): unknown {
  if (!Array.isArray(value)) return value;
  return Object.fromEntries(
    value.map((item: unknown, i) => {
      const { letter, content } = (item ?? {}) as { letter?: unknown; content?: unknown };
      if (typeof letter !== 'string')
        fail(at, `options.${i}.letter`, `must be text, not ${describe(letter)}`);
      return [letter, content];
    }),
  );
}

const MMMU_KEYS = new Set([
  ...'id question options answer subject question_type image'.split(' '),
  ...Array.from({ length: 7 }, (_, i) => `image_${i + 1}`),
]);

/**
 * MMMU and MMMU-Pro: options as the text of a Python list, up to seven pictures. The subject becomes the dataset. In
 * MMMU-Pro's `vision` part the picture has the question in it.
 */
export function mmmuOf(raw: Raw, at: RecordContext): Question {
  const id = idOf(raw, 'id', at);
  const inPicture = raw.question === undefined || raw.question === null;
  return {
    id,
    images: mmmuImages(raw, at),
    question: inPicture ? 'Answer the question in the image.' : requiredText(raw, 'question', at).trim(),
    ...mmmuAnswer(raw, at),
    ...present({ dataset: mmmuSubject(optionalText(raw, 'subject', at), id) }),
    ...extraOf(raw, MMMU_KEYS),
  };
}

/** Some questions are open, with one answer or the text of a list of them. */
function mmmuAnswer(raw: Raw, at: RecordContext): Expected {
  const answer = requiredText(raw, 'answer', at);
  if (raw.question_type === 'open') {
    const several =
      pythonList(answer)
        ?.map((text) => text.trim())
        .filter((text) => text !== '') ?? [];
    return expectedOpen({ kind: 'text', accepted: several.length > 0 ? several : [answer.trim()] });
  }
  const texts = typeof raw.options === 'string' ? pythonList(raw.options) : raw.options;
  if (texts === undefined) fail(at, 'options', `is not a list of texts: ${quote(String(raw.options))}`);
  const options = optionsOf(texts, 'options', at);
  return { options, answer: answerLetter(answer, options, 'answer', at) };
}

function mmmuImages(raw: Raw, at: RecordContext): ImageSource[] {
  const fields = ['image', ...Array.from({ length: 7 }, (_, i) => `image_${i + 1}`)];
  const images = fields.flatMap((field) => {
    const value = raw[field] ?? undefined;
    return value === undefined ? [] : [imageOf(value, field, at)];
  });
  if (images.length === 0) fail(at, 'image_1', 'is missing; the question has no picture');
  return images;
}

/** `validation_Clinical_Medicine_12` is in Clinical Medicine; MMMU-Pro names the subject, with underscores. */
function mmmuSubject(subject: string | undefined, id: string): string | undefined {
  const name = subject ?? /^(?:dev|validation|test)_(.+)_\d+$/.exec(id)?.[1];
  return name?.replaceAll('_', ' ');
}

const LETTERS = Array.from({ length: 26 }, (_, i) => letterAt(i));
const TABLE_KEYS = new Set([
  ...'index question answer image image_path modality dataset'.split(' '),
  ...LETTERS,
]);
/** Columns that tell the kind of question, the most telling first. */
const KINDS = ['question_type', 'clinical vqa task', 'l2-category', 'category'];

/** VLMEvalKit's tables (GMAI-MMBench, OmniMedVQA, MedXpertQA): options in columns A, B, ..., pictures in base64. */
export function vlmEvalOf(raw: Raw, at: RecordContext): Question {
  const options = optionsOf(
    Object.fromEntries(LETTERS.flatMap((letter) => (letter in raw ? [[letter, raw[letter]]] : []))),
    'option',
    at,
  );
  const modality = optionalText(raw, 'modality', at);
  const kind = KINDS.find((column) => optionalText(raw, column, at) !== undefined);
  const known = kind === undefined ? TABLE_KEYS : new Set([...TABLE_KEYS, kind]);
  return {
    id: idOf(raw, 'index', at),
    images: tableImages(raw, at),
    question: requiredText(raw, 'question', at).trim(),
    options,
    answer: answerLetter(requiredText(raw, 'answer', at), options, 'answer', at),
    ...present({
      modality: modality === undefined ? undefined : modalityName(modality),
      question_type: kind === undefined ? undefined : optionalText(raw, kind, at),
      dataset: optionalText(raw, 'dataset', at),
    }),
    ...extraOf(raw, known),
  };
}

function tableImages(raw: Raw, at: RecordContext): ImageSource[] {
  const [field, value] = raw.image === undefined ? ['image_path', raw.image_path] : ['image', raw.image];
  if (typeof value !== 'string') fail(at, 'image', 'is missing');
  const cells = pythonList(value) ?? [value];
  if (cells.length === 0) fail(at, field as string, 'is an empty list');
  return cells.map((cell, i) => {
    const name = cells.length > 1 ? `${field}.${i}` : (field as string);
    return field === 'image_path' ? imageOf(cell, name, at) : imageOf(fromBase64(cell, name, at), name, at);
  });
}

function fromBase64(text: string, field: string, at: RecordContext): Uint8Array {
  try {
    const binary = atob(text.replace(/^data:[^,]{0,100};base64,/, ''));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch {
    return fail(at, field, `is not a picture in base64: ${quote(text.slice(0, 40))}`);
  }
}
