import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type EmbeddedImage,
  imageFile,
  loadDataset,
  type Question,
  questionRecord,
  questionsOf,
  questionsToParquet,
  readDataset,
} from './index.js';
import { readRecord, schemaOf } from './readers/schemas.js';

const read = (name: string, text: string, options = {}) =>
  readDataset(new TextEncoder().encode(text), name, options);
const lines = (...records: unknown[]) => records.map((record) => JSON.stringify(record)).join('\n');

async function one(name: string, text: string): Promise<Question> {
  const { samples, problems } = await read(name, text);
  expect(problems.map(({ message }) => message)).toEqual([]);
  const { questions } = questionsOf(samples);
  expect(questions).toHaveLength(1);
  return questions[0] as Question;
}

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==';

describe('published formats', () => {
  it('OmniMedVQA: answer as text, options in fields, unknown fields kept', async () => {
    const record = {
      dataset: 'ISIC2018',
      question_id: 'ISIC2018_0001',
      question_type: 'Disease Diagnosis',
      question: 'What is the disease? ',
      gt_answer: 'Melanoma',
      image_path: 'Images/ISIC2018/1.jpg',
      option_A: 'Nevus',
      option_B: 'Melanoma',
      option_C: null,
      modality_type: 'Dermoscopy',
      split: 'x',
    };
    expect(await one('ISIC2018.json', JSON.stringify([record]))).toMatchObject({
      id: 'ISIC2018_0001',
      images: ['Images/ISIC2018/1.jpg'],
      question: 'What is the disease?',
      options: { A: 'Nevus', B: 'Melanoma' },
      answer: 'B',
      modality: 'Dermoscopy',
      question_type: 'Disease Diagnosis',
      extra: { split: 'x' },
    });
  });

  it('OmniMedVQA: the record of Chest CT Scan that spells modality_type as modality', async () => {
    const record = {
      image_path: 'Images/a.png',
      question: 'Q?',
      gt_answer: 'b',
      option_A: 'a',
      option_B: 'b',
    };
    const odd = { ...record, modality: 'CT(Computed Tomography)' };
    expect((await one('Chest CT Scan.json', JSON.stringify([odd]))).modality).toBe('CT');
  });

  it('Med-R1: problem and solution, modality from the file name', async () => {
    const problem = 'Where is "A) this"? A)left, B)right, upper, C)none';
    const record = { image: 'Images/Chest CT Scan/1.png', problem, solution: '<answer> B </answer>' };
    const question = await one('CT(Computed Tomography)_train.json', JSON.stringify([record]));
    expect(question).toMatchObject({
      question: 'Where is "A) this"?',
      options: { A: 'left', B: 'right, upper', C: 'none' },
      answer: 'B',
      modality: 'CT',
      dataset: 'Chest CT Scan',
    });
    const typed = await one('Lesion Grading_test.json', JSON.stringify([record]));
    expect(typed.question_type).toBe('Lesion Grading');
  });

  it('GMAI-Reasoning10K: conversations, options on lines, modality from the folder', async () => {
    const value = '<image>\nWhat is shown?\nOptions:\nA. Retina\nB. Skin\nC. Bone\nD. Lung';
    const record = {
      image: 'gmai-reasoning10k/2d/cls/fundus_photography/set/1.png',
      conversations: [
        { from: 'human', value },
        { from: 'gpt', value: 'A' },
      ],
    };
    expect(await one('train.jsonl', lines(record))).toMatchObject({
      question: 'What is shown?',
      options: { A: 'Retina', B: 'Skin', C: 'Bone', D: 'Lung' },
      answer: 'A',
      modality: 'Fundus',
      dataset: 'GMAI-Reasoning10K',
    });
  });

  it.each([
    ['a map', { A: 'Cyst', B: 'Tumour', C: 'None' }, 'B'],
    [
      'letters and contents',
      ['Cyst', 'Tumour', 'None'].map((content, i) => ({ letter: 'ABC'[i], content })),
      ['B'],
    ],
  ])('MedXpertQA-MM: options as %s', async (_, options, label) => {
    const record = {
      id: 'MM-26',
      question: 'A boy has a lump. What is it?\nAnswer Choices: (A) Cyst (B) Tumour (C) None',
      options,
      label,
      images: ['MM-26-a.jpeg', 'MM-26-b.jpeg'],
      medical_task: 'Diagnosis',
      body_system: 'Skeletal',
      question_type: 'Reasoning',
    };
    expect(await one('test.jsonl', lines(record))).toMatchObject({
      id: 'MM-26',
      images: ['images/MM-26-a.jpeg', 'images/MM-26-b.jpeg'],
      question: 'A boy has a lump. What is it?',
      options: { A: 'Cyst', B: 'Tumour', C: 'None' },
      answer: 'B',
      question_type: 'Reasoning',
      extra: { medical_task: 'Diagnosis' },
    });
  });

  it('MMMU: options as a Python list, subject from the id; open questions have texts', async () => {
    const record = {
      id: 'validation_Clinical_Medicine_3',
      question: '<image 1> What is it?',
      options: `['it\\'s "a"', "b, c", '\\u00e9']`,
      answer: 'C',
      question_type: 'multiple-choice',
      image_1: 'a.png',
      image_2: 'b.png',
      image_3: null,
      subfield: 'Radiology',
    };
    const open = {
      ...record,
      id: 'validation_Pharmacy_1',
      question_type: 'open',
      options: '[]',
      answer: "['2', 'two']",
    };
    const { samples } = await read('mmmu.jsonl', lines(record, open));
    expect(samples[0]).toMatchObject({
      images: ['a.png', 'b.png'],
      options: { A: 'it\'s "a"', B: 'b, c', C: 'é' },
      answer: 'C',
      dataset: 'Clinical Medicine',
      extra: { subfield: 'Radiology' },
    });
    expect(samples[1]).toMatchObject({
      options: {},
      answer: '2',
      open: { kind: 'text', accepted: ['2', 'two'] },
    });
  });

  it('MMMU-Pro: ten options, subject; its vision part has the question in the picture', async () => {
    const options = `[${Array.from({ length: 10 }, (_, i) => `'${i}'`).join(', ')}]`;
    const record = { id: 'p1', image: 'q.png', options, answer: 'J', subject: 'Public_Health' };
    const question = await one('pro.jsonl', lines(record));
    expect(question).toMatchObject({ answer: 'J', dataset: 'Public Health', images: ['q.png'] });
    expect(question.question).toContain('in the image');
  });

  it('GMAI-MMBench: a table with pictures in base64, and references to pictures', async () => {
    const table = [
      'index\timage\tquestion\tA\tB\tC\tanswer\tcategory\tmodality\tdepartment',
      `7\t${PNG}\t"What ""is""\tit?\nSay."\tCyst\tTumour\t\tB\tDisease Diagnosis\tFundus Photography\teye`,
      '8\t7\tAnd this?\tyes\tno\t\tA\tCounting\tCT\tlung',
      '9\t70\tAnd this?\tyes\tno\t\tA\tCounting\tCT\tlung',
      '10\t7\tshort row',
      '',
    ].join('\r\n');
    const { samples, problems } = await read('GMAI-MMBench_VAL.tsv', table);
    expect(samples[0]).toMatchObject({
      id: '7',
      question: 'What "is"\tit?\nSay.',
      options: { A: 'Cyst', B: 'Tumour' },
      answer: 'B',
      modality: 'Fundus',
      question_type: 'Disease Diagnosis',
      extra: { department: 'eye' },
    });
    expect(samples[1]?.images[0]).toMatchObject({
      bytes: (samples[0] as Question).images.map((image) => (image as EmbeddedImage).bytes)[0],
    });
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/tsv:5:image refers to row "70"/),
      expect.stringMatching(/tsv:6 has 3 columns, but the heading has 10/),
    ]);
  });

  it('messages: placeholders, parts, and pictures in front', async () => {
    const text = 'Which? A)x, B)y';
    const turns = (content: unknown) => [
      { role: 'user', content },
      { role: 'assistant', content: '<think>so</think><answer>B</answer>' },
    ];
    const records = [
      { messages: turns(`<image>\n${text}`), images: ['1.png'] },
      { messages: turns([{ type: 'image' }, { type: 'text', text }]), images: ['1.png'] },
      {
        messages: turns([
          { type: 'image', image: '1.png' },
          { type: 'text', text },
        ]),
      },
      { messages: turns(text), images: ['1.png'] },
    ];
    const { samples, problems } = await read('m.jsonl', lines(...records));
    expect(problems).toEqual([]);
    const { questions } = questionsOf(samples);
    expect(questions).toHaveLength(4);
    for (const question of questions) {
      expect(question).toMatchObject({
        images: ['1.png'],
        options: { A: 'x', B: 'y' },
        answer: 'B',
        reasoning: 'so',
      });
    }
  });

  it('Parquet: what we write is what we read, pictures in bytes included', async () => {
    const bytes = Uint8Array.from(atob(PNG), (char) => char.charCodeAt(0));
    const record = {
      id: 'a',
      image: 'x.png',
      question: 'Q?',
      options: { A: 'é', B: 'y' },
      answer: 'B',
      reasoning: 'R',
    };
    const { samples } = await read('q.jsonl', lines(record));
    const back = await readDataset(
      new Uint8Array(await questionsToParquet(samples as Question[])),
      'q.parquet',
    );
    expect(back.problems).toEqual([]);
    expect(back.samples[0]).toMatchObject({
      id: 'a',
      images: ['x.png'],
      options: { A: 'é', B: 'y' },
      answer: 'B',
    });
    const { parquetWriteBuffer } = await import('hyparquet-writer');
    const embedded = parquetWriteBuffer({
      columnData: [
        { name: 'image', data: [bytes], type: 'BYTE_ARRAY' },
        { name: 'problem', data: ['Q? A)x, B)y'], type: 'STRING' },
        { name: 'solution', data: ['<answer> A </answer>'], type: 'STRING' },
      ],
    });
    const { samples: withBytes } = await readDataset(new Uint8Array(embedded), 'e.parquet');
    expect(withBytes[0]?.images[0]).toEqual({ bytes, name: 'e.parquet:1:image' });
  });
});

