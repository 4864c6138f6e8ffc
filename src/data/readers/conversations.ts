/** Hugging Face `messages`, and the ShareGPT `conversations` of LLaVA, VLM-R1 and GMAI-Reasoning10K. */
import { describe } from '../../formats/quote.js';
import { TextError } from '../../text/errors.js';
import { type Message, type MessagePart, parseMessages } from '../../text/messages.js';
import type { Conversation } from '../conversation.js';
import type { ImageSource } from '../question.js';
import {
  extraOf,
  fail,
  idOf,
  imageOf,
  imagesOfRecord,
  optionalText,
  present,
  type Raw,
  type RecordContext,
} from './fields.js';

const KEYS = new Set('id image images messages conversations modality question_type dataset'.split(' '));
/** Stands for a picture in texts of LLaVA's, LLaMA-Factory's and ms-swift's formats. */
const PLACEHOLDER = '<image>';
const ROLES: Readonly<Record<string, string>> = { human: 'user', gpt: 'assistant' };

const GMAI_FOLDERS: Readonly<Record<string, string>> = {
  ct: 'CT',
  mr_unknown: 'MRI',
  x_ray: 'X-Ray',
  bone_radiograph: 'X-Ray',
  ultrasound: 'Ultrasound',
  dermoscopy: 'Dermoscopy',
  fundus_photography: 'Fundus',
  oct: 'OCT',
  histopathology: 'Microscopy',
  endoscopy: 'Endoscopy',
};

/** `{messages: [{role, content}], images?}`; pictures stand in image parts, as `<image>`, or before the first question. */
export function conversationOf(raw: Raw, at: RecordContext): Conversation {
  return build(raw, withoutNulls(raw.messages), 'messages', at);
}

/** `{conversations: [{from, value}], image?}`. */
export function shareGptOf(raw: Raw, at: RecordContext): Conversation {
  const turns = raw.conversations;
  if (!Array.isArray(turns)) fail(at, 'conversations', `must be a list, not ${describe(turns)}`);
  const messages = turns.map((turn: unknown, i) => {
    if (turn === null || typeof turn !== 'object') fail(at, `conversations.${i}`, 'is not an object');
    const { from, value } = turn as { from?: unknown; value?: unknown };
    if (typeof from !== 'string') fail(at, `conversations.${i}.from`, `must be text, not ${describe(from)}`);
    return { role: Object.hasOwn(ROLES, from) ? ROLES[from] : from, content: value };
  });
  return withPathModality(build(raw, messages, 'conversations', at));
}

/** GMAI-Reasoning10K tells the modality by folder alone: `gmai-reasoning10k/2d/cls/fundus_photography/...`. */
function withPathModality(sample: Conversation): Conversation {
  const [image] = sample.images;
  const folders =
    typeof image === 'string' ? /^gmai-reasoning10k\/(.+)\/[^/]+$/i.exec(image)?.[1] : undefined;
  if (folders === undefined) return sample;
  const modality = folders.split('/').flatMap((name) => GMAI_FOLDERS[name] ?? [])[0];
  return { dataset: 'GMAI-Reasoning10K', ...(modality === undefined ? {} : { modality }), ...sample };
}

function build(raw: Raw, turns: unknown, field: string, at: RecordContext): Conversation {
  const parsed = parse(turns, field, at);
  const given = imagesOfRecord(raw, at, false);
  const { messages, images } = placeImages(parsed, given, field, at);
  return {
    id: idOf(raw, 'id', at),
    images,
    messages,
    ...present({
      modality: optionalText(raw, 'modality', at),
      question_type: optionalText(raw, 'question_type', at),
      dataset: optionalText(raw, 'dataset', at),
    }),
    ...extraOf(raw, KEYS),
  };
}

function parse(turns: unknown, field: string, at: RecordContext): Message[] {
  try {
    return parseMessages(turns, field);
  } catch (error) {
    if (!(error instanceof TextError)) throw error;
    return fail(at, undefined, error.message);
  }
}

/** Parquet writes every key of a struct in every row, null where the row lacks it. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) =>
      inner === null || inner === undefined ? [] : [[key, withoutNulls(inner)]],
    ),
  );
}

/** Puts each picture at its place: parts that hold one keep it, empty parts and `<image>` take the given ones in order. */
function placeImages(
  parsed: readonly Message[],
  given: readonly ImageSource[],
  field: string,
  at: RecordContext,
): { messages: Message<ImageSource>[]; images: ImageSource[] } {
  const images: ImageSource[] = [];
  let used = 0;
  const take = (value?: unknown): MessagePart<ImageSource> => {
    const own = value === undefined ? given[used++] : imageOf(value, field, at);
    if (own === undefined)
      fail(at, 'images', `has ${given.length} pictures, but the ${field} have more places for them`);
    images.push(own);
    return { type: 'image', image: own };
  };
  const split = (text: string): MessagePart<ImageSource>[] =>
    text.split(PLACEHOLDER).flatMap((piece, i) => {
      const rest: MessagePart<ImageSource>[] =
        piece.trim() === '' ? [] : [{ type: 'text', text: trimBreak(piece, i) }];
      return i === 0 ? rest : [take(), ...rest];
    });
  const messages = parsed.map((message): Message<ImageSource> => {
    if (message.role !== 'user') return message as Message<ImageSource>;
    if (typeof message.content === 'string') {
      if (!message.content.includes(PLACEHOLDER)) return message as Message<ImageSource>;
      return { role: message.role, content: split(message.content) };
    }
    const content = message.content.flatMap((part) =>
      part.type === 'image' ? [take(part.image)] : split(part.text),
    );
    return { role: message.role, content };
  });
  if (images.length === 0 && given.length > 0) return inFront(messages, given, field, at);
  if (used < given.length)
    fail(at, 'images', `has ${given.length} pictures, but the ${field} have places for ${used}`);
  return { messages, images };
}

/** LLaVA writes `<image>\nQuestion`; the line break belongs to the placeholder, not to the question. */
function trimBreak(piece: string, index: number): string {
  return index === 0 ? piece : piece.replace(/^\n/, '');
}

function inFront(
  messages: Message<ImageSource>[],
  given: readonly ImageSource[],
  field: string,
  at: RecordContext,
): { messages: Message<ImageSource>[]; images: ImageSource[] } {
  const first = messages.findIndex(({ role }) => role === 'user');
  if (first < 0) fail(at, field, 'have no message of the user to put the pictures in');
  const { role, content } = messages[first] as Message<ImageSource>;
  const text: readonly MessagePart<ImageSource>[] =
    typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  const pictures = given.map((image): MessagePart<ImageSource> => ({ type: 'image', image }));
  return { messages: messages.with(first, { role, content: [...pictures, ...text] }), images: [...given] };
}
