/** One function per published record format: from an unchecked record to a question or conversation. */
import { quote } from '../../formats/quote.js';
import { expectedOf } from '../answers/record.js';
import type { Conversation } from '../conversation.js';
import { fromFileName, modalityName } from '../modalities.js';
import { letters, parseProblem, problemText, QUESTION_FIELDS, type Question } from '../question.js';
import { medXpertOf, mmmuOf, vlmEvalOf } from './benchmarks.js';
import { conversationOf, shareGptOf } from './conversations.js';
import {
  answerByText,
  extraOf,
  fail,
  idOf,
  imageOf,
  imagesOfRecord,
  optionalText,
  optionsOf,
  present,
  type Raw,
  type RecordContext,
  requiredText,
} from './fields.js';
import { plainVqaOf, pmcVqaOf, slakeOf, vqaRadOf } from './open-questions.js';
import { reportOf } from './reports.js';

/** Formats of records. */
export const SCHEMAS = [
  'osler',
  'omnimedvqa',
  'med-r1',
  'messages',
  'conversations',
  'medxpertqa',
  'mmmu',
  'vlmevalkit',
  'vqa-rad',
  'slake',
  'pmc-vqa',
  'vqa',
  'report',
] as const;

/** The format of a record. */
export type Schema = (typeof SCHEMAS)[number];

/** A question or a conversation. */
export type Sample = Question | Conversation;

/**
 * The format that a record's fields show; what shows nothing is taken for our own, whose errors say what is missing. A
 * table has null in the columns of other rows' fields: they show nothing.
 */
export function schemaOf(raw: Raw): Schema {
  const has = (field: string) => raw[field] !== undefined && raw[field] !== null;
  if (has('messages')) return 'messages';
  if (has('conversations')) return 'conversations';
  if (has('problem') && has('solution')) return 'med-r1';
  if (has('gt_answer') || has('option_A')) return 'omnimedvqa';
  if (has('label') && (has('medical_task') || has('body_system'))) return 'medxpertqa';
  if (has('image_1') || (typeof raw.options === 'string' && has('answer'))) return 'mmmu';
  if (has('index') && has('A') && has('answer')) return 'vlmevalkit';
  if (has('image_name') && has('qid')) return 'vqa-rad';
  if (has('img_name') && has('q_lang')) return 'slake';
  if (has('Figure_path') && has('Question')) return 'pmc-vqa';
  if (['report', 'findings', 'impression'].some(has) && !['options', 'answer'].some(has)) return 'report';
  const embedded = raw.image instanceof Uint8Array || Object(raw.image).bytes instanceof Uint8Array;
  if (embedded && has('question') && typeof raw.answer === 'string' && !OWN_ANSWER.some(has)) return 'vqa';
  return 'osler';
}

/** Fields that only our own records have. */
const OWN_ANSWER = ['options', 'answers', 'answer_kind', 'bbox', 'tolerance'];

/** Checks and converts a record. */
export function readRecord(schema: Schema, raw: Raw, at: RecordContext): Sample {
  const sample = READERS[schema](raw, at);
  return { ...at.defaults, ...sample, source: { file: at.file, line: at.line, root: at.root } };
}

const READERS: Readonly<Record<Schema, (raw: Raw, at: RecordContext) => Sample>> = {
  osler,
  omnimedvqa,
  'med-r1': medR1,
  messages: conversationOf,
  conversations: shareGptOf,
  medxpertqa: medXpertOf,
  mmmu: mmmuOf,
  vlmevalkit: vlmEvalOf,
  'vqa-rad': vqaRadOf,
  slake: slakeOf,
  'pmc-vqa': pmcVqaOf,
  vqa: plainVqaOf,
  report: reportOf,
};

