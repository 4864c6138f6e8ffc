/** `osler serve`: a model for any program that speaks OpenAI's chat API. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { basename, resolve } from 'node:path';
import { inspect } from 'node:util';
import type { Argv, CommandModule } from 'yargs';
import { ensureDriver } from '../platform/launcher/launch.js';
import { readProblem } from '../platform/node/system-errors.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { type GenerationArgs, generationOptions, openSession } from './generation.js';
import { COUNT, NOT_NEGATIVE, numbers, PORT } from './numbers.js';
import { ChatServer } from './serving/server.js';
import { stopSignal } from './signals.js';
import { print, printJson, tell } from './terminal.js';

interface Args extends CommonArgs, GenerationArgs {
  readonly port: number;
  readonly name?: string;
  readonly maxNewTokens: number;
  readonly maxRequests: number;
  readonly maxPictures: number;
  readonly drainSeconds: number;
  readonly apiKeyFile?: string;
}

/** The yargs command. */
export const serve: CommandModule<object, Args> = {
  command: 'serve',
  describe: 'Serve a model on 127.0.0.1 under an OpenAI-compatible /v1/chat/completions',
  builder: (yargs) => {
    const options = commonOptions(generationOptions(yargs))
      .option('port', { type: 'number', default: 8000, describe: '0 for any that is free' })
      .option('name', {
        type: 'string',
        describe: "What clients see as the model; the folder's name by default",
      })
      .option('max-new-tokens', {
        type: 'number',
        default: 1024,
        describe: 'Most tokens of an answer whose client names no number',
      })
      .option('max-requests', {
        type: 'number',
        default: 256,
        describe: 'Most requests under way; further ones get 429, and come again',
      })
      .option('max-pictures', {
        type: 'number',
        default: 16,
        describe: 'Most pictures of a request; 67 megapixels of all requests are decoded at a time',
      })
      .option('drain-seconds', {
        type: 'number',
        default: 30,
        describe: 'How long requests under way may take to end after Ctrl-C or SIGTERM',
      })
      .option('api-key-file', {
        type: 'string',
        describe: 'File with a key that clients must send; OSLER_API_KEY does the same; none by default',
      })
      .check(
        numbers({
          port: PORT,
          'max-new-tokens': COUNT,
          'max-requests': COUNT,
          'max-pictures': COUNT,
          'drain-seconds': NOT_NEGATIVE,
        }),
        false,
      )
      .example('$0 serve --model m --adapter run/checkpoints/step-000100', 'try a trained model')
      .example(
        'curl http://127.0.0.1:8000/v1/chat/completions -H "content-type: application/json" ' +
          '-d \'{"messages": [{"role": "user", "content": "Hi"}], "stream": true}\'',
        'ask it',
      )
      .epilogue(
        'Supported: messages with text and image_url (data URLs), n, max_tokens, max_completion_tokens, temperature, top_p, ' +
          'top_k, min_p, repetition_penalty, seed, stop, stream, stream_options.include_usage, logprobs; GET /v1/models, /v1/models/NAME, /health (503 when it cannot answer) and /metrics (for Prometheus).',
      );
    return options as unknown as Argv<Args>;
  },
  handler: async (args) => {
    await ensureDriver();
    const session = await openSession(args);
    try {
      if (!session.encoder) throw new UsageError(`${args.model} has no tokenizer.json; a server needs it`);
      const name = args.name ?? basename(resolve(args.model));
      const { maxNewTokens, maxRequests, maxPictures, port } = args;
      const server = new ChatServer(session, {
        name,
        maxNewTokens,
        maxRequests,
        maxPictures,
        apiKey: await apiKey(args.apiKeyFile),
        onError: (error) => tell(inspect(error)),
      });
      server.http.listen(port, '127.0.0.1');
      await once(server.http, 'listening').catch((error: unknown) =>
        refuse(error as NodeJS.ErrnoException, port),
      );
      const url = `http://127.0.0.1:${(server.http.address() as AddressInfo).port}/v1`;
      if (args.json) printJson({ url, model: name });
      else print(`${name} at ${url}; Ctrl-C ends it`);
      try {
        await Promise.race([stopSignal(), server.lost]);
        await server.drain(args.drainSeconds);
      } catch (error) {
        await server.drain(0);
        throw error;
      }
    } finally {
      await session.close();
    }
  },
};

function refuse(error: NodeJS.ErrnoException, port: number): never {
  throw new UsageError(`port ${port} cannot be used (${error.code}); choose another --port`);
}

async function apiKey(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return process.env.OSLER_API_KEY || undefined;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--api-key-file ${file} ${readProblem(error)}`);
  }
  const key = text.trim();
  if (key === '') throw new UsageError(`--api-key-file ${file} is empty; it holds the key`);
  return key;
}
