/** The server, asked by the client that most programs use. */
import { once } from 'node:events';
import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import OpenAI from 'openai';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { GenerationSession } from '../../src/cli/generation.js';
import { ChatServer, type ChatServerOptions } from '../../src/cli/serving/server.js';
import type { PromptEncoder } from '../../src/models/processor/index.js';
import { tinySession } from './session.js';

let tiny: Awaited<ReturnType<typeof tinySession>>;
let session: GenerationSession;
let server: Server;
let port: number;
let client: OpenAI;
const faults: unknown[] = [];
const SETTINGS: ChatServerOptions = {
  name: 'tiny',
  maxNewTokens: 12,
  onError: (error) => faults.push(error),
};

beforeAll(async () => {
  tiny = await tinySession();
  ({ session } = tiny);
  server = new ChatServer(session, SETTINGS).http;
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
    expect((await client.models.retrieve('tiny')).id).toBe('tiny');
    await expect(client.models.retrieve('other')).rejects.toMatchObject({ status: 404 });
  });
});

describe('requests that cannot be served', () => {
  it.each([
    ['no messages', { messages: [] }, 400, /messages/],
    ['a negative temperature', { temperature: -1 }, 400, /temperature/],
    ['a presence penalty', { presence_penalty: 1 }, 400, /presence_penalty/],
    ['tools', { tools: [{ type: 'function' }] }, 400, /tools/],
    ['sound', { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] }, 400, /input_audio/],
    [
      'a prompt beyond the context',
      { messages: [{ role: 'user', content: 'long '.repeat(9000) }] },
      400,
      /positions/,
    ],
    [
      'a prompt of 10 MB',
      { messages: [{ role: 'user', content: 'long '.repeat(2_000_000) }] },
      400,
      /positions/,
    ],
    ['a bias of logits', { logit_bias: { 5: 10 } }, 400, /logit_bias/],
    ['another model', { model: 'gpt-5' }, 404, /there is "tiny"/],
  ])('%s: refused', async (_, fields, status, message) => {
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

/** The first line of the answer to bytes that no client library would send. */
async function raw(target: number, text: string): Promise<string> {
  const socket = connect(target, '127.0.0.1');
  socket.setEncoding('utf8');
  let answer = '';
  socket.on('data', (piece: string) => {
    answer += piece;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer.split('\r\n')[0];
}

describe('the process lives on', () => {
  it.each(['//', '//:x', '/\\\\', '/%', '/%ff', '*', 'http://[', '/v1/%00'])('GET %s', async (path) => {
    const text = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`;
    expect(await raw(port, text)).toMatch(/^HTTP\/1\.1 40[04] /);
    expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200);
  });

  it('after bytes that are no HTTP, and clients that leave in mid-body', async () => {
    expect(await raw(port, 'nonsense\r\n\r\n')).toMatch(/ 400 /);
    const head =
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const socket = connect(port, '127.0.0.1');
    socket.write(`${head}Content-Length: 1000\r\n\r\n{"mess`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await expect.poll(() => inFlight(port)).toBe(0);
    expect(faults).toEqual([]);
  });
});

async function inFlight(target: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${target}/metrics`)).text();
  return Number(/^osler_requests_in_flight (\d+)$/m.exec(text)?.[1]);
}

it('decodes no picture for a client that has left', async () => {
  const encoder = session.encoder as PromptEncoder;
  const decoding = vi.spyOn(encoder, 'prepare').mockImplementation(
    (_prompt, signal) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  );
  try {
    const leaving = new AbortController();
    const answer = client.chat.completions.create(hello, { signal: leaving.signal });
    await expect.poll(() => decoding.mock.calls.length).toBe(1);
    leaving.abort();
    await expect(answer).rejects.toThrow();
    await expect.poll(() => inFlight(port)).toBe(0);
    expect(faults).toEqual([]);
  } finally {
    decoding.mockRestore();
  }
});

describe('limits', () => {
  let limited: ChatServer;
  let limitedPort: number;
  const url = (path: string) => `http://127.0.0.1:${limitedPort}${path}`;
  const post = (body: object, key = 'secret') =>
    fetch(url('/v1/chat/completions'), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    });

  beforeAll(async () => {
    limited = new ChatServer(session, {
      ...SETTINGS,
      apiKey: 'secret',
      maxRequests: 1,
      maxBodyBytes: 4000,
      maxPictures: 1,
    });
    limited.http.listen(0, '127.0.0.1');
    await once(limited.http, 'listening');
    limitedPort = (limited.http.address() as AddressInfo).port;
  });

  it('asks for the key, but tells anybody how it is', async () => {
    expect((await post(hello, 'wrong')).status).toBe(401);
    expect((await fetch(url('/v1/models'))).status).toBe(401);
    expect((await fetch(url('/health'))).status).toBe(200);
    expect((await fetch(url('/metrics'))).status).toBe(200);
  });

  it('takes bodies and pictures up to a number', async () => {
    expect((await post({ ...hello, pad: 'x'.repeat(5000) })).status).toBe(413);
    const part = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const many = await post({ messages: [{ role: 'user', content: [part, part] }] });
    expect(many.status).toBe(400);
    expect(await many.text()).toMatch(/2 pictures, more than 1/);
  });

  it('says 429 when it is full, counts, and drains', async () => {
    const before = (await (await fetch(url('/metrics'))).text()).match(
      /^osler_completion_tokens_total (\d+)/m,
    );
    const first = post({ ...hello, max_tokens: 60, temperature: 0 });
    await expect.poll(() => inFlight(limitedPort)).toBe(1);
    const second = await post(hello);
    expect(second.status).toBe(429);
    expect(second.headers.get('retry-after')).toBe('1');
    const drained = limited.drain(60);
    expect((await post(hello)).status).toBe(503);
    expect((await fetch(url('/health'))).status).toBe(503);
    const text = await (await fetch(url('/metrics'))).text();
    const answer = await first;
    expect(answer.status).toBe(200);
    await drained;
    expect(Number(before?.[1])).toBe(0);
    expect(text).toMatch(/^osler_requests_total\{status="429"\} 1$/m);
    expect(text).toMatch(/^osler_requests_total\{status="413"\} 1$/m);
  });
});
