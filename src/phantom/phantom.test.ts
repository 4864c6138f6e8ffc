import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { answerIn } from '../data/answer.js';
import { type Box, boxesIou } from '../data/answers/boxes.js';
import { gradeAnswer } from '../data/answers/grade.js';
import { loadDataset } from '../data/dataset.js';
import { MODALITIES, QUESTION_TYPES } from '../data/modalities.js';
import { questionPrompt } from '../data/prompts.js';
import type { Question } from '../data/question.js';
import { Random } from '../data/random.js';
import { decodeImage } from '../vision/index.js';
import { deflate } from './deflate.js';
import { type PhantomItem, phantom } from './phantom.js';
import { encodePng } from './picture.js';
import { SIZE_LIMITS } from './scene.js';
import { SCENES } from './scenes/index.js';
import { writePhantom } from './write.js';

const items = [...phantom({ n: 800, seed: 11 })];
const NUMBERS = ['None', 'One', 'Two', 'Three', 'Four'];

function right({ question: { options, answer } }: PhantomItem): string {
  return options[answer] as string;
}

describe('open questions', () => {
  const open = [...phantom({ n: 160, seed: 5, answers: 'open', wording: 'short' })];

  it('want a name, a measurement or boxes, which the facts bear out', () => {
    const topics = new Map<string, number>();
    for (const { question, facts } of open) {
      topics.set(facts.topic, (topics.get(facts.topic) ?? 0) + 1);
      const wanted = question.open;
      expect(question.options).toEqual({});
      if (facts.topic === 'anatomy') expect(wanted).toEqual({ kind: 'text', accepted: [facts.anatomy] });
      if (facts.topic === 'diagnosis') expect(question.answer).toBe(facts.finding ?? 'No abnormality');
      if (facts.topic === 'measure') {
        const widest = Math.max(...facts.lesions.map(({ diameter }) => diameter));
        expect(Math.abs((wanted?.kind === 'number' ? wanted.value : Number.NaN) - 100 * widest)).toBeLessThan(
          0.6,
        );
      }
      if (facts.topic === 'locate' && wanted?.kind === 'boxes') {
        const exact = facts.lesions.map(({ x, y, diameter }) => {
          const r = diameter / 2;
          return [x - r, y - r, x + r, y + r].map((edge) => 100 * edge) as unknown as Box;
        });
        expect(boxesIou(wanted.boxes, exact)).toBeGreaterThan(0.8);
      }
      // What the question wants is what it gives.
      expect(gradeAnswer(question, `<answer>${question.answer}</answer>`).correct).toBe(true);
    }
    expect(Object.fromEntries(topics)).toEqual({
      anatomy: 32,
      diagnosis: 32,
      measure: 32,
      modality: 32,
      locate: 32,
    });
    expect(
      questionPrompt(open.find(({ facts }) => facts.topic === 'measure')?.question as Question, {
        style: 'no-think',
        phase: 'eval',
      }).text,
    ).toContain('Provide the answer as a number, in % inside <answer>');
  });
});

