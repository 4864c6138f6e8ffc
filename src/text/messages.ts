/** Conversations: who said what, with pictures. */
import { TextError } from './errors.js';

/** A piece of text in a message. */
export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** A picture in a message. Only its place matters here; what it holds is the caller's. */
export interface ImagePart<Image = unknown> {
  readonly type: 'image';
  readonly image?: Image;
}

/** A piece of a message. */
export type MessagePart<Image = unknown> = TextPart | ImagePart<Image>;

/** One turn. Parts appear in the prompt in the order of the list. */
export interface Message<Image = unknown> {
  readonly role: string;
  readonly content: string | readonly MessagePart<Image>[];
}

/** The pictures of a conversation in prompt order. */
export function imagesOf<Image>(messages: readonly Message<Image>[]): (Image | undefined)[] {
  return messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap((part) => (part.type === 'image' ? [part.image] : [])),
  );
}

/** The conversation with something else for each of its pictures. */
export function mapImages<A, B>(
  messages: readonly Message<A>[],
  change: (image: A | undefined) => B,
): Message<B>[] {
  return messages.map(({ role, content }) => {
    if (typeof content === 'string') return { role, content };
    return {
      role,
      content: content.map((part) =>
        part.type === 'image' ? { type: 'image' as const, image: change(part.image) } : part,
      ),
    };
  });
}

/**
 * Checks messages that came from outside (a dataset, a request). Accepts OpenAI's `image_url` parts and parts without a
 * `type` that have an `image` or `text`.
 *
 * @param name what error messages call the conversation, such as a file and line.
 */
export function parseMessages(value: unknown, name: string): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new TextError(name, 'is not a list of messages; it needs at least one {role, content}');
  }
  return value.map((message: unknown, i) => {
    const where = `${name}: message ${i + 1}`;
    if (message === null || typeof message !== 'object') throw new TextError(where, 'is not an object');
    const { role, content } = message as Record<string, unknown>;
    if (typeof role !== 'string' || role === '') throw new TextError(where, 'has no role');
    if (typeof content === 'string') return { role, content };
    if (!Array.isArray(content))
      throw new TextError(where, 'has content that is neither text nor a list of parts');
    return { role, content: content.map((part, k) => parsePart(part, `${where}: part ${k + 1}`)) };
  });
}

function parsePart(value: unknown, where: string): MessagePart {
  if (value === null || typeof value !== 'object') throw new TextError(where, 'is not an object');
  const part = value as Record<string, unknown>;
  const type = part.type ?? ('image' in part ? 'image' : 'image_url' in part ? 'image_url' : 'text');
  if (type === 'text') {
    if (typeof part.text !== 'string') throw new TextError(where, 'has no text');
    return { type, text: part.text };
  }
  if (type === 'image') return part.image === undefined ? { type } : { type, image: part.image };
  if (type === 'image_url') {
    const target = part.image_url;
    const url = typeof target === 'object' && target !== null ? (target as { url?: unknown }).url : target;
    if (typeof url !== 'string') throw new TextError(where, 'has no image_url.url');
    return { type: 'image', image: url };
  }
  throw new TextError(where, `has the type ${JSON.stringify(type)}; known are text, image and image_url`);
}