describe('fields that Osler has no use for', () => {
  const base = { image: 'x.png', question: 'Q?', options: { A: 'x', B: 'y' }, answer: 'A' };
  const written = (samples: readonly unknown[]) => (samples as Question[]).map(questionRecord);
  async function throughParquet(records: readonly Record<string, unknown>[]) {
    const { samples, problems } = await read('q.jsonl', lines(...records));
    expect(problems).toEqual([]);
    const bytes = new Uint8Array(await questionsToParquet(samples as Question[]));
    return readDataset(bytes, 'q.parquet', { strict: true });
  }

  it('come back from Parquet as they were, whatever they hold', async () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }).filter((json) => json !== null),
      fc.constantFrom('3', '', 'null', 0, 2 ** 40, 0.1, false, [], {}, { a: null, b: [1, 'x', { c: [] }] }),
    );
    const name = fc
      .oneof(
        fc.string({ maxLength: 8 }),
        fc.constantFrom('difficulty', 'a.b', 'extra', 'list', 'constructor', 'é ✓'),
      )
      .filter((key) => key !== '__proto__');
    const extras = fc.array(fc.dictionary(name, value, { maxKeys: 4 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(extras, async (all) => {
        // As lines of JSON have them: no -0.
        const records = (JSON.parse(JSON.stringify(all)) as Record<string, unknown>[]).map((extra, i) => {
          return { ...extra, ...base, id: `q${i}` };
        });
        expect(written((await throughParquet(records)).samples)).toEqual(records);
      }),
      { numRuns: 60, seed: 5 },
    );
  });

  it('have columns of their own types', async () => {
    const extras = [{ note: 'a', level: 2, hard: true, mixed: 1 }, { level: 0.5, mixed: 'one' }, {}];
    const records = extras.map((extra, i) => ({ ...base, id: `q${i}`, ...extra }));
    const { samples } = await read('q.jsonl', lines(...records));
    const file = await questionsToParquet(samples as Question[]);
    const { parquetMetadataAsync, parquetSchema } = await import('hyparquet');
    const metadata = await parquetMetadataAsync({
      byteLength: file.byteLength,
      slice: (a, b) => file.slice(a, b),
    });
    const types = parquetSchema(metadata).children.map(({ element }) => {
      return [element.name, element.converted_type ?? element.type];
    });
    expect(Object.fromEntries(types)).toEqual({
      ...{ id: 'UTF8', images: 'JSON', question: 'UTF8', options: 'JSON', answer: 'UTF8' },
      ...{ note: 'UTF8', level: 'DOUBLE', hard: 'BOOLEAN', mixed: 'JSON' },
    });
  });

  it('of one row do not make others look like another format', async () => {
    const records = [
      { ...base, id: 'a', label: 'B', difficulty: 1 },
      { ...base, id: 'b', medical_task: 'Diagnosis' },
    ];
    expect(written((await throughParquet(records)).samples)).toEqual(records);
  });

  it('do not take the place of ours when their schema has other names', async () => {
    const record = {
      id: 'm',
      image: 'x.png',
      problem: 'Q? A)x, B)y',
      solution: '<answer>B</answer>',
      answer: 'A',
    };
    const { samples } = await read('m.json', JSON.stringify([record]));
    const own = written(samples);
    expect(own).toEqual([{ ...base, id: 'm', answer: 'B', original_answer: 'A' }]);
    expect(written((await throughParquet(own)).samples)).toEqual(own);
  });
});

