/** From a conversation to token ids: rendering, encoding, one placeholder token per picture patch. */
import type { RenderOptions } from './chat-template.js';
import type { TextCoder } from './coder.js';
import { TextError } from './errors.js';
import type { Message } from './messages.js';
import type { Vocabulary } from './vocabulary.js';

/** What stands for a picture in the text of Qwen-VL models. */
export const IMAGE_PAD = '<|image_pad|>';

/**
 * Repeats each picture's placeholder as often as the picture has merged patches, in order. Equal to repeating it in the
 * text before encoding, as transformers does, since added tokens split the text; but the text stays short.
 *
 * @param counts merged patches of each picture: t * h * w / 4 of its grid.
 * @param name what error messages call the prompt.
 */
export function expandImageTokens(
  ids: readonly number[],
  imageTokenId: number,
  counts: readonly number[],
  name = 'the prompt',
): number[] {
  return repeat(ids, repeats(ids, imageTokenId, counts, name));
}

/** How often each id is to stand: 1, but a picture's placeholder as often as the picture has merged patches. */
function repeats(
  ids: readonly number[],
  imageTokenId: number,
  counts: readonly number[],
  name: string,
): number[] {
  const placeholders = ids.reduce((n, id) => n + (id === imageTokenId ? 1 : 0), 0);
  if (placeholders !== counts.length) {
    throw new TextError(
      name,
      `has ${placeholders} image placeholders but ${counts.length} images; ` +
        `give one image part per image, and no ${IMAGE_PAD} in the text`,
    );
  }
  const wrong = counts.find((n) => !Number.isInteger(n) || n < 1);
  if (wrong !== undefined) throw new TextError(name, `has an image of ${wrong} merged patches`);
  let image = 0;
  return ids.map((id) => (id === imageTokenId ? (counts[image++] as number) : 1));
}

function repeat(values: readonly number[], times: readonly number[]): number[] {
  const repeated: number[] = [];
  values.forEach((value, i) => {
    for (let n = times[i] as number; n > 0; n--) repeated.push(value);
  });
  return repeated;
}

/** What is written for pictures in place of what the chat template writes. */
export interface PictureTexts {
  /** What the template writes for each of them. */
  readonly placeholder: string;
  /** What stands for each, in prompt order. */
  readonly texts: readonly string[];
}

/**
 * A text with what stands for its pictures in place of their placeholders.
 *
 * @param name what error messages call the prompt.
 */
export function withPictures(text: string, pictures: PictureTexts, name = 'the prompt'): string {
  const { placeholder, texts } = pictures;
  const parts = text.split(placeholder);
  if (parts.length - 1 !== texts.length) {
    throw new TextError(
      name,
      `has ${parts.length - 1} image placeholders but ${texts.length} images; ` +
        `give one image part per image, and no ${placeholder} in the text`,
    );
  }
  return parts.map((part, i) => (i === 0 ? part : texts[i - 1] + part)).join('');
}

/** Settings of {@link encodePrompt} and {@link encodeConversation}. */
export interface PromptOptions extends Pick<RenderOptions, 'addVisionId' | 'variables'> {
  /** Merged patches of each picture, in prompt order. */
  readonly imageCounts?: readonly number[];
  /** The placeholder's id, from the model's config; by default the tokenizer's `<|image_pad|>`. */
  readonly imageTokenId?: number;
  /** What is written for the pictures; by default what the template writes. */
  readonly pictureTexts?: PictureTexts;
  /** What error messages call the conversation, such as a file and line. */
  readonly name?: string;
}

/** A prompt that ends where the assistant begins to speak. */
export interface EncodedPrompt {
  /** The rendered text, with one placeholder per picture. */
  readonly text: string;
  /** Its ids, with one placeholder per merged patch. */
  readonly ids: number[];
}

/** Renders and encodes a conversation that the model shall continue. */
export async function encodePrompt(
  coder: TextCoder,
  messages: readonly Message[],
  options: PromptOptions = {},
): Promise<EncodedPrompt> {
  const rendered = await coder.render(messages, { ...options, addGenerationPrompt: true });
  const { pictureTexts, name } = options;
  const text = pictureTexts ? withPictures(rendered, pictureTexts, name) : rendered;
  const ids = await coder.encode(text);
  return { text, ids: repeat(ids, imageRepeats(coder.vocabulary, ids, options)) };
}

/** A conversation to learn from. */
export interface EncodedConversation {
  readonly text: string;
  readonly ids: number[];
  /** 1 where a token is part of an answer and so of the loss, else 0. */
  readonly completionMask: Uint8Array;
}

/**
 * Renders and encodes a conversation with the assistant's answers in it.
 *
 * Prompts and answers are encoded apart, because that is how they meet at generation: a prompt's last token never
 * merges with an answer's first. An answer reaches to the end of its turn, so that the model learns to stop.
 *
 * @param options.learn which answers count: the last message (default) or all of the assistant's.
 */
export async function encodeConversation(
  coder: TextCoder,
  messages: readonly Message[],
  options: PromptOptions & { learn?: 'last' | 'all' } = {},
): Promise<EncodedConversation> {
  const name = options.name ?? 'the conversation';
  const answers = messages.flatMap((message, i) => (message.role === 'assistant' ? [i] : []));
  if (answers.length === 0 || answers.at(-1) !== messages.length - 1) {
    throw new TextError(name, 'does not end with a message of the assistant; there is nothing to learn from');
  }
  const text = await coder.render(messages, options);
  const ids: number[] = [];
  const mask: number[] = [];
  let done = 0;
  let shown = 0;
  const take = async (end: number, learn: 0 | 1) => {
    for (const id of await coder.encode(spelled(text.slice(done, end)))) {
      ids.push(id);
      mask.push(learn);
    }
    done = end;
  };
  const spelled = (part: string) => {
    const { pictureTexts } = options;
    if (!pictureTexts) return part;
    const { placeholder, texts } = pictureTexts;
    const own = texts.slice(shown, shown + part.split(placeholder).length - 1);
    shown += own.length;
    return withPictures(part, { placeholder, texts: own }, name);
  };
  for (const i of options.learn === 'all' ? answers : answers.slice(-1)) {
    const prompt = await coder.render(messages.slice(0, i), { ...options, addGenerationPrompt: true });
    const isLast = i === messages.length - 1;
    const whole = isLast ? text : await coder.render(messages.slice(0, i + 1), options);
    if (!whole.startsWith(prompt) || !text.startsWith(whole)) {
      throw new TextError(
        coder.templateFile,
        `renders message ${i + 1} of ${name} differently once more follows; learn from the last message only`,
      );
    }
    await take(prompt.length, 0);
    await take(whole.length, 1);
  }
  const times = imageRepeats(coder.vocabulary, ids, options);
  return { text, ids: repeat(ids, times), completionMask: Uint8Array.from(repeat(mask, times)) };
}

function imageRepeats(vocabulary: Vocabulary, ids: readonly number[], options: PromptOptions): number[] {
  const counts = options.imageCounts ?? [];
  const imageTokenId = options.imageTokenId ?? vocabulary.tokenId(IMAGE_PAD);
  if (imageTokenId === undefined) {
    if (counts.length === 0) return ids.map(() => 1);
    throw new TextError(vocabulary.file, `has no token ${IMAGE_PAD}, so it cannot take images`);
  }
  return repeats(ids, imageTokenId, counts, options.name ?? 'the prompt');
}
