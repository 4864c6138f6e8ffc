/** The phantom dataset as files. */

import type { Question } from '../data/question.js';
import { questionLine } from '../data/write.js';
import { atomicWrite, join, makeFolder, writeTextFiles } from '../platform/files.js';
import { type PhantomOptions, phantom } from './phantom.js';
import { encodePng } from './picture.js';

/** What {@link writePhantom} reports as it goes. */
export interface PhantomProgress {
  readonly done: number;
  readonly n: number;
}

/**
 * Draws a phantom dataset into a folder: `Images/`, `questions.jsonl` (with reasoning), `facts.jsonl`, the same questions
 * in OmniMedVQA's layout (`QA_information/Open-access/*.json`), and a README that says what it is.
 */
export async function writePhantom(
  dir: string,
  options: PhantomOptions,
  onProgress: (progress: PhantomProgress) => void = () => {},
): Promise<Question[]> {
  const questions: Question[] = [];
  const facts: string[] = [];
  const folders = new Set<string>();
  for (const item of phantom(options)) {
    const [image] = item.question.images as [string];
    const folder = image.slice(0, image.lastIndexOf('/'));
    if (!folders.has(folder)) await makeFolder(join(dir, folder));
    folders.add(folder);
    await atomicWrite(join(dir, image), encodePng(item.draw()));
    questions.push(item.question);
    facts.push(JSON.stringify(item.facts));
    onProgress({ done: questions.length, n: options.n });
  }
  // That layout has a place for options only.
  const choices = questions.filter(({ open }) => open === undefined);
  if (choices.length > 0) {
    await writeTextFiles(join(dir, 'QA_information', 'Open-access'), omniFiles(choices));
  }
  await writeTextFiles(dir, {
    'README.md': README,
    'facts.jsonl': `${facts.join('\n')}\n`,
    'questions.jsonl': `${questions.map(questionLine).join('\n')}\n`,
  });
  return questions;
}

/** OmniMedVQA's files: one list of records per dataset, the answer as the option's text. */
function omniFiles(questions: readonly Question[]): Record<string, string> {
  const files = new Map<string, string[]>();
  for (const {
    id,
    images,
    question,
    options,
    answer,
    modality,
    question_type,
    dataset,
    reasoning,
  } of questions) {
    const record = {
      dataset,
      question_id: id,
      question_type,
      question,
      gt_answer: options[answer],
      image_path: images[0],
      ...Object.fromEntries(Object.entries(options).map(([letter, text]) => [`option_${letter}`, text])),
      modality_type: modality,
      reasoning,
    };
    const name = `${dataset}.json`;
    files.set(name, [...(files.get(name) ?? []), JSON.stringify(record)]);
  }
  return Object.fromEntries([...files].map(([name, records]) => [name, `[\n${records.join(',\n')}\n]\n`]));
}

const README = `# Phantom pictures

These pictures are drawn by a computer program. No patient, scanner or microscope was involved, and nothing here is clinical
data: use them to test software and to learn how training behaves, never to judge a model's medical ability.

- \`questions.jsonl\`: the questions with options, answer and reference reasoning
- \`QA_information/Open-access/\`: the same questions in OmniMedVQA's layout, where they have options
- \`facts.jsonl\`: what is true of each picture (finding, lesions with place and size, attributes)
- \`Images/\`: the pictures
`;