describe('open questions as they are published', () => {
  it('VQA-RAD: answers that are numbers, pictures by name', async () => {
    const record = {
      qid: 7,
      image_name: 'synpic1.jpg',
      question: 'How many?',
      answer: 2,
      question_type: 'COUNT',
      answer_type: 'OPEN',
    };
    const beside = new Set(['VQA_RAD Image Folder']);
    const { samples } = await read('VQA_RAD Dataset Public.json', JSON.stringify([record]), { beside });
    expect(samples[0]).toMatchObject({
      id: '7',
      images: ['VQA_RAD Image Folder/synpic1.jpg'],
      answer: '2',
      open: { kind: 'text', accepted: ['2'] },
      question_type: 'COUNT',
      extra: { answer_type: 'OPEN' },
    });
  });

  it('SLAKE: the language stays a column', async () => {
    const record = {
      img_id: 1,
      img_name: 'xmlab1/source.jpg',
      question: 'What is it?',
      answer: 'Liver',
      q_lang: 'en',
      modality: 'CT',
      content_type: 'Organ',
      qid: 11,
    };
    const { samples } = await read('train.json', JSON.stringify([record]), { beside: new Set(['imgs']) });
    expect(samples[0]).toMatchObject({
      images: ['imgs/xmlab1/source.jpg'],
      modality: 'CT',
      question_type: 'Organ',
      extra: { q_lang: 'en', img_id: 1 },
    });
  });

  it('PMC-VQA: both tables', async () => {
    const first =
      'Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label\na.jpg,Q?,two, A:one, B:two, C:three, D:four,B\n';
    const second =
      'index,Figure_path,Caption,Question,Choice A,Choice B,Choice C,Choice D,Answer,split\n9,a.jpg,"c, d",Q?,one,two,three,four,B,test\n';
    for (const table of [first, second]) {
      expect(await one('test.csv', table)).toMatchObject({
        images: ['a.jpg'],
        options: { A: 'one', B: 'two', C: 'three', D: 'four' },
        answer: 'B',
        dataset: 'PMC-VQA',
      });
    }
  });

  it('PathVQA and others in Parquet: yes and no are closed', async () => {
    const at = { file: 'f', line: 1, root: '', beside: new Set<string>(), defaults: {} };
    const image = { bytes: new Uint8Array([1]), path: null };
    const types = ['yes', 'a spleen'].map((answer) => {
      const raw = { image, question: 'Q?', answer };
      return (readRecord(schemaOf(raw), raw, at) as Question).question_type;
    });
    expect(types).toEqual(['Closed', 'Open']);
  });

  it('reports: the parts of one object, and findings with an impression', async () => {
    const study = { id: 's1', study_id: 4, report: 'No acute disease. ', image_path: ['p/1.jpg', 'p/2.jpg'] };
    const text = JSON.stringify({ train: [study], val: [], test: [{ ...study, id: 's2' }] });
    const { samples, problems } = await read('annotation.json', text, { beside: new Set(['images']) });
    expect(problems).toEqual([]);
    expect(samples[1]).toMatchObject({
      id: 's2',
      images: ['images/p/1.jpg', 'images/p/2.jpg'],
      open: { kind: 'report', reference: 'No acute disease.' },
      extra: { split: 'test', study_id: 4 },
    });
    const sections = { image: 'a.png', findings: 'Clear.', impression: 'Normal.', indication: 'Cough.' };
    expect(await one('r.jsonl', lines(sections))).toMatchObject({
      question: 'Write the report of this study. Indication: Cough.',
      answer: 'Findings: Clear.\nImpression: Normal.',
    });
    const cut = await read('annotation.json', text.slice(0, -4));
    expect(cut.problems.map(({ message }) => message)).toEqual([
      'annotation.json:1 ends in the middle of the list; the file is cut off',
    ]);
  });

  it('our own fields say the same after writing and reading', async () => {
    const base = { image: 'a.png', question: 'Q?' };
    const records = [
      { ...base, id: '1', answer: 'one', answers: ['one', 'two'] },
      { ...base, id: '2', answer: 4.5, tolerance: 0.5, unit: 'mm' },
      { ...base, id: '3', bbox: [1, 2, 3, 4] },
      { ...base, id: '4', answer: 'A long text.', answer_kind: 'report' },
      { ...base, id: '5', answer: 'B', answer_kind: 'text' },
    ];
    const { samples, problems } = await read('a.jsonl', lines(...records));
    expect(problems).toEqual([]);
    expect(samples.map((sample) => (sample as Question).answer)).toEqual([
      ...['one', '4.5 mm', '[1,2,3,4]', 'A long text.', 'B'],
    ]);
    const written = samples.map((sample) => questionRecord(sample as Question));
    const again = await read('a.jsonl', lines(...written));
    expect(again.samples).toEqual(samples);
    const parquet = new Uint8Array(await questionsToParquet(samples as Question[]));
    const table = await readDataset(parquet, 'a.jsonl.parquet');
    expect(table.samples.map(({ id, ...rest }) => [id, (rest as Question).open])).toEqual(
      samples.map(({ id, ...rest }) => [id, (rest as Question).open]),
    );
  });
});

