/** What `osler generate` continues: a prompt from the command line, lines of a file, or tensors. */
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { TensorFile } from '../formats/tensor-file.js';
import type { GenerationRequest } from '../generate/index.js';
import { promptsOf } from '../generate/inputs.js';
import { ahead } from '../models/processor/index.js';
import { readProblem } from '../platform/node/system-errors.js';
import { type Message, parseMessages } from '../text/index.js';
import type { ImageTally } from '../vision/index.js';
import { UsageError } from './common.js';
import { chatPrompt, filePictures, type GenerationSession, rawPrompt } from './generation.js';

/** A prompt, where it stands in its source, and what its line calls it. */
export interface NamedPrompt {
  readonly index: number;
  readonly id?: string | number;
  readonly request: Pick<GenerationRequest, 'ids' | 'images'>;
}

/** Where prompts come from; exactly one of `prompt`, `input` and `inputs`. */
export interface PromptSource {
  readonly prompt?: string;
  readonly system?: string;
  readonly image: readonly string[];
  readonly raw: boolean;
  readonly input?: string;
  readonly inputs?: string;
  /** Leave out lines of `input` whose pictures cannot be used. */
  readonly skipUnreadable: boolean;
}

/** Lines whose pictures are decoded side by side. */
const AHEAD = 4;

/** The prompts of a source, prepared as they are asked for. */
export async function* promptsFrom(
  source: PromptSource,
  session: GenerationSession,
  tally: ImageTally,
): AsyncGenerator<NamedPrompt, void, undefined> {
  if (source.inputs !== undefined) {
    const file = await TensorFile.open(source.inputs);
    try {
      const requests = await promptsOf(file, session.model);
      for (const [index, request] of requests.entries()) yield { index, request };
    } finally {
      await file.close();
    }
  } else if (source.input !== undefined) yield* lines(source.input, source, session, tally);
  else {
    const read = filePictures((path) => path);
    const { prompt = '', image, raw } = source;
    const name = 'the prompt';
    const request = raw
      ? await rawPrompt(session, prompt, image, read, name)
      : await chatPrompt(session, conversation(prompt, image, source.system), read, name);
    yield { index: 0, request };
  }
}

async function* lines(
  file: string,
  { system, raw, skipUnreadable }: PromptSource,
  session: GenerationSession,
  tally: ImageTally,
): AsyncGenerator<NamedPrompt, void, undefined> {
  const read = filePictures((path) => (isAbsolute(path) ? path : join(dirname(file), path)));
  const prepare = async ({ name, prompt, messages, images }: Line) => {
    if (messages !== undefined) return chatPrompt(session, parseMessages(messages, name), read, name);
    if (raw) return rawPrompt(session, prompt, images, read, name);
    return chatPrompt(session, conversation(prompt, images, system), read, name);
  };
  // What fails is told and counted in the order of the lines, not in that in which reading ends.
  const work = async (line: Line) => {
    const [prepared] = await Promise.allSettled([prepare(line)]);
    return { id: line.id, prepared };
  };
  let index = 0;
  for await (const { id, prepared } of ahead(parsedLines(file), work, AHEAD)) {
    const take = () => {
      if (prepared.status === 'rejected') throw prepared.reason;
      return prepared.value;
    };
    const request = skipUnreadable ? await tally.attempt(take) : take();
    if (request) yield { index, id, request };
    index++;
  }
}

async function* parsedLines(file: string): AsyncGenerator<Line, void, undefined> {
  let number = 0;
  for await (const line of openLines(file)) {
    number++;
    if (line.trim() !== '') yield parseLine(line, `${file}:${number}`);
  }
}

async function* openLines(file: string): AsyncGenerator<string, void, undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file);
  } catch (error) {
    throw new UsageError(`--input ${file} ${readProblem(error)}`);
  }
  try {
    yield* handle.readLines();
  } finally {
    await handle.close();
  }
}

interface Line {
  /** What error messages call it. */
  readonly name: string;
  readonly id?: string | number;
  readonly prompt: string;
  readonly messages?: unknown;
  readonly images: readonly string[];
}

function parseLine(line: string, name: string): Line {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${name} is not valid JSON: ${(error as Error).message}`);
  }
  if (value === null || typeof value !== 'object') throw new UsageError(`${name} is not a JSON object`);
  const { id, prompt, messages, image, images = image === undefined ? [] : [image] } = value;
  if (messages === undefined && typeof prompt !== 'string') {
    throw new UsageError(`${name} has neither "prompt", a text, nor "messages", a list of {role, content}`);
  }
  if (!Array.isArray(images) || images.some((path) => typeof path !== 'string')) {
    throw new UsageError(`${name} has "images" that are not a list of paths`);
  }
  if (messages !== undefined && images.length > 0) {
    throw new UsageError(
      `${name} has "messages" and "images"; put pictures into the messages as {type: "image", image: path}`,
    );
  }
  const named = typeof id === 'string' || typeof id === 'number' ? { id } : {};
  return { name, ...named, prompt: String(prompt), images, ...(messages === undefined ? {} : { messages }) };
}

function conversation(prompt: string, images: readonly string[], system?: string): Message[] {
  const parts = images.map((image) => ({ type: 'image' as const, image }));
  const user = { role: 'user', content: [...parts, { type: 'text' as const, text: prompt }] };
  return system === undefined ? [user] : [{ role: 'system', content: system }, user];
}
