/** The server, asked by the client that most programs use. */
import { once } from 'node:events';
import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerationSession } from '../../src/cli/generation.js';
import { chatServer } from '../../src/cli/serving/server.js';
import { tinySession } from './session.js';

let tiny: Awaited<ReturnType<typeof tinySession>>;
let session: GenerationSession;
let server: Server;
let port: number;
let client: OpenAI;
const faults: unknown[] = [];

beforeAll(async () => {
  tiny = await tinySession();
  ({ session } = tiny);
  server = chatServer(session, { name: 'tiny', maxNewTokens: 12, onError: (error) => faults.push(error) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await tiny.close();
});

const hello = { model: 'tiny', messages: [{ role: 'user' as const, content: 'Hello' }] };

async function picture(red: number): Promise<string> {
  const image = sharp({
    create: { width: 60, height: 40, channels: 3, background: { r: red, g: 90, b: 90 } },
  });
  return `data:image/png;base64,${(await image.png().toBuffer()).toString('base64')}`;
}

async function withPicture(url: string) {
  return client.chat.completions.create({
    ...hello,
    temperature: 0,
    logprobs: true,
    messages: [
      {
        role: 'user',
        content: [
          { type: 'image_url', image_url: { url } },
          { type: 'text', text: 'What is this?' },
        ],
      },
    ],
  });
}

describe('chat completions', () => {
  it('answers, the same for the same seed', async () => {
    const ask = (seed: number) => client.chat.completions.create({ ...hello, seed, n: 2, logprobs: true });
    const first = await ask(1);
    expect(first).toMatchObject({ object: 'chat.completion', model: 'tiny' });
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1]);
    const texts = first.choices.map(({ message }) => message.content);
    expect(texts[0]).not.toBe(texts[1]);
    expect((await ask(1)).choices.map(({ message }) => message.content)).toEqual(texts);
    expect((await ask(2)).choices.map(({ message }) => message.content)).not.toEqual(texts);
    const counts = first.choices.map(({ logprobs }) => logprobs?.content?.length ?? 0);
    expect(first.usage?.completion_tokens).toBe(counts[0] + counts[1]);
    expect(first.usage?.total_tokens).toBe((first.usage?.prompt_tokens ?? 0) + counts[0] + counts[1]);
    for (const { logprob, bytes } of first.choices[0].logprobs?.content ?? []) {
      expect(logprob).toBeLessThan(0);
      expect(bytes).toBeInstanceOf(Array);
    }
  });

  it('streams what it would have answered in one piece', async () => {
    const settings = { ...hello, seed: 5, max_tokens: 30 };
    const whole = await client.chat.completions.create(settings);
    const stream = await client.chat.completions.create({
      ...settings,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let pieces = 0;
    let finish: string | null = null;
    let tokens = 0;
    for await (const { choices, usage } of stream) {
      tokens = usage?.completion_tokens ?? tokens;
      for (const { delta, finish_reason } of choices) {
        pieces++;
        text += delta.content ?? '';
        finish = finish_reason ?? finish;
      }
    }
    expect(text).toBe(whole.choices[0].message.content);
    expect(finish).toBe(whole.choices[0].finish_reason);
    expect(tokens).toBe(whole.usage?.completion_tokens);
    expect(pieces).toBeGreaterThan(3);
  });

  it('sees pictures', async () => {
    const [first, again, other] = await Promise.all(
      [10, 10, 250].map(async (red) => withPicture(await picture(red))),
    );
    const certainty = ({ choices }: OpenAI.ChatCompletion) => {
      return choices[0].logprobs?.content?.[0].logprob ?? Number.NaN;
    };
    expect(certainty(again)).toBeCloseTo(certainty(first), 5);
    expect(Math.abs(certainty(other) - certainty(first))).toBeGreaterThan(1e-3);
    const { prompt_tokens: plain = 0 } = (await client.chat.completions.create(hello)).usage ?? {};
    expect(first.usage?.prompt_tokens).toBeGreaterThan(plain + 1);
  });

  it('ends at stop texts', async () => {
    const whole = await client.chat.completions.create({ ...hello, seed: 9, max_tokens: 40 });
    const text = whole.choices[0].message.content ?? '';
    const stop = text.slice(6, 9);
    const { choices } = await client.chat.completions.create({ ...hello, seed: 9, max_tokens: 40, stop });
    expect(choices[0].message.content).toBe(text.slice(0, text.indexOf(stop)));
    expect(choices[0].finish_reason).toBe('stop');
  });

  it('gives up what nobody waits for', async () => {
    const stream = await client.chat.completions.create({
      ...hello,
      stream: true,
      max_tokens: 4000,
      temperature: 0,
    });
    for await (const _ of stream) break;
    await expect.poll(() => session.generator.cache.used).toBe(0);
  });

  it('lists its model', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(['tiny']);
  });
});

describe('requests that cannot be served', () => {
  it.each([
    [{ messages: [] }, 400, /messages/],
    [{ temperature: -1 }, 400, /temperature/],
    [{ presence_penalty: 1 }, 400, /presence_penalty/],
    [{ tools: [{ type: 'function' }] }, 400, /tools/],
    [{ messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] }, 400, /input_audio/],
    [{ messages: [{ role: 'user', content: 'long '.repeat(9000) }] }, 400, /positions/],
  ])('%j is refused', async (fields, status, message) => {
    const bad = { ...hello, ...fields } as OpenAI.ChatCompletionCreateParamsNonStreaming;
    await expect(client.chat.completions.create(bad)).rejects.toMatchObject({
      status,
      message: expect.stringMatching(message),
    });
  });

  it('fetches no pictures and reads no files', async () => {
    for (const url of ['http://127.0.0.1/x.png', 'file:///etc/hostname', '/etc/hostname']) {
      await expect(withPicture(url)).rejects.toThrow(/data URLs/);
    }
    await expect(withPicture('data:image/png;base64,AAAA')).rejects.toMatchObject({ status: 400 });
  });

  it('answers no web pages', async () => {
    const plain = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: JSON.stringify(hello),
    });
    expect(plain.status).toBe(400);
    expect(plain.headers.get('access-control-allow-origin')).toBeNull();
    const rebound = request({
      port,
      host: '127.0.0.1',
      path: '/v1/models',
      headers: { host: 'evil.example' },
    });
    rebound.end();
    const [response] = await once(rebound, 'response');
    expect(response.statusCode).toBe(403);
    response.resume();
    expect((await fetch(`http://127.0.0.1:${port}/v1/other`)).status).toBe(404);
    expect(faults).toEqual([]);
  });
});
