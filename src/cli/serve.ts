/** `osler serve`: a model for any program that speaks OpenAI's chat API. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { basename, resolve } from 'node:path';
import type { Argv, CommandModule } from 'yargs';
import { ensureDriver } from '../platform/launcher/launch.js';
import { type CommonArgs, commonOptions, printJson, UsageError } from './common.js';
import { type GenerationArgs, generationOptions, openSession } from './generation.js';
import { COUNT, numbers, PORT } from './numbers.js';
import { chatServer } from './serving/server.js';

interface Args extends CommonArgs, GenerationArgs {
  readonly port: number;
  readonly name?: string;
  readonly maxNewTokens: number;
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
      .check(numbers({ port: PORT, 'max-new-tokens': COUNT }), false)
      .example('$0 serve --model m --adapter run/checkpoints/step-000100', 'try a trained model')
      .example(
        'curl http://127.0.0.1:8000/v1/chat/completions -H "content-type: application/json" ' +
          '-d \'{"messages": [{"role": "user", "content": "Hi"}], "stream": true}\'',
        'ask it',
      )
      .epilogue(
        'Supported: messages with text and image_url (data URLs), n, max_tokens, max_completion_tokens, temperature, top_p, ' +
          'top_k, min_p, repetition_penalty, seed, stop, stream, stream_options.include_usage, logprobs; GET /v1/models.',
      );
    return options as unknown as Argv<Args>;
  },
  handler: async (args) => {
    await ensureDriver();
    const session = await openSession(args);
    try {
      if (!session.processor) throw new UsageError(`${args.model} has no tokenizer.json; a server needs it`);
      const name = args.name ?? basename(resolve(args.model));
      const { maxNewTokens, port } = args;
      const server = chatServer(session, { name, maxNewTokens, onError: (error) => console.error(error) });
      server.listen(port, '127.0.0.1');
      await once(server, 'listening').catch((error: unknown) => refuse(error as NodeJS.ErrnoException, port));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
      if (args.json) printJson({ url, model: name });
      else console.log(`${name} at ${url}; Ctrl-C ends it`);
      await signalled();
      server.closeAllConnections();
      server.close();
    } finally {
      await session.close();
    }
  },
};

function refuse(error: NodeJS.ErrnoException, port: number): never {
  throw new UsageError(`port ${port} cannot be used (${error.code}); choose another --port`);
}

function signalled(): Promise<unknown> {
  return Promise.race(['SIGINT', 'SIGTERM'].map((name) => once(process, name)));
}
