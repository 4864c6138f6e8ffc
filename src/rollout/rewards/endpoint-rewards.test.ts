/** Rewards that ask an endpoint: a server on this machine that says what the test wants. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { expectedOpen } from '../../data/answers/record.js';
import type { Question } from '../../data/index.js';
import { buildRewards, type Reward, type RewardSample, rewardsField, scoreAll } from './index.js';
import { verdictOf } from './judge.js';

let dir: string;
let server: Server;
let url: string;
/** What the server answers, and what it was asked. */
let reply: (body: Record<string, unknown>, path: string) => { status?: number; json: unknown };
let asked: Record<string, unknown>[] = [];
let [underWay, most] = [0, 0];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-judge-'));
  server = createServer(async (request, response) => {
    most = Math.max(most, ++underWay);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
    asked.push({ ...body, authorization: request.headers.authorization });
    const { status = 200, json } = reply(body, request.url ?? '');
    setTimeout(() => {
      underWay--;
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(json));
    }, 5);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
});
afterEach(() => {
  asked = [];
  most = 0;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true });
});

const RECORD: Question = {
  id: 'q1',
  images: [],
  question: 'Which organ?',
  ...expectedOpen({ kind: 'text', accepted: ['left kidney'] }),
};

function samples(...answers: string[]): RewardSample[] {
  return answers.map((answer, sample) => ({
    prompt: 'p',
    completion: `<think>x</think><answer>${answer}</answer>`,
    completionIds: [1],
    truncated: false,
    record: RECORD,
    sample,
    step: 1,
  }));
}

async function rewardsOf(entry: Record<string, unknown>, environment?: (name: string) => string | undefined) {
  const configs = rewardsField.parse([{ endpoint: url, model: 'm', retries: 0, ...entry }]);
  return buildRewards(configs, {
    style: 'think',
    maxCompletionLength: 9,
    folder: dir,
    ...(environment ? { environment } : {}),
  });
}

const values = async (rewards: readonly Reward[], some: readonly RewardSample[]) =>
  (await scoreAll(rewards, some)).map(([{ value }]) => value);
const says = (content: string) => ({ json: { choices: [{ message: { content } }] } });

it('a judge is asked once for each thing, and never again in another run', async () => {
  reply = ({ messages }) => says(/judge: (?:renal|kidney)/.test(JSON.stringify(messages)) ? 'Yes.' : 'no');
  const entry = { name: 'judge', cache: 'kept', concurrency: 2, api_key_env: 'KEY' };
  const first = await rewardsOf(entry, () => 'secret');
  const some = samples('renal', 'kidney', 'liver', 'renal', 'spleen', 'lung');
  expect(await values(first, some)).toEqual([1, 1, 0, 1, 0, 0]);
  expect(asked).toHaveLength(5);
  expect(most).toBe(2);
  expect(asked[0]).toMatchObject({ model: 'm', temperature: 0, authorization: 'Bearer secret' });
  expect(JSON.stringify(asked[0])).toContain('Reference answer: left kidney');
  expect((await readdir(join(dir, 'kept'))).length).toBeGreaterThan(0);
  reply = () => ({ status: 500, json: {} });
  const second = await rewardsOf({ ...entry, api_key_env: null });
  expect(await values(second, some)).toEqual([1, 1, 0, 1, 0, 0]);
  expect(asked).toHaveLength(5);
});

it('what happens when a judge is down is said in the config', async () => {
  reply = () => ({ status: 503, json: { error: 'busy' } });
  const down = (unavailable: unknown) => rewardsOf({ name: 'judge', cache: null, unavailable });
  expect(await values(await down('skip'), samples('a', 'b'))).toEqual([null, null]);
  expect(await values(await down(-0.5), samples('a'))).toEqual([-0.5]);
  await expect(values(await down('stop'), samples('a'))).rejects.toThrow(
    /reward "judge" on completion 0 of question "q1" .* gave no answer: status 503: busy \(tried 1 times\)/,
  );
  reply = () => ({ status: 401, json: { error: 'who?' } });
  await expect(values(await down('skip'), samples('a'))).rejects.toThrow(/cannot be used, status 401: who\?/);
});

it('an embedding gives the cosine to the nearest right text', async () => {
  const vectors: Record<string, number[]> = { 'left kidney': [1, 0], renal: [3, 4], liver: [0, 2] };
  reply = ({ input }, path) => ({
    status: path === '/v1/embeddings' ? 200 : 404,
    json: { data: [{ index: 0, embedding: vectors[(input as string[])[0] as string] }] },
  });
  const rewards = await rewardsOf({ name: 'embedding', cache: null });
  expect(await values(rewards, samples('renal', 'liver', 'left kidney', ''))).toEqual([0.6, 0, 1, 0]);
  expect(asked).toHaveLength(3);
});

it.each([
  ['Yes, it does.', 1],
  ['**No**', 0],
  ['<think>no, wait</think>\nyes', 1],
  ['I would say no.', 0],
  ['It depends: yes or no.', null],
  ['', null],
])('the verdict of %j is %j', (text, value) => {
  expect(verdictOf(text).value).toBe(value);
});

it('refuses keys over plain HTTP, keys that are not set, and prompts without an answer', async () => {
  const far = { name: 'judge', endpoint: 'http://example.com/v1', api_key_env: 'KEY' };
  await expect(rewardsOf(far, () => 'secret')).rejects.toThrow(
    /"rewards.0.endpoint" .* neither https nor this machine/,
  );
  await expect(rewardsOf({ name: 'judge', api_key_env: 'KEY' })).rejects.toThrow(
    /names KEY, which is not set/,
  );
  const bare = rewardsField.safeParse([{ name: 'judge', endpoint: url, model: 'm', prompt: 'Good?' }]);
  expect(bare.error?.issues[0]?.message).toContain('has neither {Answer} nor {Completion}');
});
