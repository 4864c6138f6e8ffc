/** What a model is told to do with a question. Templates named after Med-R1 have its words exactly. */
import type { Message, MessagePart } from '../text/messages.js';
import type { AnswerKind } from './answers/open.js';
import type { Conversation } from './conversation.js';
import { answerKind, type ImageSource, problemText, type Question } from './question.js';

/** How an answer is to look: reasoning before it, none, reasoning after it, or the bare answer. */
export const ANSWER_STYLES = ['think', 'no-think', 'think-after', 'zero-shot'] as const;

/** How an answer is to look. */
export type AnswerStyle = (typeof ANSWER_STYLES)[number];

/** What is asked for, by the kind of answer; that of a choice is Med-R1's. */
const WANTED: Readonly<Record<AnswerKind, string>> = {
  choice: 'the correct single-letter choice (A, B, C, D,...)',
  text: 'the answer in as few words as possible',
  number: 'the answer as a number',
  boxes: 'the bounding box of each as [x1, y1, x2, y2]',
  report: 'the report',
};

/**
 * Med-R1 trains and evaluates with different words; both are its own, but for `think-after`, whose code was never
 * published: that one puts the two steps of `think` in the other order.
 */
const TEMPLATES: Readonly<Record<AnswerStyle, { readonly train: string; readonly eval: string }>> = {
  think: {
    train:
      '{Question} Your task: 1. Think through the question step by step, enclose your reasoning process in <think>...</think> tags. 2. Then provide {Wanted} inside <answer>...</answer> tags. 3. No extra information or text outside of these tags.',
    eval: '{Question} Think through the question step by step in <think>...</think> tags. Then provide {Wanted} inside <answer>...</answer> tags.',
  },
  'no-think': {
    train:
      '{Question} Your task: 1. Provide {Wanted} inside <answer>...</answer> tags. 2. No extra information or text outside of this tag.',
    eval: '{Question} Provide {Wanted} inside <answer>...</answer> tags.',
  },
  'think-after': {
    train:
      '{Question} Your task: 1. Provide {Wanted} inside <answer>...</answer> tags. 2. Then explain your choice step by step, enclose your reasoning process in <think>...</think> tags. 3. No extra information or text outside of these tags.',
    eval: '{Question} Provide {Wanted} inside <answer>...</answer> tags. Then explain your choice step by step in <think>...</think> tags.',
  },
  'zero-shot': {
    train: '{Question} Provide {Wanted}.',
    eval: '{Question} Provide {Wanted}.',
  },
};

/** The template of a style for a kind of answer, with `{Question}` where question and options go. */
export function promptTemplate(
  style: AnswerStyle,
  phase: 'train' | 'eval',
  kind: AnswerKind = 'choice',
  unit?: string,
): string {
  const wanted = unit === undefined ? WANTED[kind] : `${WANTED[kind]}, in ${unit}`;
  return TEMPLATES[style][phase].replace('{Wanted}', () => wanted);
}

/** A prompt: the pictures, then the text, as Med-R1's trainer orders them. */
export interface QuestionPrompt {
  readonly text: string;
  readonly messages: readonly Message<ImageSource>[];
}

/**
 * The prompt of a question.
 *
 * @param template a style, or a text with `{Question}` in it.
 * @param system a system message to put first; Med-R1 has none, so that the chat template's own stands.
 */
export function questionPrompt(
  question: Question,
  template: { readonly style: AnswerStyle; readonly phase: 'train' | 'eval' } | string,
  system?: string,
): QuestionPrompt {
  const { open } = question;
  const unit = open?.kind === 'number' ? open.unit : undefined;
  const words =
    typeof template === 'string'
      ? template
      : promptTemplate(template.style, template.phase, answerKind(question), unit);
  if (!words.includes('{Question}')) throw new RangeError('the prompt template has no {Question}');
  // A function, since a question may have $& in it.
  const text = words.replace('{Question}', () => problemText(question));
  const pictures = question.images.map((image): MessagePart<ImageSource> => ({ type: 'image', image }));
  const user: Message<ImageSource> = { role: 'user', content: [...pictures, { type: 'text', text }] };
  return { text, messages: system === undefined ? [user] : [{ role: 'system', content: system }, user] };
}

/** The completion that a style asks for; undefined where it asks for reasoning and the question has none. */
export function targetText(question: Question, style: AnswerStyle): string | undefined {
  const answer = `<answer> ${question.answer} </answer>`;
  if (style === 'zero-shot') return question.answer;
  if (style === 'no-think') return answer;
  if (question.reasoning === undefined) return undefined;
  const think = `<think>${question.reasoning}</think>`;
  return style === 'think' ? `${think}\n${answer}` : `${answer}\n${think}`;
}

/**
 * The conversation that teaches a question's answer in a style; undefined as for {@link targetText}. `words` may give
 * a system message and the prompt's own words with {Question} in them.
 */
export function teachingConversation(
  question: Question,
  style: AnswerStyle,
  words: { readonly system?: string; readonly template?: string } = {},
): Conversation | undefined {
  const target = targetText(question, style);
  if (target === undefined) return undefined;
  const { messages } = questionPrompt(question, words.template ?? { style, phase: 'train' }, words.system);
  const {
    question: _question,
    options: _options,
    answer: _answer,
    open: _open,
    reasoning: _reasoning,
    ...fields
  } = question;
  return { ...fields, messages: [...messages, { role: 'assistant', content: target }] };
}
