/** `osler generate`: completions of prompts. */

import type { Argv, CommandModule } from 'yargs';
import { counted } from '../formats/counted.js';
import type { Completion, TokenEvent } from '../generate/index.js';
import type { SamplingOptions } from '../kernels/sampling.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { ImageTally } from '../vision/index.js';
import { type CommonArgs, commonOptions, UsageError } from './common.js';
import { type NamedPrompt, type PromptSource, promptsFrom } from './generate-prompts.js';
import { type GenerationArgs, type GenerationSession, generationOptions, openSession } from './generation.js';
import { COUNT, COUNT_OR_NONE, NOT_NEGATIVE, numbers, SEED, SHARE } from './numbers.js';
import { print, printText, showProgress, tell } from './terminal.js';

/** Arguments of `osler generate`. */
export interface GenerateArgs extends CommonArgs, GenerationArgs, PromptSource {
  readonly n: number;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly greedy: boolean;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly ignoreEos: boolean;
}

/** The yargs command. */
export const generate: CommandModule<object, GenerateArgs> = {
  command: 'generate',
  describe: 'Generate completions of a prompt, of the lines of a file, or of token ids',
  builder: (yargs) => {
    const options = commonOptions(generationOptions(yargs))
      .option('prompt', { type: 'string', describe: "What the user says; '-' reads it from standard input" })
      .option('system', { type: 'string', describe: "System message; the chat template's own by default" })
      .option('image', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'PNG, JPEG, WebP, TIFF, GIF or DICOM that comes before the prompt; may be repeated',
      })
      .option('raw', {
        type: 'boolean',
        default: false,
        describe: 'Continue the prompt as it is, without chat template',
      })
      .option('input', {
        type: 'string',
        describe:
          'JSONL, one prompt a line: {prompt, images?, id?} or {messages, id?}; paths from its folder',
      })
      .option('skip-unreadable', {
        type: 'boolean',
        default: false,
        describe: 'Leave out lines of --input whose pictures cannot be used, and count them',
      })
      .option('inputs', {
        type: 'string',
        describe:
          'Safetensors with input_ids, attention_mask, pixel_values, image_grid_thw; needs no tokenizer',
      })
      .option('n', { type: 'number', default: 1, describe: 'Completions of each prompt' })
      .option('max-new-tokens', { type: 'number', default: 512, describe: 'Most tokens of a completion' })
      .option('temperature', { type: 'number', default: 1, describe: '0 takes the most likely token' })
      .option('top-k', { type: 'number', default: 0, describe: 'Only the k most likely tokens; 0 for all' })
      .option('top-p', {
        type: 'number',
        default: 1,
        describe: 'Only the most likely tokens of this probability',
      })
      .option('min-p', {
        type: 'number',
        default: 0,
        describe: 'Only tokens this likely relative to the best',
      })
      .option('repetition-penalty', {
        type: 'number',
        default: 1,
        describe: 'Above 1 avoids tokens that were there',
      })
      .option('greedy', { type: 'boolean', default: false, describe: 'The same as --temperature 0' })
      .option('seed', { type: 'number', default: 0, describe: 'Equal seeds give equal completions' })
      .option('stop', {
        type: 'string',
        array: true,
        nargs: 1,
        default: [] as string[],
        describe: 'Text that ends a completion; may be repeated',
      })
      .option('ignore-eos', { type: 'boolean', default: false, describe: 'Take end ids for ordinary tokens' })
      .check(
        numbers({
          n: COUNT,
          'max-new-tokens': COUNT,
          temperature: NOT_NEGATIVE,
          'top-k': COUNT_OR_NONE,
          'top-p': SHARE,
          'min-p': SHARE,
          'repetition-penalty': { above: 0 },
          seed: SEED,
        }),
        false,
      )
      .example('$0 generate --model m --image scan.png --prompt "What is shown?"', 'streams the answer')
      .example(
        '$0 generate --model m --adapter run/checkpoints/step-000100 --prompt Hi --n 4 --json',
        'four answers',
      )
      .example('$0 generate --model m --input prompts.jsonl --greedy --json', 'every line of a file, batched')
      .example(
        '$0 generate --model m --inputs f.safetensors --greedy --ignore-eos --max-new-tokens 64 --json',
        'token ids from token ids',
      )
      .epilogue(
        '--json prints {completions: [{prompt, sample, tokenIds, logprobs, text?, finishReason}]}; prompt counts from 0. ' +
          'Log-probabilities are those of the model at the temperature, before any filter.',
      );
    return options as unknown as Argv<GenerateArgs>;
  },
  handler: async (args) => {
    const sources = [args.prompt, args.input, args.inputs].filter((source) => source !== undefined);
    if (sources.length !== 1) throw new UsageError('give one of --prompt, --input and --inputs');
    if (args.prompt === undefined && args.image.length > 0) {
      throw new UsageError('--image goes with --prompt; lines of --input name their images themselves');
    }
    const prompt = args.prompt === '-' ? await readStandardInput() : args.prompt;
    await ensureDriver();
    const session = await openSession(args, args.ignoreEos);
    try {
      await runGenerate({ ...args, prompt }, session);
    } finally {
      await session.close();
    }
  },
};