/** Our own JSONL: the fields of a {@link Question}, with names as in files. */
function osler(raw: Raw, at: RecordContext): Question {
  const expected = expectedOf(raw, at);
  const problem = optionalText(raw, 'problem', at);
  return {
    id: idOf(raw, 'id', at),
    images: imagesOfRecord(raw, at),
    question: requiredText(raw, 'question', at),
    ...expected,
    ...present({
      modality: optionalText(raw, 'modality', at),
      question_type: optionalText(raw, 'question_type', at),
      dataset: optionalText(raw, 'dataset', at),
      reasoning: optionalText(raw, 'reasoning', at),
      problem,
    }),
    ...extraOf(raw, QUESTION_FIELDS),
  };
}

const OMNI_KEYS = new Set([
  ...'question_id image_path question gt_answer question_type modality_type modality dataset reasoning'.split(
    ' ',
  ),
  ...Array.from({ length: 26 }, (_, i) => `option_${String.fromCharCode(65 + i)}`),
]);

/**
 * OmniMedVQA: options in fields of their own, the answer as the option's text. One record (in `Chest CT Scan.json`) spells
 * `modality_type` as `modality`; Med-R1's one-item split "unknown" comes of missing that.
 */
function omnimedvqa(raw: Raw, at: RecordContext): Question {
  const found = Object.entries(raw).flatMap(([key, value]): [string, unknown][] =>
    key.startsWith('option_') && OMNI_KEYS.has(key) ? [[key.slice(-1), value]] : [],
  );
  const options = optionsOf(Object.fromEntries(found), 'option', at);
  const modality = optionalText(raw, 'modality_type', at) ?? optionalText(raw, 'modality', at);
  return {
    id: idOf(raw, 'question_id', at),
    images: [imageOf(requiredText(raw, 'image_path', at), 'image_path', at)],
    question: requiredText(raw, 'question', at).trim(),
    options,
    answer: answerByText(requiredText(raw, 'gt_answer', at), options, 'gt_answer', at),
    ...present({
      modality: modality === undefined ? undefined : modalityName(modality),
      question_type: optionalText(raw, 'question_type', at),
      dataset: optionalText(raw, 'dataset', at),
      reasoning: optionalText(raw, 'reasoning', at),
    }),
    ...extraOf(raw, OMNI_KEYS),
  };
}

const MED_R1_KEYS = new Set(
  'id image images problem solution thinking modality question_type dataset'.split(' '),
);

/** Med-R1: question and options in one line, the letter in answer tags; the file's name tells modality or question type. */
function medR1(raw: Raw, at: RecordContext): Question {
  const problem = requiredText(raw, 'problem', at);
  const parsed = parseProblem(problem);
  if (parsed === undefined) fail(at, 'problem', `has no options like "A)one, B)two": ${quote(problem)}`);
  const solution = requiredText(raw, 'solution', at);
  const tagged = /<answer>(.*?)<\/answer>/s.exec(solution)?.[1] ?? solution;
  const images = imagesOfRecord(raw, at);
  const path = typeof images[0] === 'string' ? images[0] : '';
  const fromName = fromFileName(at.file);
  const exact = problemText(parsed) === problem;
  return {
    id: idOf(raw, 'id', at),
    images,
    question: parsed.question,
    options: parsed.options,
    answer: solutionLetter(tagged.trim(), parsed.options, at),
    ...present({
      modality: optionalText(raw, 'modality', at) ?? fromName.modality,
      question_type: optionalText(raw, 'question_type', at) ?? fromName.question_type,
      dataset: optionalText(raw, 'dataset', at) ?? /^Images\/([^/]+)\//.exec(path)?.[1],
      reasoning: optionalText(raw, 'thinking', at),
      problem: exact ? undefined : problem,
    }),
    ...extraOf(raw, MED_R1_KEYS),
  };
}

function solutionLetter(
  answer: string,
  options: Readonly<Record<string, string>>,
  at: RecordContext,
): string {
  if (Object.hasOwn(options, answer)) return answer;
  return fail(
    at,
    'solution',
    `names ${quote(answer)}, which is none of the options ${letters({ options }).join(', ')}`,
  );
}
