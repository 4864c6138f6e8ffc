/** Reports to be written from the pictures of a study: MIMIC-CXR and IU X-Ray as R2Gen has them, and tables with sections. */
import { describe } from '../../formats/quote.js';
import { expectedOpen } from '../answers/record.js';
import type { ImageSource, Question } from '../question.js';
import {
  extraOf,
  fail,
  idOf,
  imageIn,
  imagesOfRecord,
  optionalText,
  present,
  type Raw,
  type RecordContext,
  requiredText,
} from './fields.js';

const KEYS = new Set(
  'id image images image_path question report findings impression modality question_type dataset'.split(' '),
);

/**
 * `{id, image_path: [...], report}`, or `findings` and `impression` beside `image` or `images`. `indication` and `history`
 * become part of the question, and stay columns of the record.
 */
export function reportOf(raw: Raw, at: RecordContext): Question {
  const reference = referenceOf(raw, at);
  const told = ['indication', 'history'].flatMap((field) => {
    const text = optionalText(raw, field, at)?.trim();
    return text ? [`${field === 'history' ? 'History' : 'Indication'}: ${text}`] : [];
  });
  const asked = optionalText(raw, 'question', at) ?? ['Write the report of this study.', ...told].join(' ');
  return {
    id: idOf(raw, 'id', at),
    images: imagesOf(raw, at),
    question: asked,
    ...expectedOpen({ kind: 'report', reference }),
    question_type: optionalText(raw, 'question_type', at) ?? 'Report',
    ...present({
      modality: optionalText(raw, 'modality', at),
      dataset: optionalText(raw, 'dataset', at),
    }),
    ...extraOf(raw, KEYS),
  };
}

function referenceOf(raw: Raw, at: RecordContext): string {
  if (raw.report !== undefined && raw.report !== null) return requiredText(raw, 'report', at).trim();
  const [findings, impression] = ['findings', 'impression'].map((field) =>
    optionalText(raw, field, at)?.trim(),
  );
  const parts = [findings && `Findings: ${findings}`, impression && `Impression: ${impression}`].filter(
    Boolean,
  );
  if (parts.length === 0) fail(at, 'findings', 'is missing or empty, and so are impression and report');
  return parts.join('\n');
}

function imagesOf(raw: Raw, at: RecordContext): ImageSource[] {
  const paths = raw.image_path;
  if (paths === undefined || paths === null) return imagesOfRecord(raw, at);
  const list: readonly unknown[] = Array.isArray(paths) ? paths : [paths];
  if (list.length === 0) fail(at, 'image_path', `must name a picture, not ${describe(paths)}`);
  return list.map((path, i) =>
    imageIn(['images'], path, Array.isArray(paths) ? `image_path.${i}` : 'image_path', at),
  );
}