describe('questions', () => {
  it('take turns over modalities and question types', () => {
    const cells = new Map<string, number>();
    for (const { question } of items) {
      const cell = `${question.modality}, ${question.question_type}`;
      cells.set(cell, (cells.get(cell) ?? 0) + 1);
    }
    expect(cells.size).toBe(MODALITIES.length * QUESTION_TYPES.length);
    expect(new Set(cells.values())).toEqual(new Set([20]));
  });

  it('have answers that the facts of the picture bear out, and no other true option', () => {
    for (const item of items) {
      const { facts, question } = item;
      const answer = right(item);
      const texts = Object.values(question.options);
      expect(new Set(texts).size).toBe(texts.length);
      const truths: Record<string, () => unknown> = {
        anatomy: () => facts.anatomy,
        diagnosis: () => facts.finding ?? 'No abnormality',
        size: () => (facts.size === null ? 'No lesion' : capital(facts.size)),
        grade: () => (facts.grade === null ? 'Absent' : capital(facts.grade)),
        count: () => NUMBERS[facts.lesions.length],
        quadrant: () => capital(facts.quadrant as string),
        side: () => capital(facts.side as string),
        attribute: () => answer,
        modality: () => answer,
      };
      expect(answer).toBe(truths[facts.topic]?.());
      if (facts.topic === 'attribute') {
        const value = facts.attributes.weighting ?? facts.attributes.eye;
        expect(answer.toLowerCase()).toContain((value as string).toLowerCase());
      }
      if (facts.topic === 'anatomy') assertAnatomyOptions(item);
    }
  });

  it('have lesions of the size, number and place that they claim', () => {
    for (const { facts } of items) {
      const widest = Math.max(0, ...facts.lesions.map(({ diameter }) => diameter));
      const [small, large] = SIZE_LIMITS;
      const size =
        facts.lesions.length === 0 ? null : widest < small ? 'small' : widest < large ? 'medium' : 'large';
      expect(facts.size).toBe(size);
      for (const { x, y } of facts.lesions) expect(Math.min(x, y, 1 - x, 1 - y)).toBeGreaterThan(0);
      if (facts.quadrant) {
        const { x, y } = facts.lesions[0] as { x: number; y: number };
        expect(facts.quadrant).toBe(`${y < 0.5 ? 'upper' : 'lower'} ${x < 0.5 ? 'left' : 'right'}`);
      }
    }
  });

  it('do not favour letters, counts, quadrants or diagnoses', () => {
    const share = (of: readonly PhantomItem[], holds: (item: PhantomItem) => boolean) =>
      of.filter(holds).length / of.length;
    const four = items.filter(({ question }) => Object.keys(question.options).length === 4);
    for (const letter of 'ABCD') {
      expect(Math.abs(share(four, ({ question }) => question.answer === letter) - 0.25)).toBeLessThan(0.05);
    }
    for (const [topic, answers] of [
      ['count', 5],
      ['quadrant', 4],
      ['size', 4],
    ] as const) {
      const some = items.filter(({ facts }) => facts.topic === topic);
      expect(some.length).toBeGreaterThan(50);
      const counts = new Map<string, number>();
      for (const item of some) counts.set(right(item), (counts.get(right(item)) ?? 0) + 1);
      expect(counts.size).toBe(answers);
      for (const count of counts.values()) expect(count / some.length).toBeLessThan(2 / answers);
    }
  });

  it('have reasoning that concludes with the answer and names no letter', () => {
    for (const item of items) {
      const { reasoning, options, answer } = item.question as Question & { reasoning: string };
      expect(reasoning.endsWith(`So the answer is ${right(item)}.`)).toBe(true);
      expect(answerIn(`${right(item)}`, options, { tags: 'optional' }).letter).toBe(answer);
      expect(reasoning).not.toMatch(/\b[B-D]\)/);
      expect(reasoning).not.toContain('undefined');
    }
  });

  it('are the same for every number of them, and for every wording but for the words', () => {
    const [few, short] = [
      [...phantom({ n: 40, seed: 11 })],
      [...phantom({ n: 40, seed: 11, size: 56, difficulty: 'hard' })],
    ];
    for (const [i, item] of few.entries()) {
      expect(item.question).toEqual(items[i]?.question);
      expect(short[i]?.question).toEqual(item.question);
    }
    expect([...phantom({ n: 1, seed: 12 })][0]?.question).not.toEqual(few[0]?.question);
    expect(() => [...phantom({ n: 0, seed: 1 })]).toThrow('n is 0');
    expect(() => [...phantom({ n: 1, seed: 1, size: 3 })]).toThrow('size is 3');
  });
});

