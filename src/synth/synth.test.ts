/** Synthesis against an endpoint that misbehaves in every way that endpoints do. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadDataset, type Question, questionsOf } from '../data/index.js';
import { backoff, Pace, retryAfter } from '../endpoint/pacing.js';
import type { Candidate, CandidateSource, CandidateTask } from './candidate.js';
import { EndpointSource, type JudgeSettings, synthesize } from './index.js';

const SETTINGS: JudgeSettings = {
  ...{ minSteps: 2, minWords: 8, maxWords: 100 },
  ...{ keep: 1, duplicateThreshold: 0.9, minPassRate: 0, maxPassRate: 1 },
};
const ORGANS = ['liver', 'spleen', 'kidney', 'heart', 'lung', 'stomach'];

let folder: string;
let questions: Question[];
let server: Server;
/** Answers a request; the default answers well. */
let respond: (body: ChatBody, response: ServerResponse, attempt: number) => void;
let bodies: ChatBody[];
let underWay: number;
let mostUnderWay: number;

interface ChatBody {
  readonly model: string;
  readonly seed: number;
  readonly messages: {
    role: string;
    content: { type: string; text?: string; image_url?: { url: string } }[];
  }[];
}

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'osler-synth-'));
  mkdirSync(path.join(folder, 'data', 'images'), { recursive: true });
  const lines = ORGANS.map((organ, i) => {
    const options = { A: organ, B: 'bladder' };
    return JSON.stringify({
      id: `q${i}`,
      image: `images/${i % 2}.png`,
      question: `Organ ${i}?`,
      options,
      answer: 'A',
    });
  });
  writeFileSync(path.join(folder, 'data', 'train.jsonl'), lines.join('\n'));
  for (const i of [0, 1]) {
    const pixels = {
      create: { width: 8, height: 8, channels: 3 as const, background: { r: 90 * i, g: 0, b: 0 } },
    };
    await sharp(pixels)
      .png()
      .toFile(path.join(folder, 'data', 'images', `${i}.png`));
  }
  questions = questionsOf((await loadDataset(path.join(folder, 'data', 'train.jsonl'))).samples).questions;
  bodies = [];
  underWay = 0;
  mostUnderWay = 0;
  respond = (body, response) => reply(response, goodText(body));
  const attempts = new Map<string, number>();
  server = createServer(async (request, response) => {
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    response.on('close', () => underWay--);
    const body = JSON.parse(await textOf(request)) as ChatBody;
    bodies.push(body);
    const key = JSON.stringify([organOf(body), body.seed]);
    attempts.set(key, (attempts.get(key) ?? 0) + 1);
    respond(body, response, attempts.get(key) as number);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

function organOf(body: ChatBody): string {
  const text = body.messages.at(-1)?.content.find(({ type }) => type === 'text')?.text ?? '';
  return ORGANS.find((organ) => text.includes(organ)) ?? '';
}

function goodText(body: ChatBody): string {
  const organ = organOf(body);
  return (
    `<think>The organ number ${body.seed} lies where the ${organ} does and has its texture. ` +
    `A bladder would be filled with fluid. Hence it is the ${organ}.</think><answer>A</answer>`
  );
}

function reply(response: ServerResponse, content: string, finish = 'stop'): void {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  const choices = [{ message: { role: 'assistant', content }, finish_reason: finish }];
  response.end(JSON.stringify({ choices, usage: { completion_tokens: 42 } }));
}

function fail(response: ServerResponse, status: number, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers);
  response.end(JSON.stringify({ error: { message: `made to fail with ${status}` } }));
}

function endpoint(extra: Partial<ConstructorParameters<typeof EndpointSource>[0]> = {}): EndpointSource {
  return new EndpointSource({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    apiKey: 'secret-key',
    ...{
      model: 'm',
      template: '{Question} Think.',
      temperature: 1,
      topP: 1,
      maxNewTokens: 64,
      seed: 7,
      samples: 2,
    },
    ...{ concurrency: 3, timeout: 2000, retries: 4, requestsPerMinute: 0, retryDelay: 5 },
    ...extra,
  });
}

const run = (source: CandidateSource, judge = SETTINGS, signal = new AbortController().signal) =>
  synthesize({
    questions,
    source,
    samples: 2,
    judge,
    out: path.join(folder, 'out'),
    data: 'train.jsonl',
    signal,
  });
const outLines = (name: string) =>
  readFileSync(path.join(folder, 'out', name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('an endpoint that behaves', () => {
  test('gives records that osler sft reads, with provenance and pictures', async () => {
    respond = (body, response) => setTimeout(() => reply(response, goodText(body)), 20);
    const summary = await run(endpoint());
    expect(summary).toMatchObject({
      questions: 6,
      candidates: 12,
      accepted: 6,
      accepted_questions: 6,
      failed: 0,
    });
    expect(summary.rejected).toEqual({ surplus: 6 });
    expect(summary.pass_rates['1']).toBe(6);
    expect(mostUnderWay).toBe(3);
    const { samples, problems } = await loadDataset(path.join(folder, 'out', 'train.jsonl'), {
      strict: true,
    });
    expect(problems).toEqual([]);
    const [first] = questionsOf(samples).questions as [Question];
    expect(first.reasoning).toMatch(/^The organ number \d+ lies where the liver does/);
    expect(first.extra).toMatchObject({
      pass_rate: 1,
      synth: {
        source: 'endpoint',
        model: 'm',
        template: '{Question} Think.',
        sample: 0,
        candidates: 2,
        tokens: 42,
      },
    });
    // Two pictures among six questions.
    expect(new Set(samples.flatMap(({ images }) => images)).size).toBe(2);
    expect(readFileSync(path.join(folder, 'out', first.images[0] as string))).toEqual(
      readFileSync(path.join(folder, 'data', 'images', '0.png')),
    );
    // Each request has the picture and a seed of its own; the key is in no file.
    expect(new Set(bodies.map(({ seed }) => seed)).size).toBe(12);
    expect(bodies[0]?.messages[0]?.content[0]?.image_url?.url).toMatch(/^data:image\/png;base64,iVBOR/);
    for (const name of ['synth.json', 'candidates.jsonl', 'train.jsonl', 'summary.json']) {
      expect(readFileSync(path.join(folder, 'out', name), 'utf8')).not.toContain('secret-key');
    }
  });

  test('reasoning that comes apart from the answer is put where it belongs', async () => {
    respond = (body, response) => {
      const [, reasoning, content] = /<think>(.*)<\/think>(.*)/s.exec(goodText(body)) as unknown as string[];
      response.writeHead(200);
      response.end(JSON.stringify({ choices: [{ message: { content, reasoning_content: reasoning } }] }));
    };
    expect(await run(endpoint())).toMatchObject({ accepted: 6 });
  });
});

describe('an endpoint that misbehaves', () => {
  test.each<[string, typeof respond]>([
    [
      '429 with Retry-After',
      (body, response, attempt) =>
        attempt === 1 ? fail(response, 429, { 'Retry-After': '0.02' }) : reply(response, goodText(body)),
    ],
    [
      '500 twice',
      (body, response, attempt) => (attempt <= 2 ? fail(response, 500) : reply(response, goodText(body))),
    ],
    [
      'a closed connection',
      (body, response, attempt) => (attempt === 1 ? response.destroy() : reply(response, goodText(body))),
    ],
    [
      'half of the JSON',
      (body, response, attempt) =>
        attempt === 1 ? response.end('{"choices": [{"message": {"con') : reply(response, goodText(body)),
    ],
    [
      'a body that is cut off',
      (body, response, attempt) => {
        if (attempt > 1) return reply(response, goodText(body));
        response.writeHead(200, { 'Content-Length': '1000' });
        response.write('{"choices"');
        setTimeout(() => response.destroy(), 5);
      },
    ],
    [
      'JSON of another kind',
      (body, response, attempt) =>
        attempt === 1 ? response.end('{"choices": []}') : reply(response, goodText(body)),
    ],
  ])('%s: tried again until it answers', async (_, misbehave) => {
    respond = misbehave;
    const source = endpoint();
    const summary = await run(source);
    expect(summary).toMatchObject({ candidates: 12, accepted: 6, failed: 0 });
    expect(source.client.repeated).toBeGreaterThanOrEqual(12);
  });

  test('no answer in time: tried again, then given up, and made up for later', async () => {
    respond = () => {};
    const hanging = await run(endpoint({ timeout: 30, retries: 1, concurrency: 12 }));
    expect(hanging).toMatchObject({ candidates: 0, accepted: 0, failed: 12 });
    expect(hanging.failures[0]).toBe('no answer within 0.03 s (tried 2 times)');
    respond = (body, response) => reply(response, goodText(body));
    expect(await run(endpoint())).toMatchObject({ candidates: 12, accepted: 6, failed: 0 });
  });

  test('a refused request fails alone; a refused key ends all', async () => {
    respond = (body, response) =>
      organOf(body) === 'heart' ? fail(response, 400) : reply(response, goodText(body));
    const summary = await run(endpoint());
    expect(summary).toMatchObject({ candidates: 10, accepted: 5, failed: 2 });
    expect(summary.failures).toEqual(['status 400: made to fail with 400']);
    respond = (_, response) => fail(response, 401);
    await expect(run(endpoint())).rejects.toThrow('cannot be used, status 401');
  });

  test('a key does not follow a redirect', async () => {
    respond = (_, response) => {
      response.writeHead(307, { Location: '/elsewhere' });
      response.end();
    };
    const summary = await run(endpoint({ retries: 0 }));
    expect(summary.failed).toBe(12);
    expect(bodies).toHaveLength(12);
  });
});

describe('going on', () => {
  test('an interrupted synthesis asks only for what it lacks', async () => {
    const controller = new AbortController();
    respond = (body, response) => {
      if (bodies.length === 5) controller.abort(new Error('stopped by the test'));
      else reply(response, goodText(body));
    };
    await expect(run(endpoint({ concurrency: 1 }), SETTINGS, controller.signal)).rejects.toThrow(
      'stopped by the test',
    );
    expect(outLines('candidates.jsonl')).toHaveLength(4);
    // Half a line, as a killed process leaves it.
    writeFileSync(path.join(folder, 'out', 'candidates.jsonl'), '{"id": "q2", "sam', { flag: 'a' });
    bodies = [];
    respond = (body, response) => reply(response, goodText(body));
    expect(await run(endpoint())).toMatchObject({ candidates: 12, accepted: 6 });
    expect(bodies).toHaveLength(8);
  });

  test('other bounds judge anew without a request; another model needs another folder', async () => {
    await run(endpoint());
    const before = bodies.length;
    expect(await run(endpoint(), { ...SETTINGS, minWords: 50 })).toMatchObject({
      accepted: 0,
      rejected: { too_short: 12 },
    });
    expect(await run(endpoint(), { ...SETTINGS, maxPassRate: 0.9 })).toMatchObject({
      rejected: { too_easy: 12 },
    });
    // The two traces of a question differ in a number only.
    const twice = { ...SETTINGS, keep: 2, duplicateThreshold: 0.6 };
    expect(await run(endpoint(), twice)).toMatchObject({ accepted: 6, rejected: { near_duplicate: 6 } });
    expect(await run(endpoint(), { ...twice, duplicateThreshold: 1 })).toMatchObject({ accepted: 12 });
    expect(bodies).toHaveLength(before);
    await expect(run(endpoint({ model: 'other' }))).rejects.toThrow(
      'synth.json:model is "m", but now "other" is asked for',
    );
  });
  test('a folder with something else in it is left alone', async () => {
    mkdirSync(path.join(folder, 'out'));
    writeFileSync(path.join(folder, 'out', 'thesis.doc'), 'x');
    await expect(run(endpoint())).rejects.toThrow('holds thesis.doc and no synth.json');
  });
});

test('each rejection is counted once, by its first cause', async () => {
  const texts = ['no tags', '<think>x</think><answer>B</answer>', '<think>x</think><answer>A</answer>'];
  const source: CandidateSource = {
    provenance: { source: 'test' },
    async *generate(tasks: readonly CandidateTask[]): AsyncGenerator<Candidate> {
      for (const { question, index, samples } of tasks) {
        for (const sample of samples) {
          yield { id: question.id, sample, text: texts[(index + sample) % 3] as string, finish: 'stop' };
        }
      }
    },
  };
  const summary = await run(source);
  expect(summary.rejected).toEqual({ malformed: 4, wrong_answer: 4, too_short: 4 });
  expect(outLines('rejected.jsonl')).toHaveLength(12);
  expect(summary.pass_rates).toMatchObject({ '0': 2, '0.4–0.6': 4 });
});

describe('pacing', () => {
  test('repetitions wait longer and longer, up to a limit', () => {
    expect([1, 2, 3, 20].map((attempt) => backoff(attempt, 100, 5000, () => 1))).toEqual([
      100, 200, 400, 5000,
    ]);
    expect(backoff(1, 100, 5000, () => 0)).toBe(50);
  });

  test('Retry-After in seconds and as a date', () => {
    expect(retryAfter('1.5')).toBe(1500);
    expect(retryAfter('Sat, 21 Nov 2026 12:00:10 GMT', Date.parse('2026-11-21T12:00:00Z'))).toBe(10_000);
    expect([retryAfter(null), retryAfter('soon'), retryAfter('')]).toEqual([undefined, undefined, undefined]);
  });

  test('requests pass at even distances and not during a pause', async () => {
    const { signal } = new AbortController();
    const pace = new Pace(60_000 / 20);
    const times: number[] = [];
    const began = performance.now();
    const pass = async () => {
      await pace.turn(signal);
      times.push(performance.now() - began);
    };
    await Promise.all([pass(), pass(), pass()]);
    expect(times[2] as number).toBeGreaterThanOrEqual(38);
    pace.pause(60);
    const paused = performance.now();
    await pace.turn(signal);
    expect(performance.now() - paused).toBeGreaterThanOrEqual(58);
  });
});