describe('bad records', () => {
  const good = { image: 'a.png', question: 'Q?', options: ['x', 'y'], answer: 'A' };
  it.each([
    [{ ...good, image: '../a.png' }, 'image leaves the dataset folder'],
    [{ ...good, image: 'b/../../a.png' }, 'image leaves the dataset folder'],
    [{ ...good, image: '..\\a.png' }, 'image leaves the dataset folder'],
    [{ ...good, image: '/etc/passwd' }, 'image is absolute'],
    [{ ...good, image: 'C:\\a.png' }, 'image is a URL or a drive path'],
    [{ ...good, image: 'https://x.y/a.png' }, 'image is a URL'],
    [{ ...good, image: 'a\0.png' }, 'image has a zero byte'],
    [{ ...good, image: './' }, 'image names no file'],
    [{ ...good, image: 5 }, 'image must be a path, not 5'],
    [{ ...good, images: ['b.png'] }, 'images stands beside image'],
    [{ ...good, answer: 'C' }, 'answer "C" is neither a letter nor the text'],
    [{ ...good, options: ['x', 'x'], answer: 'x' }, 'answer "x" is the text of options A and B'],
    [{ ...good, options: ['x'] }, 'options has fewer than two options'],
    [{ ...good, options: { a: 'x', b: 'y' } }, 'options.a is not one of the letters'],
    [{ ...good, options: undefined }, 'options is missing, and answer is the letter of one'],
    [{ ...good, options: undefined, answer: 2, tolerance: -1 }, 'tolerance must be a number of 0 or more'],
    [{ ...good, options: undefined, bbox: [3, 2, 1, 4] }, 'bbox has no area'],
    [{ ...good, options: undefined, answers: ['x', ''] }, 'answers.1 must be text'],
    [{ ...good, question: ' ' }, 'question is missing or empty'],
    [{ ...good, id: {} }, 'id must be text or a whole number'],
    ['"x"', 'is JSON but not an object'],
    ['{"id": 1, "id": 2}', 'has the key "id" twice'],
    ['{"id": ', 'is not valid JSON'],
  ])('%j', async (record, problem) => {
    const text = typeof record === 'string' ? record : JSON.stringify(record);
    const { samples, problems } = await read('d.jsonl', `\n${text}\n${JSON.stringify(good)}`);
    expect(samples).toHaveLength(1);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toContain('d.jsonl:2');
    expect(problems[0]?.message).toContain(problem);
    await expect(read('d.jsonl', text, { strict: true })).rejects.toThrow(problem);
  });

  it('of a list are told with their own line, and equal ids with both', async () => {
    const text = `[\n${JSON.stringify({ ...good, id: 1 })},\n{"x": 1},\n${JSON.stringify({ ...good, id: 1 })}\n`;
    const { samples, problems } = await read('d.json', text);
    expect(samples).toHaveLength(1);
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^d\.json:3:options is missing/),
      expect.stringMatching(/^d\.json:4:id "1" is that of line 2/),
      expect.stringMatching(/^d\.json:5 ends in the middle of the list/),
    ]);
  });
});