function assertAnatomyOptions({ facts, question }: PhantomItem): void {
  const shown = SCENES.find(
    ({ anatomy, modality }) => anatomy === facts.anatomy && modality === facts.modality,
  );
  for (const text of Object.values(question.options)) {
    const others = SCENES.filter(({ anatomy }) => anatomy === text);
    const fair = others.some(
      ({ modality, region }) => modality === facts.modality || region !== shown?.region,
    );
    expect(fair).toBe(true);
  }
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

describe('pictures', () => {
  const drawn = [...phantom({ n: 40, seed: 11, size: 112 })].map((item) => ({ item, picture: item.draw() }));

  it('are colour where the modality is, use the range of grey, and differ', () => {
    const seen = new Set<string>();
    for (const { item, picture } of drawn) {
      const colour = ['Dermoscopy', 'Fundus', 'Microscopy'].includes(item.facts.modality);
      expect(picture.channels).toBe(colour ? 3 : 1);
      expect(picture.pixels.length).toBe(picture.size ** 2 * picture.channels);
      let [low, high] = [255, 0];
      for (const value of picture.pixels) [low, high] = [Math.min(low, value), Math.max(high, value)];
      expect(high - low).toBeGreaterThan(120);
      seen.add(createHash('sha256').update(picture.pixels).digest('hex'));
    }
    expect(seen.size).toBe(drawn.length);
  });

  it('show their lesions: the picture without them differs there and hardly elsewhere', () => {
    const texture = () => new Random(3, 'test');
    const look = { contrast: 1, noise: 0 };
    const random = new Random(1, 'places');
    for (const scene of SCENES) {
      const composition = scene.compose(new Random(2, 'pose'));
      for (const finding of scene.findings.filter(({ kind }) => kind === 'focal')) {
        const lesion = somewhere(random, (x, y) => composition.fits(finding, x, y, 0.075));
        const paint = (lesions: (typeof lesion)[]) =>
          composition.paint(96, { finding, lesions }, look, texture())[0].values;
        const [without, withIt] = [paint([]), paint([lesion])];
        let [inside, n] = [0, 0];
        for (let row = 0; row < 96; row++) {
          for (let column = 0; column < 96; column++) {
            const i = row * 96 + column;
            const far =
              Math.hypot((column + 0.5) / 96 - lesion.x, (row + 0.5) / 96 - lesion.y) / lesion.radius;
            if (far > 0.6) continue;
            inside += Math.abs((without[i] as number) - (withIt[i] as number));
            n++;
          }
        }
        expect(inside / n, `${scene.modality} ${finding.name}`).toBeGreaterThan(0.06);
      }
    }
  });

  it('come back from their PNG files', async () => {
    for (const { picture } of drawn.slice(0, 8)) {
      const decoded = await decodeImage(encodePng(picture), { name: 'phantom' });
      expect([decoded.width, decoded.height]).toEqual([picture.size, picture.size]);
      const grey = picture.channels === 1;
      expect(decoded.data.every((value, i) => value === picture.pixels[grey ? Math.floor(i / 3) : i])).toBe(
        true,
      );
    }
  });

  it('have the same bytes on every machine', () => {
    const hash = createHash('sha256');
    for (const item of [...phantom({ n: 8, seed: 1, size: 56 })]) hash.update(encodePng(item.draw()));
    expect(hash.digest('hex').slice(0, 16)).toBe('cc42b11d94ee3205');
  });
});

function somewhere(random: Random, fits: (x: number, y: number) => boolean) {
  for (let tries = 0; tries < 5000; tries++) {
    const [x, y] = [random.uniform(), random.uniform()];
    if (fits(x, y)) return { x, y, radius: 0.075 };
  }
  throw new Error('no room');
}

it('deflate is what zlib inflates, for all kinds of bytes', () => {
  const random = new Random(1, 'deflate');
  for (const bytes of [
    new Uint8Array(0),
    Uint8Array.of(7),
    new Uint8Array(100_000),
    Uint8Array.from({ length: 70_000 }, () => random.below(256)),
    // Counts like powers of two would make codes longer than deflate allows.
    Uint8Array.from({ length: 1 << 20 }, (_, i) => Math.clz32(i + 1)),
  ]) {
    expect(new Uint8Array(inflateSync(deflate(bytes)))).toEqual(bytes);
  }
});

it('the folder reads as OmniMedVQA and as our own questions', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'osler-phantom-'));
  try {
    const written = await writePhantom(dir, { n: 16, seed: 4, size: 56 });
    const omni = await loadDataset(dir, { strict: true });
    const own = await loadDataset(path.join(dir, 'questions.jsonl'), { strict: true });
    const bare = ({ source: _source, ...rest }: object & { source?: unknown }) => rest;
    expect(own.samples.map(bare)).toEqual(written);
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    expect([...omni.samples].sort(byId).map(bare)).toEqual([...written].sort(byId));
    expect(readFileSync(path.join(dir, 'facts.jsonl'), 'utf8').trim().split('\n')).toHaveLength(16);
    expect(readFileSync(path.join(dir, 'README.md'), 'utf8')).toContain('nothing here is clinical');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
