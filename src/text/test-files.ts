/** Fixtures that the tests of this folder share; made by reference/text.py. */
import { readFile } from 'node:fs/promises';
import type { Message } from './messages.js';
import { type ReadFile, Tokenizer } from './tokenizer.js';

interface Cases {
  readonly encode: { text: string; ids: number[] }[];
  readonly decode: { ids: number[]; text: string; skipped: string }[];
  readonly chat: { messages: Message[]; gen: boolean; ids?: boolean; text: string }[];
  readonly expanded: { chat: number; counts: number[]; ids: number[] };
}

const FOLDER = new URL('./fixtures/', import.meta.url);

async function json<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(name, FOLDER), 'utf8')) as T;
}

/** What Python makes of some text. */
export const cases = (): Promise<Cases> => json('cases.json');

/** The tokenizer it was made with. */
export async function fixtureTokenizer(): Promise<Tokenizer> {
  return new Tokenizer(await json('tokenizer.json'), { eos_token: '<|im_end|>', pad_token: '<|endoftext|>' });
}

/** A checkpoint's folder in memory. */
export function folderOf(files: Readonly<Record<string, unknown>>): ReadFile {
  return async (name) => {
    const file = files[name];
    if (file === undefined) return undefined;
    if (file instanceof Uint8Array) return file;
    return new TextEncoder().encode(typeof file === 'string' ? file : JSON.stringify(file));
  };
}