/** Generates and prints what the arguments ask for. */
export async function runGenerate(args: GenerateArgs, session: GenerationSession): Promise<void> {
  const streaming = !args.json && args.prompt !== undefined && args.n === 1 && session.encoder !== null;
  const tally = new ImageTally();
  const waiting: Omit<NamedPrompt, 'request'>[] = [];
  async function* requests() {
    for await (const { request, ...name } of promptsFrom(args, session, tally)) {
      waiting.push(name);
      yield {
        ...request,
        samples: args.n,
        maxNewTokens: args.maxNewTokens,
        sampling: samplingOf(args),
        seed: args.seed,
        // Prompts draw different random numbers, even where they are the same.
        step: name.index,
        stop: args.stop,
        ...(streaming ? { onToken: ({ text }: TokenEvent) => printText(text) } : {}),
      };
    }
  }
  const progress = new Progress(args);
  const results: object[] = [];
  for await (const completions of session.generator.stream(requests())) {
    const { index, id } = waiting.shift() as NamedPrompt;
    const named = id === undefined ? { prompt: index } : { prompt: index, id };
    for (const completion of completions) {
      if (args.json) results.push({ ...named, ...completion });
      else if (!streaming) show(completion, args, id ?? index);
    }
    progress.add(completions);
  }
  progress.end();
  const skipped = tally.summary();
  if (skipped) tell(`warning: ${skipped}`);
  if (streaming) printText('\n');
  if (args.json) print(JSON.stringify({ completions: results }));
}

function samplingOf(args: GenerateArgs): SamplingOptions {
  const { topK, topP, minP, repetitionPenalty } = args;
  return { temperature: args.greedy ? 0 : args.temperature, topK, topP, minP, repetitionPenalty };
}

function show(
  { sample, tokenIds, text, finishReason }: Completion,
  args: GenerateArgs,
  prompt: string | number,
): void {
  const parts = [
    ...(args.prompt === undefined ? [`prompt ${prompt}`] : []),
    ...(args.n > 1 ? [`sample ${sample}`] : []),
    counted(tokenIds.length, 'token'),
    finishReason,
  ];
  print(`--- ${parts.join(', ')}`);
  printText(`${text ?? tokenIds.join(' ')}\n`);
}

/** How far it is and how fast it goes, on standard error. */
class Progress {
  readonly #quiet: boolean;
  readonly #start = performance.now();
  #shown = 0;
  #prompts = 0;
  #tokens = 0;

  constructor(args: GenerateArgs) {
    this.#quiet = args.prompt !== undefined;
  }

  add(completions: readonly Completion[]): void {
    this.#prompts++;
    for (const { tokenIds } of completions) this.#tokens += tokenIds.length;
    if (this.#quiet || performance.now() - this.#shown < (process.stderr.isTTY ? 200 : 10_000)) return;
    this.#shown = performance.now();
    showProgress(this.#line());
  }

  end(): void {
    if (!this.#quiet) showProgress(this.#line(), true);
  }

  #line(): string {
    const seconds = (performance.now() - this.#start) / 1000;
    const rate = `${(this.#tokens / seconds).toFixed(1)} tokens/s`;
    return `${counted(this.#prompts, 'prompt')}, ${counted(this.#tokens, 'token')}, ${seconds.toFixed(1)} s, ${rate}`;
  }
}

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