describe('folders', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'osler-data-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('OmniMedVQA as published: pictures are relative to the folder above', async () => {
    const folder = path.join(dir, 'Omni', 'QA_information', 'Open-access');
    await mkdir(folder, { recursive: true });
    for (const name of ['A', 'B']) {
      const record = {
        question_id: name,
        image_path: 'Images/1.png',
        question: 'Q?',
        gt_answer: 'x',
        option_A: 'x',
        option_B: 'y',
      };
      await writeFile(path.join(folder, `${name}.json`), JSON.stringify([record]));
    }
    const { samples } = await loadDataset(path.join(dir, 'Omni'));
    expect(samples.map(({ id }) => id)).toEqual(['A', 'B']);
    expect(imageFile(samples[0] as Question, 'Images/1.png')).toBe(path.join(dir, 'Omni', 'Images', '1.png'));
  });

  it('says what is missing', async () => {
    await mkdir(path.join(dir, 'empty'));
    await writeFile(path.join(dir, 'none.jsonl'), '\n');
    await writeFile(
      path.join(dir, 'lfs.jsonl'),
      'version https://git-lfs.github.com/spec/v1\noid sha256:0\n',
    );
    await writeFile(path.join(dir, 'bad.jsonl'), '{}\n');
    await expect(loadDataset(path.join(dir, 'nowhere'))).rejects.toThrow('does not exist');
    await expect(loadDataset(path.join(dir, 'empty'))).rejects.toThrow('has no .jsonl');
    await expect(loadDataset(path.join(dir, 'none.jsonl'))).rejects.toThrow('has no records');
    await expect(loadDataset(path.join(dir, 'lfs.jsonl'))).rejects.toThrow('git lfs pull');
    await expect(loadDataset(path.join(dir, 'bad.jsonl'))).rejects.toThrow('has no usable record');
  });
});
