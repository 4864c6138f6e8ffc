/** `osler compare` and `osler matrix` on finished evaluations. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Comparison } from '../eval/compare.js';
import { writeEvaluation } from '../eval/files.js';
import type { Matrix } from '../eval/matrix.js';
import { scoreCompletion } from '../eval/score.js';
import { summarize } from '../eval/summarize.js';
import { UsageError } from './common.js';
import { compare } from './compare.js';
import { matrix } from './matrix.js';
import { runCommand } from './test-run.js';

const MODALITIES = ['CT', 'MRI'];
let dir = '';
const at = (...names: string[]) => path.join(dir, ...names);

/** An evaluation of 10 questions of each modality, of which so many (the first ones) are answered right. */
async function evaluation(folder: string, right: Readonly<Record<string, number>>, ids = 'q'): Promise<void> {
  const predictions = MODALITIES.flatMap((modality) =>
    Array.from({ length: 10 }, (_, i) =>
      scoreCompletion(
        {
          id: `${ids}-${modality}-${i}`,
          images: ['a.png'],
          question: 'Q?',
          options: { A: 'one', B: 'two' },
          answer: 'A',
          modality,
          question_type: 'Disease Diagnosis',
        },
        {
          prompt: 'p',
          sample: 0,
          completion: `<think>x</think><answer>${i < (right[modality] as number) ? 'A' : 'B'}</answer>`,
          tokenCount: 9,
          finishReason: 'stop',
        },
        'tagged',
      ),
    ),
  );
  const tables = summarize(predictions, {
    style: 'think',
    template: '{Question}',
    paper_reading: 'tagged',
    temperature: 0,
    top_p: 1,
    top_k: 0,
    samples: 1,
    max_new_tokens: 16,
    seed: 0,
  });
  const time = { seconds: 1, tokens: 180, tokens_per_second: 180 };
  await writeEvaluation(folder, { predictions, tables, time }, { model: 'm', data: 'd', skipped: 0 });
}

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'osler-evaluations-'));
  await evaluation(at('base'), { CT: 2, MRI: 3 });
  await evaluation(at('ct'), { CT: 9, MRI: 5 });
  await evaluation(at('mri', 'eval', 'end'), { CT: 4, MRI: 8 });
  writeFileSync(at('mri', 'config.yaml'), 'modalities: [MRI]\n');
  await evaluation(at('stranger'), { CT: 1, MRI: 1 }, 'other');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('osler compare', () => {
  it('shows differences by cell with a paired test', async () => {
    const { out } = await runCommand(compare, 'compare', at('base'), at('ct'));
    const rows = out.split('\n').map((line) => line.split(/ {2,}/));
    // 9 questions that only B answered right: twice the chance of 9 heads in 9 throws.
    expect(rows).toContainEqual(['all', '20', '25.0%', '70.0%', '+45.0', '0', '9', '0.0039']);
    expect(rows).toContainEqual(['CT', '10', '20.0%', '90.0%', '+70.0', '0', '7', '0.0156']);
    expect(rows).toContainEqual([
      'MRI, Disease Diagnosis',
      '10',
      '30.0%',
      '50.0%',
      '+20.0',
      '0',
      '2',
      '0.5000',
    ]);
    const { out: json } = await runCommand(compare, 'compare', at('ct'), at('base'), '--json');
    expect(JSON.parse(json) as Comparison).toMatchObject({ n: 20, only_a: 9, only_b: 0, missing_in_a: 0 });
  });

  it('refuses evaluations of other questions, and what is none', async () => {
    await expect(runCommand(compare, 'compare', at('base'), at('stranger'))).rejects.toThrow(
      /have no question in common/,
    );
    await expect(runCommand(compare, 'compare', at('base'), at('mri'))).rejects.toThrow(
      /predictions\.jsonl does not exist/,
    );
  });
});

describe('osler matrix', () => {
  it('collects runs and evaluations, and writes all four files', async () => {
    const named = [`CT=${at('ct')}`, at('mri')];
    const words = ['matrix', ...named, '--base', at('base'), '--out', at('out')];
    const { out } = await runCommand(matrix, ...words);
    const rows = out.split('\n').map((line) => line.split(/ {2,}/));
    expect(rows).toContainEqual(['trained on', 'CT', 'MRI', 'others']);
    expect(rows).toContainEqual(['CT', '90.0', '50.0', '50.0']);
    expect(rows).toContainEqual(['MRI', '40.0', '80.0', '40.0']);
    expect(rows).toContainEqual(['untrained', '20.0', '30.0']);
    expect(out).toContain('mean in domain 85.0, across domains 45.0');
    const written = JSON.parse(readFileSync(at('out', 'matrix.json'), 'utf8')) as Matrix;
    expect(written.values).toEqual([
      [0.9, 0.5],
      [0.4, 0.8],
    ]);
    expect(readFileSync(at('out', 'matrix.md'), 'utf8')).toContain('90.0');
    const svg = readFileSync(at('out', 'matrix.svg'), 'utf8');
    expect(readFileSync(at('out', 'matrix.html'), 'utf8')).toContain(
      svg.slice(svg.indexOf('<rect'), svg.indexOf('</svg>')),
    );
  });

  it('says so where no model was tested on what it was trained on', async () => {
    const { out } = await runCommand(matrix, 'matrix', `PET=${at('ct')}`, '--out', at('pet'));
    expect(out).toContain('mean in domain n/a, across domains 70.0');
  });

  it('says why runs cannot be collected', async () => {
    mkdirSync(at('both'));
    writeFileSync(at('both', 'config.yaml'), 'modalities: [CT, MRI]\n');
    const refused = (...words: string[]) =>
      runCommand(matrix, 'matrix', ...words, '--out', at('none')).catch((error: unknown) => error);
    for (const [words, message] of [
      [[], /name runs to collect, or a --recipe/],
      [[at('both')], /has not one entry under modalities; name what it was trained on/],
      [[`MRI=${at('ct')}`, at('mri')], /two of the runs were trained on MRI/],
      [[at('mri'), '--base', at('absent')], /--base .*absent is not a folder/],
      [[at('mri'), '--recipe', 'r.yaml'], /give either runs to collect or --recipe/],
      [['--recipe', 'r.yaml'], /--recipe needs --test/],
    ] as const) {
      const error = await refused(...words);
      expect(error).toBeInstanceOf(UsageError);
      expect((error as Error).message).toMatch(message);
    }
  });
});
